delete from a where id = 3;
