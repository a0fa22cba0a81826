insert into p values (1, 1, 'a'), (2, 10, 'b'), (3, 99, 'c'); update p set k = 11 where id = 1; update p set v = 'z' where id = 2; delete from p where id = 3;
select pg_sleep(0.6); alter table p detach partition p1; select pg_sleep(0.6); insert into p1 values (7, 7, 'alone');
insert into par values (1, 'p'); insert into chi values (2, 'c', 'w'); update par set v = 'x'; delete from par;
