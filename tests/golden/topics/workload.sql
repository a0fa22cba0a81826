insert into "a.b c$d" values (1); insert into "Ünï" values (1); insert into "x.y"."z-z_z" values (1);
