delete from h;
