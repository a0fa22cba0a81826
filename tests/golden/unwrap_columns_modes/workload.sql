insert into t values (1, true, 1, 2, 3, 1.5, 2.5, 3.25, '2024-02-29', '01:02:03.456', '01:02:03.456789', '2024-02-29 01:02:03.456', '2024-02-29 01:02:03.456789', '2024-02-29 01:02:03.456789+01', '01:02:03+01', '1 day', '\xdeadbeef', 'vc"', 'c', '{"a": 1}', '123e4567-e89b-12d3-a456-426614174000', '10.0.0.1', B'1', B'101010101010', 'sad', '{1,null}', '{x,null}', '{1.50}', 'a=>1', 'dom', '12.34');
insert into t (id) values (2);
update t set n = null, vc = null, e = null, at = null, dm = null, tz = null, b = null where id = 1;
update t set id = 3 where id = 2;
delete from t;
insert into k values (1, true, 1.25, 'v', '2024-02-29 01:02:03', '{a}', null, null);
update k set b = false, i4 = 3 where id = 1;
update k set id = 2 where id = 1;
delete from k;
