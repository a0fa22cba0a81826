insert into d (id, e8, g6, g7, g8) values (1, '2020-01-01 00:00+00', '2020-01-01 00:00', '00:00', 'u');
update d set id = 3 where id = 1; delete from d;
