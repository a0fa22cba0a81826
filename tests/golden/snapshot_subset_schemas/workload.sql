insert into audit_log values (2, null);
