-- The demo's shop, and what Headwater needs of a database: a user that may replicate and read, and a publication.
CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE products (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL,
    stock integer NOT NULL
);

CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'cancelled');

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status order_status NOT NULL DEFAULT 'new',
    note jsonb,
    ordered_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE order_lines (
    order_id bigint REFERENCES orders ON DELETE CASCADE,
    product_id integer REFERENCES products,
    quantity integer NOT NULL,
    PRIMARY KEY (order_id, product_id)
);
CREATE INDEX ON order_lines (product_id);

INSERT INTO customers (name, email)
SELECT 'Customer ' || n, 'customer' || n || '@shop.example' FROM generate_series(1, 1000) AS n;
INSERT INTO products (name, price, stock)
SELECT 'Product ' || n, round((random() * 200 + 1)::numeric, 2), 100000 FROM generate_series(1, 200) AS n;

CREATE ROLE headwater LOGIN REPLICATION PASSWORD 'demo';
GRANT USAGE ON SCHEMA public TO headwater;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO headwater;
CREATE PUBLICATION headwater_shop FOR TABLE customers, products, orders, order_lines;
