create table a (id int primary key, i int[], t text[], b bytea[], n numeric(5,2)[], d date[], e float8[], u uuid[], j jsonb[], bo bool[], bi bigint[]);
