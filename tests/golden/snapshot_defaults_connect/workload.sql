delete from d where id = 1;
