insert into g (a, v) values (2, 'y'); insert into h (id, t, u) values (2, null, null);
