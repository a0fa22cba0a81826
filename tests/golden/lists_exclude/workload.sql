insert into a values (1); insert into aa values (1); insert into "A" values (1); insert into s.a values (1); insert into public2.a values (1); insert into b_1 values (1); insert into b12 values (1);
