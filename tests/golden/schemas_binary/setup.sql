create table b (id int primary key, a bytea, k bytea not null default '\x00', ba bytea[]);
