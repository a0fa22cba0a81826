create table "my-table" (id int primary key, "a-b" text, "1st" int, "ü" text);
