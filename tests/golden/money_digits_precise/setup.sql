create table m (id money primary key, a money not null, b money default 1.005, c numeric(4,1) not null, d money not null default -2.345);
