insert into "odd-name" values (1, 'x');
delete from "odd-name";
