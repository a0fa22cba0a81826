insert into d (id, b, p, q, r, u) values (1, 1, '2020-01-01', '2020-01-01', '2020-01-01 00:00+00', '00000000-0000-0000-0000-000000000000');
insert into d (id, a, b, c, e, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, a2, a3, a4, a5, a6, a7, a8, a9, b1, b2, b3, b4, b5, b6, b7, b8, b9, c1, c2) values (2, null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
delete from d where id = 1;
