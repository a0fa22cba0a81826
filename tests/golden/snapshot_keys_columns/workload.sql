insert into t1 values (9, 'z', 1, null, null); update s2.t1 set c = 8;
