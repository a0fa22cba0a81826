create table c (id text primary key, v text, j json, h text);
