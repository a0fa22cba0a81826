-- Recorded from PostgreSQL 15 with pgvector 0.8; these types of the same names print the same texts.
create type vector;
create function vector_in(cstring) returns vector language internal immutable strict as 'textin';
create function vector_out(vector) returns cstring language internal immutable strict as 'textout';
create type vector (input = vector_in, output = vector_out, delimiter = ',', storage = extended);
create type halfvec;
create function halfvec_in(cstring) returns halfvec language internal immutable strict as 'textin';
create function halfvec_out(halfvec) returns cstring language internal immutable strict as 'textout';
create type halfvec (input = halfvec_in, output = halfvec_out, delimiter = ',', storage = extended);
create type sparsevec;
create function sparsevec_in(cstring) returns sparsevec language internal immutable strict as 'textin';
create function sparsevec_out(sparsevec) returns cstring language internal immutable strict as 'textout';
create type sparsevec (input = sparsevec_in, output = sparsevec_out, delimiter = ',', storage = extended);
create table vec (id int primary key, v vector, nn vector not null, h halfvec, s sparsevec, va vector[]);
alter table vec replica identity full;
create table vec_plain (id int primary key, v vector not null, h halfvec not null, s sparsevec, note text);
create table vec_toast (id int primary key, v vector, note text);
alter table vec_toast alter v set storage external;
