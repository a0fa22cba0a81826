insert into t select 1, repeat('x', 3000), 1; update t set id = 2; update t set n = 5; update t set id = 3, t = repeat('y', 3000); delete from t;
insert into f select 1, repeat('x', 3000), 1; update f set n = 2; update f set id = 2; update f set t = 's'; delete from f;
insert into u select 1, 'k', repeat('x', 3000); update u set a = 2; update u set b = 'k2'; update u set t = 's'; delete from u;
insert into nn values (1, 'a'); insert into nk values (1, null), (null, 'b');
