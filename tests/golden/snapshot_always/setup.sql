create table a (id int primary key, t text);
create table b (id int primary key);
insert into a values (1, 'x'), (2, null);
insert into b values (1);
