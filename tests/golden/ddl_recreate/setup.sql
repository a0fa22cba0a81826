create table t (id int primary key, a text); create type mood as enum ('a', 'b'); create table e (id int primary key, m mood);
