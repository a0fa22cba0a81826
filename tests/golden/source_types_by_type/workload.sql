insert into t (id) values (1); insert into s.u (v) values ('x');
