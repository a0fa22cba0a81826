create table customers (id int primary key, name varchar(50) not null, email text default 'none', score int);
create table full_row (id int primary key, v text, n numeric(8,2));
alter table full_row replica identity full;
insert into customers values (100, 'Zoe', null, 3), (101, 'Yan', 'y@example.com', null), (102, 'X', 'x@example.com', null);
insert into full_row values (100, 'hundred', 100);
