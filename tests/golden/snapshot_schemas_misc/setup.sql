create type mood as enum ('sad', 'it''s ok', 'ü');
create domain dm as mood; create domain di as int check (value > 0); create domain dd as di; create domain dn as numeric(6,2); create domain dv as varchar(7); create domain dts as timestamp(3);
create type comp as (a int, b text);
create table m (id uuid primary key default '00000000-0000-0000-0000-000000000001', e mood default 'sad', de dm, i di default 3, j dd, dn dn, dv dv, dts dts, c comp, em mood[], js json default '{"a": 1}', jb jsonb default '[1, 2]', x xml, u uuid, ip inet, ci cidr, ma macaddr, ma8 macaddr8, bo bool default true, bn bool not null default false, by bytea default '\x0102', b1 bit(1) default B'1', b3 bit(3), vb bit varying(5), vbu bit varying, c1 "char", c5 char(5) default 'ab', v10 varchar(10) default 'it''s', vu varchar, tv tsvector, r4 int4range, r8 int8range, rn numrange, rd daterange, rt tsrange, rz tstzrange, pt point, ln line, ls lseg, bx box, pa path, po polygon, ci2 circle);

insert into m default values;
insert into m values ('123e4567-e89b-12d3-a456-426614174000', 'it''s ok', 'ü', 1, 2, 1.50, 'dv', '2020-01-01 00:00:00.123', '(1,x)', '{sad,"it''s ok"}', ' { "b" : 1, "a" : [ 1.0, 1e5 ] } ', '{"b": 1.10, "a": {"é": null}}', '<a b="c">é</a>', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', null, true, '\xdeadbeef00', B'0', B'011', B'10101', B'100000001', 'x', 'abc', 'é"\', E'tab\tnl\n\u2028', 'fat:1A cat:2', '[1,5)', '(,10]', '[1.5,2.50]', '[2020-01-01,2020-02-01)', '[2020-01-01 00:00,infinity)', '["2020-01-01 00:00+02",)', '(1.5,-2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(1,2),3>');
insert into m (id, r4, r8, rn, ip, by, vb, c5, v10, jb, x) values ('00000000-0000-0000-0000-000000000002', 'empty', '[1,1]', '(,)', '::1', '', '', '', '', 'null', '');
update m set e = 'ü', bo = false where id = '00000000-0000-0000-0000-000000000001';
update m set id = '00000000-0000-0000-0000-000000000009' where id = '00000000-0000-0000-0000-000000000002';
delete from m where bo = false;
