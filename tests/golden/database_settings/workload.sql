insert into z select 1, null, null, null, null, null, null, null, null, null, null, da, tsa, tza, ba, x, f from z; insert into z (id) values (2); update z set id = 5 where id = 0; delete from z;
