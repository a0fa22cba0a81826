create table keep_a (id int primary key, v text); create table drop_a (id int primary key, v text);
