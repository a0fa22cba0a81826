create table "odd-name" (id int primary key, "a b" text);
