create table k (v int, a text, b numeric(5,2), c bytea, d timestamptz, e jsonb, f bool, g text[], primary key (a, b, c, d, e, f, g));
