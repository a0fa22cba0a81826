create type m1 as enum ('x'); create table t (id int primary key);
