create table t (a serial, b bigserial, c smallserial, d int generated always as identity, e bigint default 5, f int default nextval('t_a_seq'), primary key (b));
