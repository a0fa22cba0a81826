create extension citext; create extension ltree; create extension hstore;
create table t (id int primary key, v numeric(5,2)); create table u (id uuid primary key, v hstore);
