insert into w (id, c0, c1, c2) values (1, 1, 'x', 1.5); update w set c199 = null, c7 = 'y'; delete from w;
