create table t (id int primary key, a int default 5, b text not null default 'x', c timestamptz default now());
