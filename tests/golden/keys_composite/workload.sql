insert into t values (1, 'b', '00000000-0000-0000-0000-000000000001', 'v'); update t set v = 'w'; update t set a = 2, b = 'x'; begin; update t set a = 3; update t set a = 4; delete from t; commit;
insert into s values (1, 2, 3.5, '2020-01-01', true, '\x01', 'ab', '2020-01-01 00:00:00+00', 1); update s set v = 2; update s set g = 'abcd', e = false; delete from s;
