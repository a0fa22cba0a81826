create table logs (at int, what text);
alter table logs replica identity full;
create table pairs (b text, a int, v text, primary key (a, b));
create table nullable_key (a int unique, v text);
alter table nullable_key replica identity full;
