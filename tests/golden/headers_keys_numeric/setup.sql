create table k (a numeric(5,2), b numeric, c float8, d real, e bigint, primary key (a, b, c, d, e)); create table c (a text primary key);
