insert into t values (1, '(1,x)', '{"(1,x)"}', '{1,2}', '{[1,2),[5,7)}', 'a & b', '0/16B3748', '5', '6', '(0,1)', 'pg_class', 'int4', 'nm', '{a}', '{1 day}', '{1.5}', '{<a/>}', '{"(1,2)"}', '{101}', '$.a', '10:20:10,14', '{a}', '{1}', '1 2', '3 4', '{a}', '(2,y)', '10:20:');
insert into t (id) values (2); update t set c = '(3,z)' where id = 2; delete from t where id = 1;
