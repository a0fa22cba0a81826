insert into t (e) values (1); delete from t;
