insert into t values (1, 'x'); update t set a = 'y'; update t set id = 2; delete from t; insert into u values (1, 2); insert into v values (1, 2); update v set a = 3; delete from v;
