insert into zebra values (4);
