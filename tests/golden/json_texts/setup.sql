create table j (id int primary key, a json, b jsonb, aj json[], ab jsonb[], x xml, t text); alter table j replica identity full;
