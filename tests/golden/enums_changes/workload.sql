insert into e (id) values (1); insert into ek values ('a', 1);
select pg_sleep(0.6); alter type m add value 'c' before 'a'; select pg_sleep(0.6); insert into e values (2, 'c', '{c,a}', 'c'); insert into ek values ('c', 2);
select pg_sleep(0.6); alter type m add value 'it''s, "q"'; alter table e add x int; alter table ek add x int; select pg_sleep(0.6); insert into e values (3, 'it''s, "q"', array['it''s, "q"', 'b']::m[], null, 1); insert into ek values ('it''s, "q"', 3); update e set m = 'b'; update ek set m = 'b' where m = 'c'; delete from e; delete from ek;
