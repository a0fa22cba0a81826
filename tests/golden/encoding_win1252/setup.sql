-- database: encoding 'WIN1252' template template0 lc_collate 'C' lc_ctype 'C'
create table t (id int primary key, v text, c char(3), b bytea, ta text[], h varchar(5));
