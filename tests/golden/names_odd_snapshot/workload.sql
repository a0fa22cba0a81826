insert into _u values (2);
