create table "my-table" (id int primary key, "a-b" text, "1st" int, "ü" text, "x y" int, "$d" text, "_ok" int); create schema "s-1"; create table "s-1"."T.t" ("I-d" int primary key, v text);
