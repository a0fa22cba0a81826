//! Databases that are not in UTF-8: what PostgreSQL converts arrives, and what it cannot convert goes where
//! `source.sql_ascii` says.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Pipeline;
use crate::operator::{check, outcome_of};
use crate::support::daemon::Builder;
use crate::support::{Daemon, Kafka, Postgres};

/// An encoding, a text, and the text's bytes in it.
const SAMPLES: [(&str, &str, &str); 6] = [
    ("LATIN1", "Stra\u{df}e \u{bd}", "53747261df6520bd"),
    ("LATIN9", "5 \u{20ac} \u{153}", "3520a420bd"),
    ("WIN1252", "\u{201c}5 \u{20ac}\u{201d}", "9335208094"),
    ("EUC_JP", "\u{65e5}\u{672c}\u{8a9e}", "c6fccbdcb8ec"),
    ("KOI8R", "\u{43c}\u{438}\u{440}", "cdc9d2"),
    ("UTF8", "\u{65e5}\u{e9}\u{1f600}", "e697a5c3a9f09f9880"),
];

#[test]
fn texts_and_names_arrive_from_databases_in_any_encoding() {
    for (encoding, text, bytes) in SAMPLES {
        for version in [10, 18] {
            in_encoding(version, encoding, text, bytes);
        }
    }
}

