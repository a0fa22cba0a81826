create table t (id numeric(6,2) primary key, n numeric(10,4) default 1.5, v numeric, m money, na numeric(4,1)[]);
