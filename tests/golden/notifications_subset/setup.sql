create table zebra (id int primary key);
create table "Aß x" (id int primary key);
create table other (id int primary key);
create table part (id int primary key) partition by range (id);
create table part_1 partition of part for values from (0) to (10);
insert into zebra select generate_series(1, 2);
insert into "Aß x" values (1);
insert into other values (1);
insert into part values (1);
