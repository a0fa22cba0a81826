insert into t values (1, 'a', 2, 'c'); update t set a = 'b'; update t set id = 2; delete from t; insert into u values (1, 'x', 'y'); update t set c = 'z';
