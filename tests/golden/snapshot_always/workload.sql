insert into a values (3, 'streamed');
update a set t = 'y' where id = 1;
delete from b where id = 1;
