create table t (id int primary key, a text, b text not null unique); create table u (id int, a text);
