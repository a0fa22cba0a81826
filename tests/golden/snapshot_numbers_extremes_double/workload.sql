delete from n;
