//! JSON lines on standard output and in a file.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::support::daemon::Builder;
use crate::support::{DEADLINE, Daemon, Db, Postgres, wait_until};

const SETUP: &str = "create table t (id int primary key, v text)";

fn builder(db: &Db, sink: &str) -> Builder {
    Builder::new(db.name())
        .source_url(db.url())
        .set("snapshot.mode", "never")
        .set("sink.type", sink)
        .set("checkpoint.interval", "1ms")
        .set("events.transaction_metadata", false)
}

fn database() -> Db {
    let db = Postgres::shared(18).database("lines");
    db.exec(SETUP);
    db
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["topic"].is_string() && line["headers"].is_array()).collect()
}

fn wait_confirmed(db: &Db) {
    db.wait_confirmed(&format!("headwater_{}", db.name()));
}

#[test]
fn standard_output_has_a_line_for_each_record_and_goes_on_after_a_restart() {
    let db = database();
    // Its lines are in the same file as the log.
    let mut daemon = builder(&db, "stdout").allow_log("\"topic\":").start();
    db.exec("insert into t values (1, 'a \"quoted\" one'); delete from t");
    wait_confirmed(&db);
    assert!(daemon.terminate().success());
    db.exec("insert into t values (2, null)");
    daemon.resume();
    daemon.wait_ready();
    wait_confirmed(&db);
    let lines = lines(&daemon.log());
    let seen: Vec<_> = lines.iter().map(|line| (line["key"].clone(), line["value"]["op"].clone())).collect();
    let expected = [(1, json!("c")), (1, json!("d")), (1, Value::Null), (2, json!("c"))];
    assert_eq!(seen, expected.map(|(id, op)| (json!({"id": id}), op)));
    assert_eq!(lines[0]["topic"], format!("{}.public.t", db.name()));
    assert_eq!(lines[0]["value"]["after"]["v"], "a \"quoted\" one");
    assert!(lines[0]["headers"].as_array().unwrap().iter().any(|header| header[0] == "headwater.id"));
}

#[test]
fn a_file_goes_on_after_a_restart_without_loss_or_repetition() {
    let db = database();
    let mut daemon = builder(&db, "file").set("sink.path", "events.jsonl").start();
    for round in 0..3 {
        db.exec(&format!(
            "insert into t select i, 'x' from generate_series({round} * 10, {round} * 10 + 9) i"
        ));
        assert!(daemon.terminate().success());
        daemon.resume();
        daemon.wait_ready();
    }
    wait_confirmed(&db);
    check_file(&daemon, 30);
}

#[test]
fn a_file_is_whole_after_kills_in_the_middle() {
    const ROWS: usize = 20_000;
    let db = database();
    let mut daemon = builder(&db, "file")
        .set("sink.path", "events.jsonl")
        .allow_log("cut off lines that no checkpoint covers")
        .start();
    let path = daemon.directory().join("events.jsonl");
    let size = || fs::metadata(&path).map_or(0, |metadata| metadata.len());
    for quarter in 0..4 {
        let (first, last) = (quarter * ROWS / 4, (quarter + 1) * ROWS / 4 - 1);
        db.exec(&format!("insert into t select i, repeat('x', 100) from generate_series({first}, {last}) i"));
        let before = size();
        wait_until(DEADLINE, "more lines", || size() > before);
        daemon.restart();
        daemon.wait_ready();
    }
    wait_confirmed(&db);
    check_file(&daemon, ROWS);
}

/// The file holds the rows 0 to `rows`, in order, each under an id of its own.
fn check_file(daemon: &Daemon, rows: usize) {
    let lines = lines(&fs::read_to_string(daemon.directory().join("events.jsonl")).unwrap());
    let seen: Vec<_> = lines.iter().map(|line| line["key"]["id"].as_u64().unwrap()).collect();
    assert_eq!(seen, (0..rows as u64).collect::<Vec<_>>());
    let id = |line: &Value| {
        let headers = line["headers"].as_array().unwrap();
        headers.iter().find(|header| header[0] == "headwater.id").unwrap()[1].to_string()
    };
    assert_eq!(lines.iter().map(id).collect::<BTreeSet<_>>().len(), rows);
}
