begin; insert into t values (1, 'p'); prepare transaction 'one'; insert into t values (2, 'between'); commit prepared 'one'; begin; insert into t values (3, 'no'); prepare transaction 'two'; rollback prepared 'two'; 
begin; savepoint a; insert into t values (4, 'a'); savepoint b; insert into t values (5, 'b'); rollback to a; insert into t values (6, 'c'); release a; commit;
do $$ begin for i in 10..20 loop begin insert into t values (i, 'loop'); if i % 3 = 0 then raise exception 'x'; end if; exception when others then null; end; end loop; end $$;
