insert into t values (1, 'a');
select pg_logical_emit_message(true, 'app', 'transactional');
truncate t;
select pg_sleep(0.7);
insert into t values (2, 'b');
delete from t;
