delete from a where id = 1;
