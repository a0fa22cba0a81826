insert into keep_a values (1, 'x'); insert into drop_a values (1, 'x');
select pg_sleep(0.6); alter table drop_a rename to keep_b; alter table keep_a rename to gone_a; select pg_sleep(0.6); insert into keep_b values (2, 'kb'); insert into gone_a values (2, 'ga');
select pg_sleep(0.6); create table keep_c (id int primary key, secret text, v text); select pg_sleep(0.6); insert into keep_c values (1, 's', 'v');
select pg_sleep(0.6); alter table keep_c rename secret to open; alter table keep_c add secret int; select pg_sleep(0.6); insert into keep_c values (2, 's', 'v', 3);
