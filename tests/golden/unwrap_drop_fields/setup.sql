create table customers (id int primary key, name varchar(50) not null, email text default 'none', score int);
create table full_row (id int primary key, v text, n numeric(8,2));
alter table full_row replica identity full;
