create table z (id int primary key); create table y (id int primary key); insert into z values (1);
