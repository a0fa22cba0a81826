//! Rows of random values of every type, and the functions that turn what an event says back into a value.

pub(super) const ROWS: usize = 120;

/// What the checks are made of: text of every kind, and the inverse of the forms that SQL has no cast for.
pub(super) const SETUP: &str = r#"
create extension hstore; create extension ltree; create extension citext;
create type mood as enum ('sad', 'ok', 'it''s');
create domain price as numeric(8,3); create domain price2 as price;
create type pair as (a int, b text);

create function chars(n int) returns text language sql volatile as $$
    select coalesce(string_agg(case when r < 0.7 then chr(1 + (r * 180)::int)
                                    when r < 0.9 then chr(161 + (r * 5000)::int) else chr(128512 + (r * 60)::int) end, ''), '')
    from (select random() r from generate_series(1, (random() * n)::int)) x $$;
create function micros(low interval, high interval) returns interval language sql volatile as $$
    select date_trunc('second', low + random() * (high - low)) + (random() * 999999)::int * interval '1 microsecond' $$;
create function unscaled(base64 text) returns numeric strict language plpgsql as $$
declare b bytea := decode(base64, 'base64'); n numeric := 0;
begin
    for i in 0 .. length(b) - 1 loop n := n * 256 + get_byte(b, i); end loop;
    return case when get_byte(b, 0) > 127 then n - 256::numeric ^ length(b) else n end;
end $$;
create function bits(base64 text) returns text language sql strict as $$
    select coalesce(string_agg(get_byte(b, i)::bit(8)::text, '' order by i desc), '')
    from (select decode(base64, 'base64') b) x, generate_series(0, length(b) - 1) i $$;
create function day(year int, month int, day int) returns date language sql as $$
    select make_date(case when year <= 0 then year - 1 else year end, month, day) $$;
create function iso_day(t text) returns date language sql as $$
    select case when t like '%infinity' then t::date
                else day(split_part(ltrim(t, '+-'), '-', 1)::int * case when t like '-%' then -1 else 1 end,
                         split_part(ltrim(t, '+-'), '-', 2)::int, rtrim(split_part(ltrim(t, '+-'), '-', 3), 'Z')::int) end $$;
create function iso_moment(t text) returns timestamp language sql as $$
    select case when t like '%infinity' then t::timestamp
                else iso_day(split_part(t, 'T', 1)) + rtrim(split_part(t, 'T', 2), 'Z')::interval end $$;
create function parts_day(j jsonb) returns date language sql as $$
    select case j->>'specialValue' when 'POSITIVE_INFINITY' then 'infinity'::date when 'NEGATIVE_INFINITY' then '-infinity'
           else day((j->>'year')::int, (j->>'month')::int, (j->>'day')::int) end $$;
create function parts_moment(j jsonb) returns timestamp language sql as $$
    select case j->>'specialValue' when 'POSITIVE_INFINITY' then 'infinity'::timestamp when 'NEGATIVE_INFINITY' then '-infinity'
           else day((j->>'year')::int, (j->>'month')::int, (j->>'day')::int)
                + make_interval(hours => (j->>'hour')::int, mins => (j->>'minute')::int, secs => (j->>'second')::int)
                + (j->>'nanos')::bigint / 1000 * interval '1 microsecond' end $$;
create function parts_micros(j jsonb) returns numeric language sql as $$
    select (((j->>'hour')::numeric * 60 + (j->>'minute')::int) * 60 + (j->>'second')::int) * 1000000 + (j->>'nanos')::int / 1000 $$;
create function float_at(b bytea, at int) returns float8 language plpgsql as $$
declare
    high int := get_byte(b, at + 7); next int := get_byte(b, at + 6); mantissa bigint := next & 15; exponent int;
begin
    for i in reverse 5 .. 0 loop mantissa := mantissa * 256 + get_byte(b, at + i); end loop;
    exponent := (high & 127) * 16 + next / 16;
    if exponent = 0 then return 0; end if;
    return (case when high > 127 then -1 else 1 end) * (1 + mantissa::float8 / 4503599627370496) * 2::float8 ^ (exponent - 1023);
