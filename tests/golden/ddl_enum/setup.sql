create type mood as enum ('a', 'b'); create table e (id int primary key, m mood, ms mood[]);
