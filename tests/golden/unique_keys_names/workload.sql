insert into a values (1, 2, 3), (2, null, 4); insert into b values (1, 2, 5), (null, 3, 1); insert into c values (1, 2); insert into d values (1, 2), (null, null); insert into e values (1, 2, 3);
