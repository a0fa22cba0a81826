insert into t (id, t) values (4, 'stream'); update t set t = 'changed' where id = 1; delete from t where id = 2;
