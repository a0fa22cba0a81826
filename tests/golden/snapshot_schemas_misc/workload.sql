insert into m default values;
