insert into "Users" values (1, 'e', 'p'); insert into orders values (1, 'm'); update "Users" set "Email" = 'f'; delete from "Users";
