insert into p (id, c) values ('00000000-0000-0000-0000-000000000001', 'x'); delete from p;
