create table a (id int primary key, v text); create table b (id int primary key, a int references a (id) on delete set null on update cascade); create table l (n text);
