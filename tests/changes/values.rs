//! Values of every type, at random, in every mode: what the event says, turned back into a value of the type by the server, is
//! what the server has. The inverse of each form is SQL, so nothing of the encoder is checked by itself.

use std::fmt::Write as _;
use std::fs;

use super::Pipeline;
use crate::support::DEADLINE;
use crate::support::daemon::Builder;

/// One value for each key that chooses a form.
struct Forms {
    decimal: &'static str,
    format: &'static str,
    time: &'static str,
    interval: &'static str,
    hstore: &'static str,
    binary: &'static str,
    money_digits: i64,
}

#[rustfmt::skip]
const FORMS: &[Forms] = &[
    Forms { decimal: "precise", format: "base64", time: "adaptive", interval: "numeric", hstore: "json", binary: "bytes", money_digits: 2 },
    Forms { decimal: "precise", format: "numeric", time: "adaptive_time_microseconds", interval: "string", hstore: "map", binary: "base64", money_digits: 5 },
    Forms { decimal: "double", format: "base64", time: "connect", interval: "numeric", hstore: "json", binary: "base64-url-safe", money_digits: 2 },
    Forms { decimal: "string", format: "base64", time: "isostring", interval: "string", hstore: "map", binary: "hex", money_digits: 2 },
    Forms { decimal: "precise", format: "base64", time: "microseconds", interval: "string", hstore: "json", binary: "bytes", money_digits: 3 },
    Forms { decimal: "precise", format: "numeric", time: "nanoseconds", interval: "numeric", hstore: "map", binary: "hex", money_digits: 2 },
    Forms { decimal: "string", format: "base64", time: "structured", interval: "numeric", hstore: "json", binary: "base64", money_digits: 2 },
];

#[test]
fn events_say_what_the_server_has_in_the_first_two_sets_of_forms() {
    round_trip(&FORMS[..2]);
}

#[test]
fn events_say_what_the_server_has_in_the_next_three_sets_of_forms() {
    round_trip(&FORMS[2..5]);
}

#[test]
fn events_say_what_the_server_has_in_the_last_two_sets_of_forms() {
    round_trip(&FORMS[5..]);
}

fn round_trip(sets: &[Forms]) {
    for forms in sets {
        let seed = f64::from(std::process::id() % 1000) / 1000.0;
        let mut pipeline = Pipeline::with(SETUP, |builder| configured(builder, forms));
        pipeline.db.exec(&format!("select setseed({seed}); {}", fill()));
        let session = pipeline.db.connect();
        session.exec("create temp table e (id int primary key, raw json, j jsonb)");
        let events = pipeline.events();
        assert_eq!(events.len(), ROWS);
        let mut rows = Vec::new();
        for event in &events {
            // As it is written: a parser would make other numbers of it.
            let value = str::from_utf8(event.value.as_deref().unwrap()).unwrap();
            let (before, _) = value.split_once(",\"source\":").unwrap();
            let text = before.strip_prefix("{\"before\":null,\"after\":").unwrap().replace('\'', "''");
            let row = event.json()["after"].take();
            session.exec(&format!("insert into e values ({}, '{text}', '{text}')", row["id"]));
            rows.push(row);
        }
        let columns: Vec<&str> = columns(forms).iter().map(|(column, ..)| *column).collect();
        let known: Vec<&String> = rows[0].as_object().unwrap().keys().filter(|name| *name != "id").collect();
        assert_eq!(known, columns, "a column without a check, or without a form");
        let wrong = session.query(&check(forms));
        assert!(wrong.is_empty(), "{} with seed {seed}: column, id, server, event: {wrong:#?}", forms.time);
        // The check can fail.
        session.exec("update e set j = jsonb_set(j, '{i4}', '17')");
        assert!(!session.query(&check(forms)).is_empty());
        // Every value there is one in the server, so what is null here is counted.
        let nulls =
            rows.iter().flat_map(|row| row.as_object().unwrap().values()).filter(|value| value.is_null());
        let labels = [("schema", "public"), ("table", "t")];
        let metric = "headwater_unrepresentable_values_total";
        let counted = pipeline.daemon.metrics().get(metric, &labels).unwrap();
        assert_eq!(counted.to_string(), nulls.count().to_string(), "{}", forms.time);
        assert_eq!(counted > 0.0, pipeline.daemon.log().contains("no place in the chosen form"));
        assert!(counted > 0.0 || forms.decimal != "precise", "NaN in a precise decimal is null");
    }
}

