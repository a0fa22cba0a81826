-- database: encoding 'EUC_JP' template template0 lc_collate 'C' lc_ctype 'C'
create type mood as enum ('良い', '悪い');
create table "注文" ("番号" int primary key, "名前" varchar(4) not null default '無名', j json, ta text[], m mood);
alter table "注文" replica identity full;
insert into "注文" values (1, '日本語', '{"鍵": "値"}', '{あ,い}', '良い');
create table k (id text primary key, v text);
