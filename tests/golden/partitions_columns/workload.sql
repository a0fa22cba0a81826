insert into p values (1, 'a', 2), (11, 'b', 3); update p set b = 5; update p set id = id + 1; update p set id = 12 where id = 2 and false; delete from p;
