delete from j where id = 1;
