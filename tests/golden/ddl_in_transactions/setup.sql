create table t (id int primary key, a int, b text); create table u (id int primary key, v text);
