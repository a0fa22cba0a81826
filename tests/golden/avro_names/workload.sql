insert into "my-table" values (1, 'a', 2, 'u', 3, 'd', 4); update "my-table" set id = 2; insert into "s-1"."T.t" values (1, 'v'); delete from "s-1"."T.t";
