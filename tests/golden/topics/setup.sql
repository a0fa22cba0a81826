create table "a.b c$d" (id int primary key); create table "Ünï" (id int primary key); create schema "x.y"; create table "x.y"."z-z_z" (id int primary key);
