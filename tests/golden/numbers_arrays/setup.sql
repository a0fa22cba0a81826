create table n (id int primary key, a numeric(5,2)[], b numeric[], c real[], d float8[], e bigint[], f smallint[], g oid[], h numeric(3,0)[], i numeric(4,-2)[] );