end $$;
create function points(j jsonb) returns point[] language sql as $$
    select array(select point(float_at(b, at), float_at(b, at + 8))
                 from generate_series(case get_byte(b, 1) when 3 then 13 else 9 end, length(b) - 16, 16) at order by at)
    from (select decode(j->>'wkb', 'base64') b) x $$;
create function wkb_path(j jsonb) returns text language sql as $$
    select (case when closed then '(' else '[' end || array_to_string(points(j), ',') || case when closed then ')' else ']' end)::path::text
    from (select (j->'extensions'->>'closed')::boolean closed) x $$;
create function wkb_polygon(j jsonb) returns text language sql as $$
    select ('(' || array_to_string(trim_array(points(j), 1), ',') || ')')::polygon::text $$;
create function texts(j jsonb) returns text[] language sql as $$ select array(select jsonb_array_elements_text(j)) $$;

create table t (id int primary key, b boolean, i2 smallint, i4 int, i8 bigint, o oid, r real, d double precision, n numeric,
    n82 numeric(8,2), dom price2, m money, y bytea, bt bit(11), vb varbit(20), da date, t3 time(3), t6 time, tz timetz,
    ts3 timestamp(3), ts timestamp, tstz timestamptz, tstz0 timestamptz(0), iv interval, tx text, vc varchar(20), ch char(5),
    ci citext, na name, en mood, js json, jb jsonb, u uuid, x xml, ine inet, cid cidr, mac macaddr, lt ltree, tv tsvector, h hstore,
    i4r int4range, nr numrange, tsr tsrange, tzr tstzrange, dr daterange, p point, ia int[], ta text[], na_a name[], ea mood[],
    ba bit(3)[], tzs timestamptz[], doms price2[], ivs interval[], iv2 int2vector, co pair, mr int4multirange, lsn pg_lsn, n388 numeric(38,8), n50 numeric(5), nn numeric(5,-2),
    bt1 bit(1), vbu varbit, bp bpchar, c1 "char", mac8 macaddr8, i8r int8range, t0 time(0), ts0 timestamp(0), tstz3 timestamptz(3),
    iv3 interval(3), ivym interval year to month, ln line, ls lseg, bx box, pa path, po polygon, cir circle, lb int[]);

do $$
declare c record; arrays text := ''; domains text := ''; as_arrays text := ''; as_domains text := '';
begin
    for c in select attname n, format_type(atttypid, atttypmod) ty from pg_attribute join pg_type y on y.oid = atttypid
             where attrelid = 't'::regclass and attnum > 1 and typcategory <> 'A' and typname <> 'int2vector' order by attnum loop
        execute format('create domain d1_%1$s as %2$s; create domain d2_%1$s as d1_%1$s; create domain da_%1$s as %2$s[]', c.n, c.ty);
        arrays := arrays || format(', x_%1$s %2$s, a_%1$s %2$s[], n_%1$s %2$s[], l_%1$s %2$s[]', c.n, c.ty);
        as_arrays := as_arrays || format(
            ', %1$s, array[%1$s, null, %1$s], array[array[%1$s, %1$s], array[null, %1$s]], array_fill(%1$s, array[2], array[5])', c.n);
        domains := domains || format(', x_%1$s %2$s, d_%1$s d2_%1$s, e_%1$s da_%1$s', c.n, c.ty);
        as_domains := as_domains || format(', %1$s, %1$s, array[%1$s]', c.n);
    end loop;
    execute 'create table arrays (id int primary key' || arrays || '); create table domains (id int primary key' || domains || ')';
    execute format('create procedure spread() language sql as %L',
        format('insert into arrays select id %s from t; insert into domains select id %s from t', as_arrays, as_domains));
end $$;
"#;