#[test]
fn a_value_without_a_form_in_a_not_null_column_stops_with_what_to_do() {
    let mut pipeline = Pipeline::with("create table t (id int primary key, n numeric not null)", |builder| {
        builder.set("events.decimal_handling_mode", "precise").allow_log("")
    });
    pipeline.db.exec("insert into t values (1, 1); insert into t values (2, 'NaN')");
    assert_eq!(pipeline.daemon.wait_exit(DEADLINE).code(), Some(70));
    let log = pipeline.daemon.log();
    for part in ["public.t.n", "numeric", "set events.decimal_handling_mode to"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    let path = pipeline.daemon.config_path();
    let mut file: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    file["events"].as_table_mut().unwrap().insert("decimal_handling_mode".to_owned(), "string".into());
    fs::write(path, toml::to_string(&file).unwrap()).unwrap();
    pipeline.daemon.resume();
    pipeline.daemon.wait_ready();
    let values: Vec<_> = pipeline.rows().into_iter().map(|mut row| row["n"].take()).collect();
    assert_eq!(values, ["1", "NAN"]);
}

fn configured(builder: Builder, forms: &Forms) -> Builder {
    builder
        .set("events.decimal_handling_mode", forms.decimal)
        .set("events.decimal_format", forms.format)
        .set("events.time_precision_mode", forms.time)
        .set("events.interval_handling_mode", forms.interval)
        .set("events.hstore_handling_mode", forms.hstore)
        .set("events.binary_handling_mode", forms.binary)
        .set("events.money_fraction_digits", forms.money_digits)
        .set("events.include_unknown_datatypes", true)
        .set("events.include_unmapped_arrays", true)
        .allow_log("no place in the chosen form")
}

const ROWS: usize = 120;

/// What the checks are made of: text of every kind, and the inverse of the forms that SQL has no cast for.
const SETUP: &str = r"
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
create function texts(j jsonb) returns text[] language sql as $$ select array(select jsonb_array_elements_text(j)) $$;

create table t (id int primary key, b boolean, i2 smallint, i4 int, i8 bigint, o oid, r real, d double precision, n numeric,
    n82 numeric(8,2), dom price2, m money, y bytea, bt bit(11), vb varbit(20), da date, t3 time(3), t6 time, tz timetz,
    ts3 timestamp(3), ts timestamp, tstz timestamptz, tstz0 timestamptz(0), iv interval, tx text, vc varchar(20), ch char(5),
    ci citext, na name, en mood, js json, jb jsonb, u uuid, x xml, ine inet, cid cidr, mac macaddr, lt ltree, tv tsvector, h hstore,
    i4r int4range, nr numrange, tsr tsrange, tzr tstzrange, dr daterange, p point, ia int[], ta text[], na_a name[], ea mood[],
    ba bit(3)[], tzs timestamptz[], doms price2[], ivs interval[], iv2 int2vector, co pair, mr int4multirange, lsn pg_lsn);
";

/// A row of random values, many of them from the ends of their types.
fn fill() -> String {
    let one_of =
        |values: &str| format!("(array[{values}])[1 + (random() * 100)::int % cardinality(array[{values}])]");
    let text = "chars(30)";
    let day = "date '4713-01-01 BC' + (random() * random() * 2000000000)::bigint::int % 2147000000";
    let near = "timestamp '1900-01-01' + micros('0', '150 years')";
    let far = "timestamp '4713-01-01 BC' + micros('0', '12000 years')";
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
    ];
    // A seed holds for the session, and the insert is in the same one.
    format!("insert into t select i, {} from generate_series(1, {ROWS}) i", columns.join(", "))
}

