//! Several pipelines in one process: that they share nothing that can fail, that one database over two slots loses and
//! repeats nothing, and what a person sees of them.

mod groups;
mod operator;

use serde_json::Value;

use crate::support::daemon::Builder;
use crate::support::{Consumer, DEADLINE, Daemon, Db, Kafka, Postgres, Shutdown, unique, wait_until};

/// A process with these `[[pipeline]]` tables, into one Kafka.
fn several(kafka: &Kafka, pipelines: &[toml::Table]) -> Builder {
    Builder::new("")
        .unset("name")
        .brokers(kafka.brokers())
        .set("snapshot.mode", "never")
        .set("checkpoint.topic", format!("__{}", unique("several")))
        .set("checkpoint.interval", "1ms")
        .set("retry.initial", "50ms")
        .set("retry.max", "500ms")
        .set("pipeline", pipelines.to_vec())
}

/// A pipeline named as its database.
fn of(db: &Db) -> toml::Table {
    pipeline(db, db.name(), "")
}

fn pipeline(db: &Db, name: &str, more: &str) -> toml::Table {
    format!("name = {name:?}\nsource.url = {:?}\n{more}", db.url()).parse().unwrap()
}

/// A database with a table of one column, and a reader of its events.
fn database(server: &Postgres, base: &str) -> (Db, Consumer) {
    let db = server.database(base);
    db.exec("create table t (id int primary key)");
    let consumer = Kafka::shared().consumer(&format!("{}.public.", db.name()));
    (db, consumer)
}

/// Inserts a row and waits for its event.
#[track_caller]
fn row_arrives(db: &Db, consumer: &mut Consumer, id: i64) {
    db.exec(&format!("insert into t values ({id})"));
    consumer.until("event of the row", |records| {
        records.last().is_some_and(|record| record.json()["after"]["id"] == id)
    });
}

fn metric(daemon: &Daemon, name: &str, pipeline: &str) -> f64 {
    daemon.metrics().get(name, &[("pipeline", pipeline)]).unwrap_or_default()
}

fn state(daemon: &Daemon, pipeline: &str) -> String {
    let page: Value =
        serde_json::from_str(&daemon.get(&format!("/status/{pipeline}")).unwrap().body).unwrap();
    page["state"].as_str().unwrap().to_owned()
}

/// Takes the slot away from a pipeline that has a checkpoint: it cannot go on.
#[track_caller]
fn take_slot_away(db: &Db) {
    let slot = format!("headwater_{}", db.name());
    wait_until(DEADLINE, "slot without a reader", || {
        let ended = format!(
            "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '{slot}' and active"
        );
        db.query(&ended);
        db.connect().try_exec(&format!("select pg_drop_replication_slot('{slot}')")).is_ok()
    });
}

#[test]
fn a_database_that_is_away_leaves_the_other_pipeline_alone() {
    let (away, kafka) = (Postgres::start(18, &[]), Kafka::shared());
    let ((db, mut consumer), (other, mut reader)) =
        (database(Postgres::shared(18), "here"), database(&away, "away"));
    let daemon = several(kafka, &[of(&db), of(&other)]).allow_log(other.name());
    let mut daemon = daemon.start();
    row_arrives(&db, &mut consumer, 1);
    row_arrives(&other, &mut reader, 1);
    away.stop(Shutdown::Fast);
    wait_until(DEADLINE, "restarts of the one", || {
        metric(&daemon, "headwater_restarts_total", other.name()) >= 3.0
    });
    for id in 2..20 {
        row_arrives(&db, &mut consumer, id);
    }
    assert_eq!(state(&daemon, db.name()), "streaming");
    assert!(metric(&daemon, "headwater_restarts_total", db.name()).abs() < 0.5);
    assert!((metric(&daemon, "headwater_events_total", db.name()) - 19.0).abs() < 0.5);
    let ready = daemon.get("/readyz").unwrap();
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains(&format!("{}: streaming\n", db.name())), "{}", ready.body);
    assert!(ready.body.contains(&format!("{}: connecting\n", other.name())), "{}", ready.body);
    assert_eq!(daemon.get("/healthz").unwrap().status, 200);
    let failures = daemon.log();
    let mut failures = failures.lines().filter(|line| line.contains("session failed")).peekable();
    assert!(failures.peek().is_some());
    for line in failures {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["span"]["pipeline"], other.name(), "{line}");
    }
    away.resume();
    row_arrives(&other, &mut reader, 2);
    daemon.wait_ready();
    assert_eq!(reader.records().len(), 2, "{}", reader.summary());
    assert!(daemon.terminate().success());
}

#[test]
fn one_that_stops_for_good_leaves_the_other_alone_and_counts_at_the_end() {
    let (server, kafka) = (Postgres::shared(18), Kafka::shared());
    let ((db, mut consumer), (other, mut reader)) = (database(server, "on"), database(server, "over"));
    let mut daemon = several(kafka, &[of(&db), of(&other)]).allow_log(other.name()).start();
    row_arrives(&other, &mut reader, 1);
    other.wait_confirmed(&format!("headwater_{}", other.name()));
    take_slot_away(&other);
    daemon.wait_log("the pipeline has ended; the others go on");
    row_arrives(&db, &mut consumer, 1);
    let health = daemon.get("/healthz").unwrap();
    assert_eq!(health.status, 200);
    assert!(
        health.body.contains(&format!("{}: the pipeline ended with an error", other.name())),
        "{}",
        health.body
    );
    assert_eq!(daemon.get(&format!("/healthz/{}", other.name())).unwrap().status, 503);
    assert_eq!(daemon.get(&format!("/healthz/{}", db.name())).unwrap().status, 200);
    assert_eq!(
        (state(&daemon, db.name()).as_str(), state(&daemon, other.name()).as_str()),
        ("streaming", "failed")
    );
    let failed = daemon.metrics().get("headwater_state", &[("pipeline", other.name()), ("state", "failed")]);
    assert_eq!(failed, Some(1.0));
    assert_eq!(daemon.terminate().code(), Some(69), "{}", daemon.log());
    assert!(daemon.log().contains("stopped"), "the other drained");
}

#[test]
fn the_process_ends_with_the_last_of_its_pipelines() {
    let (server, kafka) = (Postgres::shared(18), Kafka::shared());
    let (one, other) = (database(server, "first"), database(server, "last"));
    let mut daemon = several(kafka, &[of(&one.0), of(&other.0)]).allow_log("").start();
    for (db, mut consumer) in [one, other] {
        daemon.assert_running();
        row_arrives(&db, &mut consumer, 1);
        db.wait_confirmed(&format!("headwater_{}", db.name()));
        take_slot_away(&db);
        daemon.wait_log(&format!("slot \\\"headwater_{}\\\" does not exist", db.name()));
    }
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(69), "{}", daemon.log());
}
