insert into t (id, e, h, k, r, s) values (1, 'x', 1.5, '00000000-0000-0000-0000-000000000001', '(1,2)', '::1'); update t set id = 2; delete from t;