/// The query that finds what the events say wrongly.
fn check(forms: &Forms) -> String {
    let mut query = String::new();
    for (column, server, event) in columns(forms) {
        let union = if query.is_empty() { "" } else { " union all " };
        write!(
            query,
            "{union}(select '{column}', id, ({server})::text, ({event})::text from t join e using (id) \
             where ({server}) is distinct from ({event}) limit 2)"
        )
        .unwrap();
    }
    query
}

/// For each column what the server has, and the same from the event.
fn columns(forms: &Forms) -> Vec<(&'static str, String, String)> {
    let plain = |name: &'static str, ty: &str| (name, format!("t.{name}"), format!("(j->>'{name}')::{ty}"));
    let text = |name: &'static str| (name, format!("t.{name}::text"), format!("j->>'{name}'"));
    let numbers = numbers(forms);
    let bytes = |event: &str| match forms.binary {
        "hex" => format!("decode({event}, 'hex')"),
        "base64-url-safe" => format!("decode(translate({event}, '-_', '+/'), 'base64')"),
        _ => format!("decode({event}, 'base64')"),
    };
    let unknown = |name: &'static str| {
        (
            name,
            format!("t.{name}::text"),
            format!("convert_from({}, 'UTF8')", bytes(&format!("j->>'{name}'"))),
        )
    };
    let array =
        |name: &'static str, ty: &str| (name, format!("t.{name}"), format!("texts(j->'{name}')::{ty}[]"));
    let hstore = if forms.hstore == "map" { "j->'h'" } else { "(j->>'h')::jsonb" };
    let mut columns = vec![
        plain("b", "boolean"),
        plain("i2", "smallint"),
        plain("i4", "int"),
        plain("i8", "bigint"),
        plain("o", "oid"),
        // Equal, and of one sign.
        ("r", "t.r::text".to_owned(), "(raw->>'r')::real::text".to_owned()),
        ("d", "t.d::text".to_owned(), "(raw->>'d')::float8::text".to_owned()),
    ];
    columns.extend(numbers);
    columns.extend([
        ("y", "t.y".to_owned(), bytes("j->>'y'")),
        ("bt", "t.bt::text".to_owned(), "right(lpad(bits(j->>'bt'), 64, '0'), 11)".to_owned()),
        ("vb", "ltrim(t.vb::text, '0')".to_owned(), "ltrim(bits(j->>'vb'), '0')".to_owned()),
    ]);
    columns.extend(times(forms));
    columns.extend([
        text("tx"),
        text("vc"),
        ("ch", "rpad(t.ch::text, 5)".to_owned(), "j->>'ch'".to_owned()),
        text("ci"),
        text("na"),
        text("en"),
        text("js"),
        text("jb"),
        text("u"),
        text("x"),
        // The output function leaves out the mask of a single host, and the cast does not.
        ("ine", "t.ine".to_owned(), "(j->>'ine')::inet".to_owned()),
        text("cid"),
        text("mac"),
        text("lt"),
        text("tv"),
        (
            "h",
            "t.h".to_owned(),
            format!("(select hstore(array_agg(key), array_agg(value)) from jsonb_each_text({hstore}))"),
        ),
        text("i4r"),
        text("nr"),
        text("tsr"),
        ("tzr", "t.tzr".to_owned(), "(j->>'tzr')::tstzrange".to_owned()),
        text("dr"),
        (
            "p",
            "t.p::text".to_owned(),
            "point((j->'p'->>'x')::float8, (j->'p'->>'y')::float8)::text".to_owned(),
        ),
        ("ia", "t.ia".to_owned(), "translate(j->>'ia', '[]', '{}')::int[]".to_owned()),
        array("ta", "text"),
        array("na_a", "name"),
        array("ea", "mood"),
        (
            "ba",
            "t.ba".to_owned(),
            "array(select right(lpad(bits(v), 64, '0'), 3)::bit(3) from jsonb_array_elements_text(j->'ba') v)"
                .to_owned(),
        ),
        zoned_array(forms),
        domain_array(forms),
        interval_array(forms),
        ("iv2", "t.iv2::text".to_owned(), "translate(j->>'iv2', '[],', '')".to_owned()),
        unknown("co"),
        unknown("mr"),
        unknown("lsn"),
    ]);
    columns
}

