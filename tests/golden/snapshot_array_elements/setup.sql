create type mood as enum ('a', 'b c'); create domain dint as int;
create table a (id int primary key, b bool[], c char(3)[], v varchar(4)[], t text[] default '{x,"y z"}', by bytea[], u uuid[], j json[], jb jsonb[], ip inet[], ci cidr[], ma macaddr[], e mood[], i int[] not null default '{1,2}', da dint[], r4 int4range[], nr numrange[], ct "char"[], x xml[], ts tsvector[], p point[], rd daterange[], rz tstzrange[]);
insert into a (id) values (1);
insert into a values (2, '{t,f,NULL}', '{a,bcd,NULL}', '{"a b",NULL,"NULL","","\"q\\"}', '{"{x}","a,b",NULL}', '{"\\x01",NULL}', '{123e4567-e89b-12d3-a456-426614174000,NULL}', '{"{\"a\": 1}",NULL}', '{"[1, 2]",NULL}', '{10.0.0.1/8,NULL,::1}', '{10.0.0.0/8}', '{08:00:2b:01:02:03}', '{a,"b c"}', '{}', '{1,NULL}', '{"[1,3)",empty}', '{"[1.5,2]"}', '{a,b}', '{<a/>}', '{a:1}', '{"(1,2)"}', '{"[2020-01-01,2020-01-05)"}', '{"[2020-01-01 00:00+00,)"}');
insert into a (id, i, t) values (3, '[0:2]={7,8,9}', '{}');
update a set i = i || 5, t = array_append(t, 'é') where id = 2;
delete from a where id = 2;
