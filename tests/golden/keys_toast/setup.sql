create table t (id int primary key, t text, n int); alter table t alter t set storage external;
create table f (id int, t text, n int); alter table f alter t set storage external; alter table f replica identity full;
create table u (a int not null, b text not null, t text, unique (a)); alter table u alter t set storage external; create unique index u2 on u (b); alter table u replica identity using index u2;
create table nn (id int, v text); alter table nn replica identity nothing; create table nk (id int, v text);
