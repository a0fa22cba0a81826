create table t (id int primary key, a text, b int, c text); create table u (k int, x text, y text);
