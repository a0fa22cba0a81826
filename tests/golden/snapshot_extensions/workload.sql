delete from e;
