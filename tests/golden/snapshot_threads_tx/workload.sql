insert into y values (1);
