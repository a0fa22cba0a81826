insert into t (v) values ('x'); delete from t;
