do $$ begin
 execute format('alter database %I set timezone to ''Asia/Kolkata''', current_database());
 execute format('alter database %I set datestyle to ''German, DMY''', current_database());
 execute format('alter database %I set lc_monetary to ''C''', current_database());
 execute format('alter database %I set xmloption to ''content''', current_database());
end $$;
create table z (id int primary key, d date default '2020-05-06', ts timestamp default '2020-05-06 07:08:09.5', tz timestamptz default '2020-05-06 07:08:09.5+00', tt timetz default '12:00+02', iv interval default '1 year 2 mons 3 days 04:05:06.7', b bytea default '\x00ff5c41', m money default 1234.5, dr daterange default '[2020-05-06,2020-05-09)', tr tsrange default '[2020-05-06 07:08:09.5,)', tzr tstzrange default '[2020-05-06 07:08:09.5+00,)', da date[], tsa timestamp[], tza timestamptz[], ba bytea[], x xml, f float8); insert into z (id, da, tsa, tza, ba, x, f) values (0, '{2020-05-06}', '{2020-05-06 07:08:09.5}', '{2020-05-06 07:08:09.5+00}', '{"\\x00ff5c41"}', '<a/>', 0.1);
