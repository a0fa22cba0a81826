insert into k1 values ('00000000-0000-0000-0000-000000000001', '2020-01-01 00:00:00.000001', 1.5, 'x');
update k1 set v = 'y'; update k1 set n = 2.25; delete from k1;
insert into k2 values ('a', '\x01', 'Xy'); update k2 set e = 'b'; update k2 set c = 'xY'; delete from k2;
insert into k3 values (1, 1, 'a'); 
insert into k4 values (1, 1, 'a');
insert into k5 values (1, 2, 3, 'a'); update k5 set a = 9; update k5 set c = 8; update k5 set v = 'z'; delete from k5;
insert into k6b values ('2020-01-01', 1); insert into k6 values ('2020-01-01', 1); update k6 set a = '2020-01-02'; delete from k6;
insert into k7 (d, bo) values ('2020-01-01', true); update k7 set bo = false; delete from k7;
insert into "K 8" values (1, 'a', 'b', 'c'); update "K 8" set "Id" = 2; delete from "K 8";