fn numbers(forms: &Forms) -> Vec<(&'static str, String, String)> {
    let fixed = |name: &'static str, scale: u32| {
        let (server, event) = match (forms.decimal, forms.format) {
            ("precise", "base64") => {
                (format!("t.{name}"), format!("unscaled(j->>'{name}') / 10::numeric ^ {scale}"))
            }
            ("double", _) => (format!("t.{name}::float8"), format!("(j->>'{name}')::float8")),
            // The digits themselves.
            _ => (format!("t.{name}::text"), format!("j->>'{name}'")),
        };
        (name, server, event)
    };
    let own_scale = match forms.decimal {
        "precise" => (
            "case when t.n in ('NaN', 'Infinity', '-Infinity') then null else t.n end".to_owned(),
            "unscaled(j->'n'->>'value') / 10::numeric ^ (j->'n'->>'scale')::int".to_owned(),
        ),
        "double" => ("t.n::float8".to_owned(), "(j->>'n')::float8".to_owned()),
        _ => (
            "case t.n when 'NaN' then 'NAN' when 'Infinity' then 'POSITIVE_INFINITY' \
             when '-Infinity' then 'NEGATIVE_INFINITY' else t.n::text end"
                .to_owned(),
            "j->>'n'".to_owned(),
        ),
    };
    let money = match (forms.decimal, forms.format) {
        ("precise", "base64") => format!("unscaled(j->>'m') / 10::numeric ^ {}", forms.money_digits),
        _ => "(j->>'m')::numeric".to_owned(),
    };
    vec![
        ("n", own_scale.0, own_scale.1),
        fixed("n82", 2),
        fixed("dom", 3),
        ("m", "t.m::numeric".to_owned(), money),
    ]
}

fn times(forms: &Forms) -> Vec<(&'static str, String, String)> {
    let days = "case t.da when 'infinity' then 2146033979 when '-infinity' then -2147472691 else t.da - date '1970-01-01' end";
    let date = match forms.time {
        "isostring" => ("t.da".to_owned(), "iso_day(j->>'da')".to_owned()),
        "structured" => ("t.da".to_owned(), "parts_day(j->'da')".to_owned()),
        _ => (days.to_owned(), "(j->>'da')::int".to_owned()),
    };
    let mut columns = vec![("da", date.0, date.1), time(forms, "t3", 3), time(forms, "t6", 6)];
    columns.push(match forms.time {
        "structured" => (
            "tz",
            "array[extract(epoch from t.tz::time) * 1000000, extract(timezone from t.tz)]".to_owned(),
            "array[parts_micros(j->'tz'), (j->'tz'->>'offsetSeconds')::numeric]".to_owned(),
        ),
        _ => ("tz", "t.tz at time zone 'UTC'".to_owned(), "(j->>'tz')::timetz".to_owned()),
    });
    columns.extend([moment(forms, "ts3", 3), moment(forms, "ts", 6)]);
    columns.extend(["tstz", "tstz0"].map(|name| {
        let event = match forms.time {
            "structured" => format!("parts_moment(j->'{name}')"),
            _ => format!("iso_moment(j->>'{name}')"),
        };
        (name, format!("t.{name} at time zone 'UTC'"), event)
    }));
    columns.push(("iv", interval(forms, "t.iv"), interval_event(forms, "j->'iv'")));
    columns
}

/// Units of a second that a number counts.
fn unit(forms: &Forms, digits: u32, time: bool) -> Option<i64> {
    Some(match (forms.time, digits) {
        ("isostring" | "structured", _) => return None,
        ("adaptive_time_microseconds", _) if time => 1_000_000,
        ("connect", _) | ("adaptive" | "adaptive_time_microseconds", 0..=3) => 1_000,
        ("nanoseconds", _) => 1_000_000_000,
        _ => 1_000_000,
    })
}

