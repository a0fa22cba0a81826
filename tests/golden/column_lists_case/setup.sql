create table "Users" ("Id" int primary key, "Email" text, "passWord" text); create table orders (id int primary key, "Memo" text);
