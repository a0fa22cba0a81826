insert into a values (10, 'x'); delete from b where id = 1; insert into c values (1);
