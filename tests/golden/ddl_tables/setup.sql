create table a (id int primary key, v text); create schema s2; create schema s3; create table s2.b (id int primary key, v text);
