delete from acct;
