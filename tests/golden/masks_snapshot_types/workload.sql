delete from mf;
