create table t (id int primary key, a text, b text, c text, j jsonb, n numeric(5,2), f float8); alter table t replica identity full; create table d (id int primary key, a text);
