insert into e values (1, 'b=>NULL,a=>"x y"', '', '{"a=>1"}'); update e set h2 = null; delete from e;
