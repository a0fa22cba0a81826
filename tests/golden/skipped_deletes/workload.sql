insert into t values (1, 'a'); update t set id = 2; delete from t; begin; insert into t values (5, 'x'); update t set id = 6; delete from t; commit;
