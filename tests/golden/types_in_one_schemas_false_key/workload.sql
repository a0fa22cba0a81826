insert into t values (1, 1.5); update t set id = 2; delete from t; insert into u values ('00000000-0000-0000-0000-000000000001', 'a=>1'); delete from u;
