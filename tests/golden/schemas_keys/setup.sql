create type mood as enum ('a','b'); create extension if not exists citext;
create table k1 (u uuid, ts timestamp, n numeric(6,2), v text, primary key (n, u, ts));
create table k2 (e mood, b bytea, c citext, primary key (e, c));
create table k3 (a int, b int not null, v text); create unique index k3u on k3 (b); 
create table k4 (a int, b int, v text); create unique index on k4 ((a+b));
create table k5 (a int not null, b int not null, c int not null, v text, unique (a), unique (b, c)); alter table k5 replica identity full;
create table k6 (a date primary key, v int); create table k6b (a date primary key deferrable initially deferred, v int);
create table k7 (id bigint generated always as identity primary key, d date not null, j jsonb not null default '{}', t text[] not null default '{}', n numeric not null default 0, bo bool not null, u uuid not null default '00000000-0000-0000-0000-000000000000', tz timestamptz not null default '2020-01-01 00:00+00', i interval not null default '0', by bytea not null default '', x xml not null default '<a/>', ip inet not null default '::1', pt point not null default '(1,1)', f real not null default 1, ti time not null default '00:00', e mood not null default 'b', bt bit(4) not null default B'1001', r int4range not null default 'empty');
create table "K 8" ("Id" int primary key, "select" text, "a.b" text, "ü" text);
