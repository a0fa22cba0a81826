insert into d values (1, null, null, null, null, 1);
insert into d (id) values (2);
update d set i = null, t = null where id = 2;
delete from d;
insert into k values (1, null, 7, 8), (2, 3, 4, 5);
update k set i = null where id = 2;
update k set id = 3 where id = 2;
delete from k;
