//! Values of every type, at random, in every mode: what the event says, turned back into a value of the type by the server, is
//! what the server has. The inverse of each form is SQL, so nothing of the encoder is checked by itself.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use super::Pipeline;
use super::samples::{ROWS, SETUP, fill};
use crate::support::daemon::Builder;
use crate::support::{ConsumedRecord, DEADLINE};

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
        let seed = seed();
        println!("values with {} and HEADWATER_TEST_SEED={seed}", forms.time);
        let mut pipeline = Pipeline::with(SETUP, |builder| configured(builder, forms));
        pipeline.db.exec(&format!("select setseed({seed} % 1000 / 1000.0); {}", fill()));
        let session = pipeline.db.connect();
        session.exec("create temp table e (id int primary key, raw json, j jsonb)");
        let records = pipeline.records();
        let of = |table: &str| -> Vec<&ConsumedRecord> {
            let topic = pipeline.topic(table);
            records.iter().filter(|record| record.topic == topic).collect()
        };
        let (events, arrays, domains) = (of("t"), of("arrays"), of("domains"));
        assert_eq!([events.len(), arrays.len(), domains.len()], [ROWS; 3]);
        made_of_their_elements(&arrays, forms);
        made_of_their_bases(&domains, forms);
        let mut rows = Vec::new();
        for event in events {
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

/// What PostgreSQL's `random()` begins with: the same on every run, unless `HEADWATER_TEST_SEED` says another.
fn seed() -> u32 {
    std::env::var("HEADWATER_TEST_SEED")
        .map_or(375, |seed| seed.parse().expect("HEADWATER_TEST_SEED is a number"))
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

/// Arrays with a NULL, with two dimensions and with another lower bound, of every type: beside a column of the type itself, whose
/// form they are made of.
fn made_of_their_elements(events: &[&ConsumedRecord], forms: &Forms) {
    each(events, |row, name, scalar| {
        let (array, nested, bounded) =
            (&row[&format!("a_{name}")], &row[&format!("n_{name}")], &row[&format!("l_{name}")]);
        assert_eq!(*array, json!([scalar, null, scalar]), "{name} in {}", forms.time);
        assert_eq!(*nested, json!([[scalar, scalar], [null, scalar]]), "{name} in {}", forms.time);
        assert_eq!(*bounded, json!([scalar, scalar]), "{name} in {}", forms.time);
    });
}

/// A domain over a domain of every type, and a domain over its array.
fn made_of_their_bases(events: &[&ConsumedRecord], forms: &Forms) {
    each(events, |row, name, scalar| {
        assert_eq!(row[&format!("d_{name}")], *scalar, "{name} in {}", forms.time);
        assert_eq!(row[&format!("e_{name}")], json!([scalar]), "{name} in {}", forms.time);
    });
}

/// Every column of a type itself, in every row.
fn each(events: &[&ConsumedRecord], check: impl Fn(&Value, &str, &Value)) {
    for event in events {
        let row = event.json()["after"].take();
        let scalars: Vec<_> = row
            .as_object()
            .unwrap()
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix("x_")?, value)))
            .collect();
        assert!(scalars.len() > 60, "{}", scalars.len());
        for (name, value) in scalars {
            check(&row, name, value);
        }
    }
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

#[allow(clippy::too_many_lines, reason = "a line for each column")]
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
    columns.extend(more_numbers(forms));
    columns.extend([
        ("bt1", "t.bt1::int = 1".to_owned(), "(j->>'bt1')::boolean".to_owned()),
        ("vbu", "ltrim(t.vbu::text, '0')".to_owned(), "ltrim(bits(j->>'vbu'), '0')".to_owned()),
        // As the output functions have them: casts to text cut blanks off.
        ("bp", "format('%s', t.bp)".to_owned(), "j->>'bp'".to_owned()),
        ("c1", "format('%s', t.c1)".to_owned(), "j->>'c1'".to_owned()),
        text("mac8"),
        text("i8r"),
    ]);
    columns.extend([time(forms, "t0", 0), moment(forms, "ts0", 0), zoned(forms, "tstz3")]);
    columns.extend(
        [("iv3", "t.iv3", "j->'iv3'"), ("ivym", "t.ivym", "j->'ivym'")]
            .map(|(name, server, event)| (name, interval(forms, server), interval_event(forms, event))),
    );
    columns.extend(shapes());
    columns.push((
        "lb",
        "t.lb::text".to_owned(),
        "regexp_replace(t.lb::text, '[{].*', '') || upper(translate(j->>'lb', '[] ', '{}'))".to_owned(),
    ));
    columns
}

fn shapes() -> [(&'static str, String, String); 6] {
    [
        ("ln", "format('{%s,%s,%s}', j->'ln'->>'a', j->'ln'->>'b', j->'ln'->>'c')::line"),
        ("ls", "lseg((points(j->'ls'))[1], (points(j->'ls'))[2])"),
        ("bx", "box((points(j->'bx'))[1], (points(j->'bx'))[3])"),
        ("pa", "wkb_path(j->'pa')"),
        ("po", "wkb_polygon(j->'po')"),
        (
            "cir",
            "circle(point((j->'cir'->'center'->>'x')::float8, (j->'cir'->'center'->>'y')::float8), (j->'cir'->>'radius')::float8)",
        ),
    ]
    .map(|(name, event)| (name, format!("t.{name}::text"), format!("({event})::text")))
}

fn numbers(forms: &Forms) -> Vec<(&'static str, String, String)> {
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
        fixed(forms, "n82", 2),
        fixed(forms, "dom", 3),
        ("m", "t.m::numeric".to_owned(), money),
    ]
}

fn more_numbers(forms: &Forms) -> [(&'static str, String, String); 3] {
    [fixed(forms, "n388", 8), fixed(forms, "n50", 0), fixed(forms, "nn", 0)]
}

/// A `numeric` of a fixed scale.
fn fixed(forms: &Forms, name: &'static str, scale: u32) -> (&'static str, String, String) {
    let (server, event) = match (forms.decimal, forms.format) {
        ("precise", "base64") => {
            (format!("t.{name}"), format!("unscaled(j->>'{name}') / 10::numeric ^ {scale}"))
        }
        ("double", _) => (format!("t.{name}::float8"), format!("(j->>'{name}')::float8")),
        // The digits themselves.
        _ => (format!("t.{name}::text"), format!("j->>'{name}'")),
    };
    (name, server, event)
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
    columns.extend(["tstz", "tstz0"].map(|name| zoned(forms, name)));
    columns.push(("iv", interval(forms, "t.iv"), interval_event(forms, "j->'iv'")));
    columns
}

fn zoned(forms: &Forms, name: &'static str) -> (&'static str, String, String) {
    let event = match forms.time {
        "structured" => format!("parts_moment(j->'{name}')"),
        _ => format!("iso_moment(j->>'{name}')"),
    };
    (name, format!("t.{name} at time zone 'UTC'"), event)
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
