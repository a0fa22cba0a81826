-- One customer's visit, for pgbench: an order of two products, often paid, sometimes cancelled and removed later.
\set customer random(1, 1000)
\set first random(1, 100)
\set second random(101, 200)
\set fate random(1, 10)
BEGIN;
INSERT INTO orders (customer_id, note) VALUES (:customer, '{"channel": "web"}') RETURNING id AS order_id \gset
INSERT INTO order_lines VALUES (:order_id, :first, 1), (:order_id, :second, 2);
UPDATE products SET stock = stock - 1 WHERE id = :first;
UPDATE products SET stock = stock - 2 WHERE id = :second;
COMMIT;
\if :fate > 2
UPDATE orders SET status = 'paid' WHERE id = :order_id;
\else
DELETE FROM orders WHERE id = :order_id;
\endif
