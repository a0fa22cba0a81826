insert into t values (1, '€‚ƒ„…†‡ˆ‰Š‹ŒŽ', '€', '\x80ff', '{“”,•}', 'žŸ');
update t set v = '™š›œ' || repeat('€', 20);
select pg_logical_emit_message(false, 'euro', '€');
delete from t;
