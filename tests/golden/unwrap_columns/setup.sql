create extension if not exists hstore;
create type mood as enum ('sad', 'ok');
create domain dom as varchar(9);
create table t (id int primary key, b boolean default true, i2 smallint, i4 int not null default 4, i8 bigint, f4 real, f8 double precision, n numeric(8,2) default 1.5, d date, t3 time(3), t6 time, ts3 timestamp(3), ts timestamp, tz timestamptz default '2020-01-01 00:00:00+00', ttz timetz, iv interval, by bytea, vc varchar(10) default 'v', c5 char(5), js jsonb, u uuid, ip inet, ba bit(1), bits bit(12), e mood default 'ok', ai int[], at text[] default '{a}', an numeric(6,2)[], h hstore, dm dom default 'dd', mn money);
alter table t replica identity full;
create table k (id int primary key, b boolean not null, n numeric(8,2) not null, vc varchar(10) not null, ts timestamp not null, at text[] not null, u uuid, i4 int);
