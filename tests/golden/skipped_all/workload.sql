insert into t values (1, 'a'); update t set a = 'b'; update t set id = 2; delete from t; truncate t; select pg_logical_emit_message(true, 'a', 'b');
