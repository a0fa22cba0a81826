insert into t values (1, null, 'b', null); insert into t (id, c) values (2, '2020-01-01 00:00+00'); delete from t;
