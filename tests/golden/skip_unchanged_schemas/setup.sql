create table t (id int primary key, a int, b text); alter table t replica identity full; create table d (id int primary key, a int);
