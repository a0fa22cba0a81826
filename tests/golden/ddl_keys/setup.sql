create table t (id int primary key, k text not null, v int); create table u (a int not null, b int not null, v int); create unique index ub on u (b);
