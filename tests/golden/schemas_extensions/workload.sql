insert into e values (1, 'a=>1,b=>NULL,"c d"=>"x\"y"', 'a.b.c', 'CaSe', '{a.b,c}', '{X,NULL}', '{"a=>1"}', '978-0-393-04002-9', 'a.*');
insert into e (id) values (2); update e set h = '' where id = 2; delete from e where id = 1;
