create table t (id int primary key, a text, n int); alter table t alter a set storage external;
