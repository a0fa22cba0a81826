//! The ends of what PostgreSQL takes, and what has no form: a clear outcome, that a metric shows.

use std::fs;

use serde_json::{Value, json};

use super::Pipeline;
use crate::operator::outcome_of;
use crate::support::{Daemon, Kafka, Postgres};

#[test]
fn a_table_of_1600_columns_arrives_whole() {
    let columns: Vec<String> = (2..=1600).map(|number| format!("c{number} int")).collect();
    let setup = format!(
        "create table t (c1 int primary key, {}); alter table t replica identity full",
        columns.join(", ")
    );
    let mut pipeline = Pipeline::start(&setup);
    let values: Vec<String> = (1..=1600).map(|number| number.to_string()).collect();
    pipeline.db.exec(&format!("insert into t values ({})", values.join(", ")));
    pipeline.db.exec("update t set c1600 = null, c800 = -1; delete from t");
    let changes = pipeline.changes();
    let ops: Vec<&str> = changes.iter().map(|(op, ..)| op.as_str()).collect();
    assert_eq!(ops, ["c", "u", "d"]);
    let (inserted, updated) = (&changes[0].2, &changes[1].2);
    assert_eq!(inserted.as_object().unwrap().len(), 1600);
    for number in 1..=1600 {
        let column = format!("c{number}");
        assert_eq!(inserted[&column], json!(number));
        let expected = match number {
            800 => json!(-1),
            1600 => Value::Null,
            _ => json!(number),
        };
        assert_eq!(updated[&column], expected);
    }
    assert_eq!((&changes[1].1, &changes[2].1), (inserted, updated));
}

#[test]
fn names_of_every_kind_are_told_apart() {
    let mut pipeline = Pipeline::with(
        "create schema \"a.b\"; create schema \"a\"; create table \"a.b\".\"c\" (id int primary key);
         create table \"a\".\"b.c\" (\"i\u{301}d\" int primary key, \"\u{1f600}\" int, \" \" int, \"a\"\"\\b\" int, \"{name}\" int);
         create table public.\"\u{65e5}\u{672c}\" (id int primary key)",
        |builder| builder.set("source.tables", vec!["*.*"]),
    );
    pipeline.db.exec(
        "insert into \"a.b\".c values (1); insert into a.\"b.c\" values (2, 3, 4, 5, 6); insert into \"\u{65e5}\u{672c}\" values (7)",
    );
    let records = pipeline.records();
    let changes = records.iter().filter(|record| record.op() == "c");
    let mut found: Vec<(String, String, Value)> = changes
        .map(|record| {
            let mut event = record.json();
            let name = |field: &str| event["source"][field].as_str().unwrap().to_owned();
            (name("schema"), name("table"), event["after"].take())
        })
        .collect();
    found.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    let named = |schema: &str, table: &str, row| (schema.to_owned(), table.to_owned(), row);
    let odd = json!({"i\u{301}d": 2, "\u{1f600}": 3, " ": 4, "a\"\\b": 5, "{name}": 6});
    assert_eq!(
        found,
        [
            named("a", "b.c", odd),
            named("a.b", "c", json!({"id": 1})),
            named("public", "\u{65e5}\u{672c}", json!({"id": 7})),
        ]
    );
}

#[test]
fn columns_without_a_form_are_left_out_and_that_is_counted() {
    let setup = "create type pair as (a int, b int);
        create table t (id int primary key, p pair, l pg_lsn, m money[], q tsquery, v text)";
    let mut pipeline = Pipeline::with(setup, |builder| builder.allow_log("the column is left out"));
    pipeline.db.exec("insert into t values (1, '(1,2)', '0/1', '{$1}', 'a', 'v')");
    assert_eq!(pipeline.rows(), [json!({"id": 1, "v": "v"})]);
    let left_out = |pipeline: &Pipeline| {
        pipeline.daemon.metrics().get("headwater_left_out_columns", &[("table", "t")]).unwrap().to_string()
    };
    assert_eq!(left_out(&pipeline), "4");
    pipeline.db.exec("alter table t drop column p, drop column q; insert into t values (2, null, null, 'w')");
    assert_eq!(pipeline.rows(), [json!({"id": 2, "v": "w"})]);
    assert_eq!(left_out(&pipeline), "2");
}

#[test]
fn a_change_beyond_the_limit_stops_before_it_and_goes_on_with_a_higher_one() {
    let mut pipeline = Pipeline::with("create table t (id int primary key, v text)", |builder| {
        builder.set("limits.max_message", "1MiB")
    });
    pipeline.db.exec("insert into t values (1, 'small')");
    assert_eq!(pipeline.rows().len(), 1);
    pipeline.db.exec("insert into t values (2, repeat('x', 2000000)); insert into t values (3, 'small')");
    outcome_of(&mut pipeline.daemon).expect_error(69, "message_too_large", &["limits.max_message"]);
    crate::operator::set(&pipeline.daemon, "limits", "max_message", "4MiB");
    pipeline.daemon.resume();
    pipeline.daemon.wait_ready();
    let lengths: Vec<usize> = pipeline.rows().iter().map(|row| row["v"].as_str().unwrap().len()).collect();
    assert_eq!(lengths, [2_000_000, 5]);
}

/// Half a gigabyte in one value is refused by what the server announces, before any memory is taken for it.
#[test]
fn a_value_of_500_megabytes_is_refused_and_not_held() {
    let mut pipeline = Pipeline::start("create table t (id int primary key, v text)");
    pipeline.db.exec("insert into t values (1, 'small')");
    assert_eq!(pipeline.rows().len(), 1);
    pipeline.db.exec(&format!("insert into t values (2, {HALF_A_GIGABYTE})"));
    refused_in_bounds(&mut pipeline.daemon);
}

#[test]
fn a_row_of_500_megabytes_ends_a_snapshot_and_is_not_held() {
    let db = Postgres::shared(18).database("bounds");
    db.exec(&format!(
        "create table t (id int primary key, v text); insert into t values (1, {HALF_A_GIGABYTE})"
    ));
    let mut daemon =
        Daemon::builder(&db, Kafka::shared()).set("snapshot.mode", "initial").allow_log("").spawn();
    refused_in_bounds(&mut daemon);
}

/// The process ends for its limit, and never had more memory than it may.
#[track_caller]
fn refused_in_bounds(daemon: &mut Daemon) {
    let status = format!("/proc/{}/status", daemon.id());
    let mut peak_kb = 0;
    // Gone as soon as the process has ended.
    while let Some(line) = fs::read_to_string(&status).ok().and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("VmHWM:").map(|value| value.trim().to_owned()))
    }) {
        peak_kb = line.trim_end_matches(" kB").parse().unwrap();
        std::thread::yield_now();
    }
    outcome_of(daemon).expect_error(69, "message_too_large", &["limits.max_message", "limits.memory"]);
    assert!((1..64 * 1024).contains(&peak_kb), "{peak_kb} kB");
}

/// It compresses well, so that the server's disk hardly notices.
const HALF_A_GIGABYTE: &str = "repeat('x', 500000000)";
