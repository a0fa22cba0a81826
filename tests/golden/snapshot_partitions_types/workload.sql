insert into p values (3, '2020-06-06'); delete from p where id = 1;
