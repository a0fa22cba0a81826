create extension hstore; create table e (id int primary key, h hstore not null default 'a=>1', h2 hstore, ha hstore[]);
