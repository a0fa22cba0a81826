create table t (id int primary key, a text); create table u (a int, b int); create table v (id int primary key, a int); alter table v replica identity full;
