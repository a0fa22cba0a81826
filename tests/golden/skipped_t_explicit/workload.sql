insert into a values (1); begin; truncate a, b; commit; begin; truncate a; insert into b values (1); commit;
