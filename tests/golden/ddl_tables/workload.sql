insert into a values (1, 'x'); insert into s2.b values (1, 'y');
select pg_sleep(0.6); alter table a rename to a2; select pg_sleep(0.6); update a2 set v = 'z';
select pg_sleep(0.6); alter table a2 set schema s2; select pg_sleep(0.6); update s2.a2 set id = 5; delete from s2.a2;
select pg_sleep(0.6); alter schema s2 rename to s4; select pg_sleep(0.6); insert into s4.b values (2, 'in s4');
select pg_sleep(0.6); create table a (id bigint primary key, w numeric(4,1)); create table s3.c as select 1 id; select pg_sleep(0.6); insert into a values (1, 2.5); insert into s3.c values (2); 
select pg_sleep(0.6); drop table a; create table a (v text); select pg_sleep(0.6); insert into a values ('no key');
select pg_sleep(0.6); truncate a, s4.b; drop table a cascade; select pg_sleep(0.6); insert into s4.b values (3, 'last');
