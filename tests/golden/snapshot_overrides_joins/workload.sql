insert into a values (20, 'x', 1);
