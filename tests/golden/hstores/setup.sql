create extension hstore; create table h (id int primary key, a hstore, b hstore[], c hstore not null default 'k=>v', d hstore default 'a=>NULL'); alter table h replica identity full;
