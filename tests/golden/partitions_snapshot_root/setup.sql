create table p (id int, k int, v text default 'd', primary key (id, k)) partition by range (k); create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20) partition by list (id); create table p2a partition of p2 for values in (1, 2, 3); create table p2d partition of p2 default; alter table p1 replica identity full;
create table px (v text, k int not null, id int not null, primary key (id, k));
insert into p values (1, 1, 'a'), (2, 12, 'b'), (7, 13, 'c'); create table other (id int primary key); insert into other values (1);