#[allow(clippy::too_many_lines, reason = "a line for each column")]
/// A row of random values, many of them from the ends of their types.
pub(super) fn fill() -> String {
    let one_of =
        |values: &str| format!("(array[{values}])[1 + (random() * 100)::int % cardinality(array[{values}])]");
    let text = "chars(30)";
    let day = "date '4713-01-01 BC' + (random() * random() * 2000000000)::bigint::int % 2147000000";
    let near = "timestamp '1900-01-01' + micros('0', '150 years')";
    let far = "timestamp '4713-01-01 BC' + micros('0', '12000 years')";
    let here = "point((random() - 0.5) * 1e6, (random() - 0.5) * 1e3)";
    let around = format!("('[' || {here} || ',' || {here} || ',' || {here} || ']')::path");
    let special = |value: &str, others: &str| {
        format!("case when random() < 0.15 then {} else {value} end", one_of(others))
    };
    let columns = [
        "random() < 0.5".to_owned(),
        special("(random() * 60000 - 30000)::int::smallint", "'-32768'::smallint, 32767"),
        special("(random() * 4e9 - 2e9)::int", "-2147483648, 2147483647"),
        special("(random() * 1e18)::bigint", "'-9223372036854775808'::bigint, 9223372036854775807"),
        "(random() * 4294967295)::bigint::oid".to_owned(),
        special(
            "((random() - 0.5) * 10 ^ (random() * 60 - 30))::real",
            "'NaN'::real, 'Infinity', '-0', 1e-45, 3.4028235e38",
        ),
        special(
            "(random() - 0.5) * 10 ^ (random() * 500 - 250)",
            "'NaN'::float8, '-Infinity', '-0', 5e-324, 0.1::float8 + 0.2",
        ),
        special(
            "((random() - 0.5)::numeric * 10::numeric ^ (random() * 60 - 30)::int)",
            "'NaN'::numeric, 'Infinity', '-Infinity', 0, 1.10, 1e100",
        ),
        special("((random() - 0.5) * 999999)::numeric(8,2)", "0::numeric(8,2), 999999.99, -999999.99"),
        "((random() - 0.5) * 99999)::numeric(8,3)".to_owned(),
        "((random() - 0.5) * 1e9)::numeric(20,2)::money".to_owned(),
        "decode(md5(random()::text), 'hex')".to_owned(),
        "((random() * 2047)::int)::bit(11)".to_owned(),
        "((random() * 1000000)::int)::bit(20)::varbit(20)".to_owned(),
        special(day, "'infinity'::date, '-infinity', '0001-12-31 BC', '5874897-12-31', '9999-12-31'"),
        special("(micros('0', '24 hours'))::time(3)", "'24:00'::time(3), '00:00'"),
        special("(micros('0', '24 hours'))::time", "'24:00'::time, '00:00', '23:59:59.999999'"),
        special(
            "(micros('0', '24 hours'))::time::timetz",
            "'12:00+05:45'::timetz, '00:00-14', '23:59:59.999999+01'",
        ),
        special(
            near,
            "'infinity'::timestamp, '-infinity', '0044-03-15 12:34:56.789 BC', '12345-06-07 08:09:10.111'",
        ),
        special(far, "'infinity'::timestamp, '-infinity', '1970-01-01', '2262-04-11 23:47:16.854775'"),
        special(
            &format!("({far}) at time zone 'UTC'"),
            "'infinity'::timestamptz, '-infinity', '1970-01-01 00:00+00'",
        ),
        format!("({near}) at time zone 'UTC'"),
        special(
            "make_interval((random() * 40 - 20)::int, (random() * 30 - 15)::int, 0, (random() * 60 - 30)::int, 0, 0, 0) + micros('-30 hours', '30 hours')",
            "'0'::interval, '1.235 s', '-1 mon +1 day -00:00:00.000001', '290000 years'",
        ),
        text.to_owned(),
        "left(chars(20), 20)".to_owned(),
        "left(chars(5), 5)".to_owned(),
        text.to_owned(),
        "left(md5(random()::text), 20)::name".to_owned(),
        one_of("'sad'::mood, 'ok', 'it''s'"),
        "json_build_object(chars(5), chars(5), 'n', random())".to_owned(),
        "jsonb_build_array(chars(5), null, random() * 1e20)".to_owned(),
        "gen_random_uuid()".to_owned(),
        "xmlelement(name x, md5(random()::text))".to_owned(),
        special("('10.1.2.' || (random() * 255)::int)::inet", "'::1'::inet, '10.0.0.0/8', '2001:db8::/32'"),
        one_of("'10.0.0.0/8'::cidr, '::/0'"),
        one_of("'08:00:2b:01:02:03'::macaddr, 'ff:ff:ff:ff:ff:ff'"),
        one_of("'Top.Science'::ltree, ''"),
        "to_tsvector('simple', chars(40))".to_owned(),
        "hstore(array['a', chars(5), 'q\"\\'], array[chars(5), null, ''])".to_owned(),
        one_of("'[1,5)'::int4range, 'empty', '(,)'"),
        one_of("'[1.5,2.50]'::numrange, '(,5]'"),
        format!("tsrange({near}, null)"),
        format!("tstzrange(null, ({near}) at time zone 'UTC')"),
        one_of("'[2024-01-01,2024-02-01]'::daterange, '[2024-01-01,infinity)'"),
        "point((random() - 0.5) * 1e10, random())".to_owned(),
        format!("{}::int[]", one_of("'{}', '{1,NULL,3}', '{{1,2},{3,NULL}}', '{{{1}},{{2}}}'")),
        "array[chars(8), null, 'NULL', '', '{\"a\\b,}']".to_owned(),
        "array[left(md5(random()::text), 9)::name, null]".to_owned(),
        format!("{}::mood[]", one_of("'{sad,NULL,\"it''s\"}', '{}'")),
        format!("{}::bit(3)[]", one_of("'{101,NULL}', '{000}'")),
        format!("array[({near}) at time zone 'UTC', null, '-infinity']"),
        "array[((random() - 0.5) * 999)::numeric(8,3), null]::price2[]".to_owned(),
        format!("{}::interval[]", one_of("'{1 day,NULL,-00:00:01.5}', '{}'")),
        one_of("'1 2 3'::int2vector, ''"),
        "row((random() * 99)::int, chars(9))::pair".to_owned(),
        one_of("'{[1,3),[5,8)}'::int4multirange, '{}'"),
        one_of("'16/B374D848'::pg_lsn, '0/0'"),
        special(
            "((random() - 0.5)::numeric * 1e29)::numeric(38,8) + (random() * 1e8)::bigint / 1e8",
            "0::numeric(38,8), 999999999999999999999999999999.99999999, -0.00000001",
        ),
        "((random() - 0.5) * 199998)::numeric(5)".to_owned(),
        "((random() - 0.5) * 1e7)::numeric(5,-2)".to_owned(),
        one_of("B'0'::bit(1), B'1'"),
        one_of("B'1'::varbit, B'101010101010101010101010101010101011', B'00000001'"),
        "(chars(4) || '  ')::bpchar".to_owned(),
        one_of(r#"'a'::"char", ' ', '', '\303'"#),
        one_of("'08:00:2b:01:02:03:04:05'::macaddr8, 'ff:ff:ff:ff:ff:ff:ff:ff'"),
        one_of("'[-9223372036854775808,5)'::int8range, 'empty', '(,)'"),
        special("(micros('0', '23 hours'))::time(0)", "'24:00'::time(0), '00:00'"),
        special(
            &format!("({near})::timestamp(0)"),
            "'infinity'::timestamp(0), '0001-01-01 BC', '9999-12-31'",
        ),
        format!("(({near}) at time zone 'UTC')::timestamptz(3)"),
        "micros('-30 hours', '30 hours')::interval(3)".to_owned(),
        "make_interval((random() * 40 - 20)::int, (random() * 30 - 15)::int)::interval year to month"
            .to_owned(),
        format!("line({here}, {here})"),
        format!("lseg({here}, {here})"),
        format!("box({here}, {here})"),
        format!("case when random() < 0.5 then popen({around}) else pclose({around}) end"),
        format!("polygon(pclose({around}))"),
        format!("circle({here}, random() * 100)"),
        format!("{}::int[]", one_of("'[0:1]={1,NULL}', '[-1:0][5:6]={{1,2},{3,4}}', '[3:3]={7}'")),
    ];
    // A seed holds for the session, and the insert is in the same one.
    format!("insert into t select i, {} from generate_series(1, {ROWS}) i; call spread()", columns.join(", "))
}
