create table a1 (id int primary key, v text); create table a2 (id int, v text); create table b1 (id int primary key); create schema s; create table s.a1 (id int primary key);
