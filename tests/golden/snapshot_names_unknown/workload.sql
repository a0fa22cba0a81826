insert into un select 2, c, n, na, x, l, m, iv, ov, b, ts from un; delete from un;
