-- database: encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'
create table t (id int primary key, v text, c char(3), j jsonb, ta text[]);
