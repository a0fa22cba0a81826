insert into "my-table" values (1, 'a', 2, 'u'); update "my-table" set id = 2; delete from "my-table";
