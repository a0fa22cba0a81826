delete from r where id = 1;
