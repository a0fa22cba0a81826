insert into d select 1 where false; insert into d (id, a, d, e, p, q, s, w, a1, b2, c8) values (1, null, null, null, null, null, null, null, null, null, null);
delete from d;
