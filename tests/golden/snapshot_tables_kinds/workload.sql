insert into z values (3); insert into empty1 values (1);
