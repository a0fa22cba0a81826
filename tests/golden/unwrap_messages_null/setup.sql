create table d (id int primary key, i int default 5, t text default 'deflt', b boolean default true, n numeric(6,2) default 1.5, inn int not null default 6);
alter table d replica identity full;
create table k (id int primary key, i int default 5, inn int not null default 6, z int not null);
