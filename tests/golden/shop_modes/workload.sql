insert into customer (id, email, name, created_at) values (1, 'Ada@Example.org', 'Ada', '2024-05-01 10:00:00+02'), (2, 'bob@example.org', 'Bob', '2024-05-01 10:00:00.5+02');
insert into product values ('A-1', 'Chair', 49.90, '{"color": "red"}', 5.5, '[2024-01-01,)'), ('B-2', 'Täble', 149, null, null, null);
begin; insert into orders (id, customer_id, net) values ('00000000-0000-0000-0000-0000000000aa', 1, 249.70); insert into order_line select '00000000-0000-0000-0000-0000000000aa', n, case n when 1 then 'A-1' else 'B-2' end, n from generate_series(1, 2) n; update customer set balance = balance - 299.64, tags = tags || array['buyer'] where id = 1; commit;
update orders set status = 'paid', note = 'x' where customer_id = 1; update order_line set qty = qty + 1; update order_line set no = no + 10 where no = 1;
insert into customer (id, email, name, created_at) values (1, 'dup@x', 'dup', '2024-05-01 10:00:00+02') on conflict (id) do update set name = excluded.name, prefs = '{"a": [1, null]}';
delete from orders; update product set sku = 'A-2' where sku = 'A-1'; delete from customer where id = 2;
