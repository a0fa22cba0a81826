insert into e values (1, 'a', '{a,b}');
select pg_sleep(0.8); alter type mood add value 'c' after 'a'; select pg_sleep(0.8);
insert into e values (2, 'c', '{c}');
select pg_sleep(0.8); alter type mood rename value 'b' to 'bb'; alter table e add x int; select pg_sleep(0.8);
insert into e values (3, 'bb', '{bb,c}', 1); update e set m = 'c' where id = 1;
