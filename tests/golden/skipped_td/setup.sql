create table t (id int primary key, v text); create table u (id int primary key); create table nk (v text); alter table nk replica identity full;
