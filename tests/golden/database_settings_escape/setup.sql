do $$ begin
 execute format('alter database %I set intervalstyle to ''postgres_verbose''', current_database());
 execute format('alter database %I set datestyle to ''Postgres, MDY''', current_database());
 execute format('alter database %I set timezone to ''America/New_York''', current_database());
 execute format('alter database %I set extra_float_digits to ''3''', current_database());
 execute format('alter database %I set search_path to ''s2, public''', current_database());
 execute format('alter database %I set standard_conforming_strings to ''off''', current_database());
 execute format('alter database %I set default_transaction_isolation to ''serializable''', current_database());
 execute format('alter database %I set row_security to ''off''', current_database());
 execute format('alter database %I set lc_messages to ''C''', current_database());
end $$;
create schema s2; create table s2.z (id timestamptz primary key, d date, iv interval, b bytea, tz timestamptz not null default '2020-05-06 07:08:09.5+00', f real, g float8); create table public.z (id int primary key);
