create table customers (id int primary key, name varchar(50) not null, email text default 'none', score int, secret text, big text);
create table full_row (id int primary key, name text, score numeric(8,2), secret text, big text, at timestamptz default '2020-01-01 00:00:00+00', tags text[]);
alter table full_row replica identity full;
alter table customers alter big set storage external;
create table other (id int primary key, v text);
create table lower_op (id int primary key, op text, name text);
