insert into g (id, a) values (1, 5); update g set a = 6; delete from g; insert into gk (a, b) values (1, 'x'); insert into gv default values; update gv set id = 9; delete from gv;
