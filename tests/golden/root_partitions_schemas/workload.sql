insert into p select g, g, 'v' from generate_series(1, 4) g; update p set k = k + 1 where id < 3; delete from p where id = 4; truncate p0;
