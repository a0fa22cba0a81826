insert into m values (12.345, -0.01, null, 1.5), (0, 92233720368547758.07, 5, -0.1); update m set id = 1 where id = 0::money; delete from m;