fn in_encoding(version: u32, encoding: &str, text: &str, bytes: &str) {
    let db = Postgres::shared(version).encoded_database("encodings", encoding);
    let setup = format!(
        "create type \"{text}_e\" as enum ('{text}');
         create table t (id text primary key, \"{text}\" text default '{text}', a text[], c char(12), j json, e \"{text}_e\");
         create table \"{text}\" (id int primary key)"
    );
    let mut pipeline = Pipeline::over(db, &setup, |builder| builder);
    pipeline.db.exec(&format!(
        "insert into t values ('{text}', default, '{{\"{text} 1\"}}', '{text}', '{{\"{text}\": 1}}', '{text}');
         insert into \"{text}\" values (1)"
    ));
    let stored =
        format!("select encode(convert_to(id, getdatabaseencoding()), 'hex') from t where id = '{text}'");
    assert_eq!(pipeline.db.value(&stored), bytes, "{encoding}");
    let records = pipeline.records();
    let [event, other]: [_; 2] =
        records.iter().filter(|record| record.op() == "c").collect::<Vec<_>>().try_into().unwrap();
    let (event, other) = if event.topic == pipeline.topic("t") { (event, other) } else { (other, event) };
    let padded = format!("{text}{}", " ".repeat(12 - text.chars().count()));
    let row = json!({
        "id": text, text: text, "a": [format!("{text} 1")], "c": padded, "j": format!("{{\"{text}\": 1}}"), "e": text,
    });
    assert_eq!((event.key_json(), &event.json()["after"]), (json!({"id": text}), &row), "{encoding}");
    assert_eq!(other.json()["source"]["table"], text, "{encoding}");
}

#[test]
fn a_text_that_has_no_form_in_utf_8_stops_with_what_to_do() {
    let db = Postgres::shared(18).encoded_database("encodings", "WIN1252");
    let mut pipeline = Pipeline::over(db, "create table t (id int primary key, v text)", |builder| builder);
    pipeline.db.exec("insert into t values (1, 'one'); insert into t values (2, E'\\x81')");
    let ended = outcome_of(&mut pipeline.daemon);
    ended.expect_error(69, "source_settings", &["WIN1252", "SQLSTATE 22P05", "source.on_gap = \"continue\""]);
}

/// Texts for a table with one, and with what they arrive.
const STRAY: [(&str, &[(&str, &str)]); 5] = [
    ("plain", &[]),
    (
        "caf\\xe9",
        &[
            ("utf8", "\\x636166e9"),
            ("latin1", "caf\u{e9}"),
            ("latin9", "caf\u{e9}"),
            ("win1252", "caf\u{e9}"),
        ],
    ),
    (
        "\\xa4\\x80",
        &[
            ("utf8", "\\xa480"),
            ("latin1", "\u{a4}\u{80}"),
            ("latin9", "\u{20ac}\u{80}"),
            ("win1252", "\u{a4}\u{20ac}"),
        ],
    ),
    (
        "\\x81\\xe9",
        &[
            ("utf8", "\\x81e9"),
            ("latin1", "\u{81}\u{e9}"),
            ("latin9", "\u{81}\u{e9}"),
            ("win1252", "\\x81e9"),
        ],
    ),
    (
        "\\xc3\\xa9",
        &[
            ("utf8", "\u{e9}"),
            ("latin1", "\u{c3}\u{a9}"),
            ("latin9", "\u{c3}\u{a9}"),
            ("win1252", "\u{c3}\u{a9}"),
        ],
    ),
];

fn declared(encoding: &str) -> impl FnOnce(Builder) -> Builder {
    let encoding = encoding.to_owned();
    move |builder| {
        builder
            .set("source.sql_ascii", encoding)
            .set("events.hstore_handling_mode", "map")
            .allow_log("does not fit its encoding")
    }
}

#[test]
fn texts_of_sql_ascii_are_what_is_declared_and_what_does_not_fit_is_its_bytes() {
    let server = Postgres::shared(18);
    for encoding in ["utf8", "latin1", "latin9", "win1252"] {
        let db = server.encoded_database("encodings", "SQL_ASCII");
        let setup = "create extension hstore; create table t (id text primary key, v varchar(20), a text[], h hstore);
                     alter table t replica identity full";
        let mut pipeline = Pipeline::over(db, setup, declared(encoding));
        for (text, _) in STRAY {
            pipeline.db.exec(&format!(
                "insert into t select v, v, array['x', v, null], hstore(v, v) from (select E'{text}'::text v) x"
            ));
        }
        pipeline.db.exec("update t set v = 'x'");
        let events = pipeline.events();
        let (inserts, updates) = events.split_at(STRAY.len());
        let mut undecoded = 0;
        for ((text, forms), (insert, update)) in STRAY.iter().zip(inserts.iter().zip(updates)) {
            let expected = forms.iter().find(|(name, _)| *name == encoding).map_or(*text, |(_, form)| *form);
            let row =
                json!({"id": expected, "v": expected, "a": ["x", expected, null], "h": {expected: expected}});
            assert_eq!(insert.key_json(), json!({"id": expected}), "{encoding}");
            assert_eq!(insert.json()["after"], row, "{encoding}");
            assert_eq!(update.json()["before"], row, "{encoding}");
            let names = expected.starts_with("\\x").then_some(["id,v,a,h", "id,v,a,h"]);
            undecoded += names.map_or(0, |_| 4 + 4 + 3);
            let found = [insert, update].map(|record| record.header("headwater.undecoded"));
            assert_eq!(found, names.map_or([None, None], |names| names.map(Some)), "{encoding} {text}");
        }
        let labels = [("schema", "public"), ("table", "t")];
        let counted = pipeline.daemon.metrics().get("headwater_undecoded_values_total", &labels);
        assert_eq!(counted, Some(f64::from(undecoded)), "{encoding}");
        let told = pipeline.daemon.log().matches("does not fit its encoding").count();
        assert_eq!(told, if undecoded > 0 { 4 } else { 0 }, "once per column\n{}", pipeline.daemon.log());
    }
}

#[test]
fn a_snapshot_reads_texts_as_the_stream_does() {
    let server = Postgres::shared(18);
    for (encoding, declaration, stray, form) in [
        ("SQL_ASCII", "latin9", "\\xa4\\x80", "\u{20ac}\u{80}"),
        ("SQL_ASCII", "win1252", "\\x81\\xe9", "\\x81e9"),
        ("LATIN1", "win1252", "\\xe9\\x80", "\u{e9}\u{80}"),
    ] {
        let db = server.encoded_database("encodings", encoding);
        let setup = format!("create table t (id text primary key); insert into t values (E'1 {stray}')");
        let mut pipeline = Pipeline::over(db, &setup, |builder| {
            declared(declaration)(builder).set("snapshot.mode", "initial")
        });
        pipeline.db.exec(&format!("insert into t values (E'2 {stray}')"));
        let hex = form.strip_prefix("\\x");
        let expected = ["1 ", "2 "].map(|start| match hex {
            Some(hex) => format!("\\x{:x}20{hex}", start.as_bytes()[0]),
            None => format!("{start}{form}"),
        });
        let events = pipeline.events();
        assert_eq!(events.iter().map(|event| event.op()).collect::<Vec<_>>(), ["r", "c"]);
        for (event, expected) in events.iter().zip(expected) {
            assert_eq!(event.key_json()["id"], expected, "{encoding}");
            assert_eq!(event.json()["after"]["id"], expected, "{encoding}");
            assert_eq!(event.header("headwater.undecoded"), hex.map(|_| "id"), "{encoding}");
        }
        let labels = [("schema", "public"), ("table", "t")];
        let counted = pipeline.daemon.metrics().get("headwater_undecoded_values_total", &labels);
        assert_eq!(counted, Some(if hex.is_some() { 2.0 } else { 0.0 }), "{encoding}");
    }
}

#[test]
fn every_byte_is_the_character_that_postgresql_has_for_it() {
    let server = Postgres::shared(18);
    for encoding in ["latin1", "latin9", "win1252"] {
        let db = server.encoded_database("encodings", "SQL_ASCII");
        let setup = "create table t (id int primary key, v text);
            create function utf8(b bytea, e name) returns text language plpgsql as $$
                begin return encode(convert(b, e, 'UTF8'), 'hex'); exception when others then return null; end $$";
        let mut pipeline = Pipeline::over(db, setup, declared(encoding));
        pipeline.db.exec(
            "insert into t select i, convert_from(decode(to_hex(i), 'hex'), 'SQL_ASCII') from generate_series(128, 255) i",
        );
        let known = format!(
            "select i, utf8(decode(to_hex(i), 'hex'), '{encoding}') from generate_series(128, 255) i"
        );
        let known: BTreeMap<u64, Option<String>> = pipeline
            .db
            .query(&known)
            .into_iter()
            .map(|mut row| (row[0].take().unwrap().parse().unwrap(), row[1].take()))
            .collect();
        let rows = pipeline.rows();
        assert_eq!(rows.len(), 128);
        for row in rows {
            let byte = row["id"].as_u64().unwrap();
            let found = row["v"].as_str().unwrap();
            match &known[&byte] {
                Some(hex) => {
                    let expected: Vec<u8> = (0..hex.len() / 2)
                        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                        .collect();
                    assert_eq!(found.as_bytes(), expected, "{encoding} {byte:x}");
                }
                None => assert_eq!(found, format!("\\x{byte:x}"), "{encoding}"),
            }
        }
    }
}

#[test]
fn a_database_in_another_encoding_does_not_need_the_declaration() {
    let db = Postgres::shared(18).encoded_database("encodings", "LATIN1");
    let mut pipeline = Pipeline::over(db, "create table t (id int primary key, v text)", declared("win1252"));
    pipeline.db.exec("insert into t values (1, E'\\xe9\\x80')");
    assert_eq!(pipeline.rows(), [json!({"id": 1, "v": "\u{e9}\u{80}"})]);
}

#[test]
fn the_check_tells_of_sql_ascii_and_a_name_that_is_not_utf_8_stops_the_start() {
    let db = Postgres::shared(18).encoded_database("encodings", "SQL_ASCII");
    db.exec("create table t (id int primary key)");
    let builder = || Daemon::builder(&db, Kafka::shared()).set("source.sql_ascii", "latin9");
    check(builder()).expect(0, &["has the encoding SQL_ASCII", "taken for latin9", "source.sql_ascii"]);
    db.exec("do $$ begin execute 'create table \"t' || E'\\xe9' || '\" (id int primary key)'; end $$");
    let mut daemon = builder().spawn();
    outcome_of(&mut daemon).expect_error(69, "source_settings", &["SQLSTATE 22021", "Of a name"]);
}

#[test]
fn keys_that_are_no_text_stay_apart() {
    let db = Postgres::shared(10).encoded_database("encodings", "SQL_ASCII");
    let mut pipeline = Pipeline::over(db, "create table t (id text primary key)", declared("utf8"));
    pipeline.while_stopped(|db| db.exec("insert into t values (E'a\\xe9'), (E'a\\xe8'), ('\\xc3\\xa9')"));
    let keys: Vec<Value> = pipeline.events().iter().map(|event| event.key_json()["id"].clone()).collect();
    assert_eq!(keys, ["\\x61e9", "\\x61e8", "\\xc3\\xa9"]);
}
