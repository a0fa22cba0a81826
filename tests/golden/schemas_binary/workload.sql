insert into b values (1, '\xfffefdfc', '\x3e3f', '{"\\xff"}'), (2, '', '\xff', '{}'); delete from b where id = 1;
