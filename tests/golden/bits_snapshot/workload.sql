update b set l = null; delete from b;
