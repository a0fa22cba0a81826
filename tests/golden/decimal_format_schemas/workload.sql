insert into t values (1.5, 2, 3.10, 4, '{1.5}'); insert into t (id) values (2); update t set id = 3 where id = 2; delete from t;
