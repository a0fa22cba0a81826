create table t (id int primary key, a int, b varchar(5), c timestamp, d numeric(5,2), e text, f int not null, g bool);
