begin; insert into a values (1, 'x'); savepoint s; insert into a values (2, 'y'); rollback to s; insert into a values (3, 'z'); insert into b values (1, 1), (2, 3); release s; update a set id = 10 where id = 1; insert into "C" values ('c'); commit;
begin; insert into a values (99, 'no'); rollback;
begin; delete from a where id = 3; truncate "C"; insert into "C" values ('d'); commit;
truncate a cascade;
begin; commit;
with x as (insert into a values (5, 'cte') returning id) insert into b select 7, 9 where false;
begin; insert into a values (6, '6'); select pg_logical_emit_message(true, 'p', 'in'); select pg_logical_emit_message(false, 'p', 'out'); delete from a where id = 6; commit;
insert into a values (1, 'one') on conflict (id) do update set v = 'two'; insert into a values (1, 'one') on conflict (id) do update set v = 'two';
merge into a using (values (1, 'm'), (20, 'n')) s(id, v) on a.id = s.id when matched then update set v = s.v when not matched then insert values (s.id, s.v);
