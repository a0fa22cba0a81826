insert into t values (1, repeat('x', 3000), 1); update t set n = 2; select pg_sleep(0.6); alter table t add b int default 5; select pg_sleep(0.6); update t set n = 3;