fn time(forms: &Forms, name: &'static str, digits: u32) -> (&'static str, String, String) {
    let micros = format!("extract(epoch from t.{name}) * 1000000");
    match (unit(forms, digits, true), forms.time) {
        (Some(unit), _) => (
            name,
            format!("floor(extract(epoch from t.{name}) * {unit})"),
            format!("(j->>'{name}')::numeric"),
        ),
        (None, "structured") => (name, micros, format!("parts_micros(j->'{name}')")),
        (None, _) => (name, format!("t.{name}"), format!("rtrim(j->>'{name}', 'Z')::time")),
    }
}

fn moment(forms: &Forms, name: &'static str, digits: u32) -> (&'static str, String, String) {
    let Some(unit) = unit(forms, digits, false) else {
        let event = if forms.time == "structured" {
            format!("parts_moment(j->'{name}')")
        } else {
            format!("iso_moment(j->>'{name}')")
        };
        return (name, format!("t.{name}"), event);
    };
    let (low, high) = if unit == 1_000 {
        ("-9223372036832400000", "9223372036825200000")
    } else {
        ("-9223372036854775808", "9223372036854775807")
    };
    let count = format!("floor(extract(epoch from t.{name}) * {unit})");
    let server = format!(
        "case t.{name} when 'infinity' then {high} when '-infinity' then {low} \
         else case when {count} between -9223372036854775808 and 9223372036854775807 then {count} end end"
    );
    (name, server, format!("(j->>'{name}')::numeric"))
}

/// An interval as its event has it: microseconds, or one text.
fn interval(forms: &Forms, value: &str) -> String {
    if forms.time != "structured" && forms.interval == "numeric" {
        return format!(
            "(extract(year from {value}) * 12 + extract(month from {value})) * 2629800000000 \
             + extract(day from {value}) * 86400000000 \
             + (extract(hour from {value}) * 3600 + extract(minute from {value}) * 60 + extract(second from {value})) * 1000000"
        );
    }
    format!("{value}::text")
}

fn interval_event(forms: &Forms, value: &str) -> String {
    if forms.time == "structured" {
        return format!(
            "(make_interval(({value}->>'years')::int, ({value}->>'months')::int, 0, ({value}->>'days')::int, \
             ({value}->>'hours')::int, ({value}->>'minutes')::int, ({value}->>'seconds')::int) \
             + ({value}->>'nanos')::bigint / 1000 * interval '1 microsecond')::text"
        );
    }
    let scalar = format!("({value} #>> '{{}}')");
    if forms.interval == "numeric" {
        format!("{scalar}::numeric")
    } else {
        format!("{scalar}::interval::text")
    }
}

fn interval_array(forms: &Forms) -> (&'static str, String, String) {
    let server = format!(
        "array(select {} from unnest(t.ivs) with ordinality u(v, k) order by k)",
        interval(forms, "v")
    );
    let event = format!(
        "array(select {} from jsonb_array_elements(j->'ivs') with ordinality u(v, k) order by k)",
        interval_event(forms, "nullif(v, 'null')")
    );
    ("ivs", server, event)
}

fn zoned_array(forms: &Forms) -> (&'static str, String, String) {
    let event =
        if forms.time == "structured" { "parts_moment(nullif(v, 'null'))" } else { "iso_moment(v #>> '{}')" };
    (
        "tzs",
        "array(select v at time zone 'UTC' from unnest(t.tzs) with ordinality u(v, k) order by k)".to_owned(),
        format!(
            "array(select {event} from jsonb_array_elements(j->'tzs') with ordinality u(v, k) order by k)"
        ),
    )
}

fn domain_array(forms: &Forms) -> (&'static str, String, String) {
    let event = match (forms.decimal, forms.format) {
        ("precise", "base64") => "unscaled(v #>> '{}') / 1000",
        _ => "(v #>> '{}')::numeric",
    };
    (
        "doms",
        "array(select v::numeric from unnest(t.doms) with ordinality u(v, k) order by k)".to_owned(),
        format!(
            "array(select {event} from jsonb_array_elements(j->'doms') with ordinality u(v, k) order by k)"
        ),
    )
}
