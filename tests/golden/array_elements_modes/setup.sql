create table a (id int primary key, t text[], i int[][], b bytea[], n numeric(5,2)[], d date[], ts timestamptz[]);
