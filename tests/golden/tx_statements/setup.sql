create table a (id int primary key, v text); create table b (id int primary key, a int references a on delete cascade on update cascade); create table "C" (v text);
