create table b (id int primary key, t text);
create table a (id int primary key);
create table nothing (id int primary key);
create schema s;
create table s.c (id int primary key);
insert into a select generate_series(1, 3);
insert into b values (1, 'x');
insert into s.c values (7);
