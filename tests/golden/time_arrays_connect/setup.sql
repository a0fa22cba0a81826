create table a (id int primary key, t time[], t3 time(3)[], tz timetz[], ts timestamp[], ts3 timestamp(3)[], tsz timestamptz[], d date[]);
