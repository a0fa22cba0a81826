insert into d values (1, null, null, null, null, 1);
select pg_logical_emit_message(true, 'app', 'transactional');
