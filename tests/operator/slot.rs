//! The slot is not as the checkpoint says: each case has its own sentence, advice and end, and `source.on_gap = "continue"` goes
//! on where that is honest, saying once what is missing.

use std::collections::BTreeSet;

use crate::support::daemon::Builder;
use crate::support::{Consumer, DEADLINE, Daemon, Db, Kafka, Postgres, wait_until};

use super::{Outcome, outcome, outcome_of, set, slot_name, table};

#[test]
fn a_missing_slot_with_a_checkpoint_stops_and_goes_on_when_told_to() {
    let db = Postgres::shared(18).database("slot_missing");
    let mut pipeline = Pipeline::stopped(&db);
    db.exec(&format!("select pg_drop_replication_slot('{}')", slot_name(&db)));
    db.exec("insert into t values (2, 'lost')");
    foreseen(&db, &["does not exist, but the checkpoint says", "set source.on_gap = \"continue\""]);
    let text = format!("slot \\\"{}\\\" does not exist, but the checkpoint says", slot_name(&db));
    pipeline.stops("slot_missing", &[&text.replace('\\', ""), "set source.on_gap = \"continue\""]);
    pipeline.goes_on(&db);
}

#[test]
fn a_slot_ahead_of_the_checkpoint_stops_and_goes_on_when_told_to() {
    let db = Postgres::shared(18).database("slot_ahead");
    let mut pipeline = Pipeline::stopped(&db);
    db.exec("insert into t values (2, 'lost')");
    let slot = slot_name(&db);
    db.exec(&format!("select pg_replication_slot_advance('{slot}', pg_current_wal_lsn())"));
    let at = db.confirmed_flush_lsn(&slot).unwrap();
    foreseen(&db, &[&at, "ahead of the checkpoint at"]);
    pipeline.stops("gap", &[&at, "ahead of the checkpoint at", "source.on_gap = \"continue\""]);
    pipeline.goes_on(&db);
}

#[test]
fn an_invalidated_slot_of_18_stops_and_goes_on_when_told_to() {
    invalidated(18);
}

#[test]
fn an_invalidated_slot_of_14_stops_and_goes_on_when_told_to() {
    invalidated(14);
}

fn invalidated(version: u32) {
    let settings = [("max_slot_wal_keep_size", "1MB"), ("min_wal_size", "32MB"), ("max_wal_size", "32MB")];
    let server = Postgres::start(version, &settings);
    let db = server.database("slot_lost");
    let mut pipeline = Pipeline::stopped(&db);
    db.exec("insert into t values (2, 'lost')");
    wait_until(DEADLINE, "loss of the slot", || {
        db.exec("create table if not exists filler (v int); insert into filler values (1)");
        db.query("select pg_switch_wal()");
        db.exec("checkpoint");
        db.value("select wal_status from pg_replication_slots") == "lost"
    });
    db.exec("drop table filler");
    foreseen(&db, &["was invalidated by the server", "SELECT pg_drop_replication_slot("]);
    pipeline.stops("slot_invalidated", &["was invalidated by the server", "raise max_slot_wal_keep_size"]);
    pipeline.goes_on(&db);
}

#[test]
fn another_cluster_behind_the_address_stops_and_goes_on_when_told_to() {
    let db = Postgres::shared(18).database("slot_cluster");
    let mut pipeline = Pipeline::stopped(&db);
    let other = Postgres::shared(14);
    other.session("postgres").exec(&format!("create database {}", db.name()));
    let other = Db::new(db.name().to_owned(), other.port());
    table(&other);
    set(&pipeline.daemon, "source", "url", other.url());
    let ids: BTreeSet<_> = [&db, &other]
        .map(|db| db.value("select system_identifier from pg_control_system()"))
        .into_iter()
        .collect();
    let parts: Vec<&str> = ids.iter().map(String::as_str).chain(["use another name"]).collect();
    super::check(Daemon::builder(&other, Kafka::shared())).expect(69, &parts);
    pipeline.stops("system_changed", &parts);
    assert_eq!(other.query("select 1 from pg_replication_slots").len(), 0, "nothing was created");
    pipeline.goes_on(&other);
}

type Create<'a> = Box<dyn Fn(&Db, &str) + 'a>;

#[test]
fn a_slot_of_another_kind_is_never_taken() {
    let server = Postgres::shared(18);
    let elsewhere = server.database("slot_elsewhere");
    let create = |function: &'static str| -> Create<'_> {
        Box::new(move |db, slot| db.exec(&format!("select {}", function.replace("{}", slot))))
    };
    let cases: [(Create<'_>, &str); 3] = [
        (create("pg_create_logical_replication_slot('{}', 'test_decoding')"), "test_decoding"),
        (create("pg_create_physical_replication_slot('{}')"), "physical"),
        (
            Box::new(|_, slot| {
                elsewhere.exec(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
            }),
            elsewhere.name(),
        ),
    ];
    for (create, word) in &cases {
        let db = server.database("slot_mismatch");
        table(&db);
        create(&db, &slot_name(&db));
        let state = || {
            db.query("select slot_name, plugin, slot_type, restart_lsn, confirmed_flush_lsn from pg_replication_slots where slot_name like 'headwater_slot_mismatch%'")
        };
        let before = state();
        for on_gap in ["stop", "continue"] {
            let ended = outcome(Daemon::builder(&db, Kafka::shared()).set("source.on_gap", on_gap));
            ended.expect_error(69, "slot_mismatch", &[&slot_name(&db), word, "choose another source.slot"]);
        }
        let checked = super::check(Daemon::builder(&db, Kafka::shared()));
        checked.expect(
            69,
            &[word, "choose another source.slot, or, if nothing uses it: SELECT pg_drop_replication_slot("],
        );
        assert_eq!(state(), before, "nothing is touched");
        server.session("postgres").exec(&format!("select pg_drop_replication_slot('{}')", slot_name(&db)));
    }
}

#[test]
fn a_slot_in_use_is_waited_for_and_taken_over() {
    let db = Postgres::shared(18).database("slot_busy");
    table(&db);
    let mut first = Daemon::builder(&db, Kafka::shared()).start();
    let mut standby = Daemon::builder(&db, Kafka::shared()).allow_log("session failed").spawn();
    standby.wait_metric("headwater_restarts_total", |times| times >= 5.0);
    let metrics = standby.metrics();
    assert_eq!(metrics.get("headwater_state", &[("state", "waiting_for_slot")]), Some(1.0));
    assert!(metrics.get("headwater_errors_total", &[("kind", "slot_busy")]).unwrap() >= 5.0);
    assert_eq!(metrics.get("headwater_errors_total", &[("kind", "sink_fenced")]), Some(0.0));
    let status = standby.status();
    let error = &status["last_error"];
    assert_eq!(
        (status["state"].as_str(), error["kind"].as_str()),
        (Some("waiting_for_slot"), Some("slot_busy"))
    );
    let pid = db.value("select active_pid from pg_replication_slots where database = current_database()");
    let application = format!("application \"headwater/{}\"", db.name());
    for part in [&format!("process {pid}"), &application, "from 127.0.0.1"] {
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    assert!(error["hint"].as_str().unwrap().contains("taken over as soon as it is free"), "{error}");
    assert_eq!(standby.get("/healthz").unwrap().status, 200);
    assert_eq!(standby.get("/readyz").unwrap().status, 503);
    let checked = super::check(Daemon::builder(&db, Kafka::shared()));
    checked
        .expect(69, &["is held by process", &application, &format!("SELECT pg_terminate_backend({pid});")]);
    // The one at work was not disturbed, and the log of the other is not one line a second.
    db.exec("insert into t values (1, 'of the first')");
    let mut consumer = rows(&db);
    consumer.take(1);
    assert_eq!(first.terminate().code(), Some(0));
    standby.wait_ready();
    let tries = standby.metrics().value("headwater_restarts_total");
    let lines = standby.log().lines().filter(|line| line.contains("session failed")).count();
    assert!(tries >= 5.0 && (1..=4).contains(&lines), "{lines} lines for {tries} attempts");
    db.exec("insert into t values (2, 'of the standby')");
    assert_eq!(after(&consumer.take(2)[1]), "of the standby");
    assert_eq!(standby.terminate().code(), Some(0));
}

#[test]
fn a_slot_without_a_checkpoint_is_started_where_it_is() {
    let db = Postgres::shared(18).database("slot_first");
    table(&db);
    let slot = slot_name(&db);
    db.exec(&format!("create publication {slot} for table t"));
    db.exec(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    let at = db.confirmed_flush_lsn(&slot).unwrap();
    db.exec("insert into t values (1, 'before the first start')");
    let mut daemon = Daemon::builder(&db, Kafka::shared()).start();
    assert_eq!(after(&rows(&db).take(1)[0]), "before the first start");
    daemon.wait_log("no checkpoint yet: starting where the slot is");
    assert!(daemon.log().contains(&at), "{}", daemon.log());
}

/// What `headwater check` says of the next start, under each way to go on, and without a change to anything.
#[track_caller]
fn foreseen(db: &Db, parts: &[&str]) {
    let state = || {
        db.query("select slot_name, restart_lsn, confirmed_flush_lsn from pg_replication_slots where database = current_database()")
    };
    let before = state();
    let checked = |key, value| super::check(Daemon::builder(db, Kafka::shared()).set(key, value));
    let stops = checked("source.on_gap", "stop");
    stops.expect(69, parts);
    stops.expect(69, &["not ready: 1 to repair"]);
    let text = |part: &str| !part.contains("source.on_gap") && !part.contains("pg_drop");
    let texts: Vec<&str> = parts.iter().copied().filter(|part| text(part)).collect();
    let continues = checked("source.on_gap", "continue");
    continues.expect(0, &texts);
    continues.expect(0, &["the next start goes on without them"]);
    let reads = checked("snapshot.mode", "when_needed");
    reads.expect(0, &texts);
    reads.expect(0, &["the next start reads the tables again"]);
    assert_eq!(state(), before);
}

/// A daemon that has published the row 1 and was stopped.
struct Pipeline {
    daemon: Daemon,
    consumer: Consumer,
}

impl Pipeline {
    fn stopped(db: &Db) -> Self {
        table(db);
        let builder: Builder = Daemon::builder(db, Kafka::shared());
        let mut daemon = builder.start();
        db.exec("insert into t values (1, 'published')");
        let mut consumer = rows(db);
        consumer.take(1);
        assert_eq!(daemon.terminate().code(), Some(0));
        assert_eq!(daemon.unexpected_log(), Vec::<String>::new());
        // The server's process may outlive its client for a moment.
        wait_until(DEADLINE, "free slot", || {
            db.value(
                "select count(*) from pg_replication_slots where active and database = current_database()",
            ) == "0"
        });
        super::check(Daemon::builder(db, Kafka::shared())).expect(0, &["ok: both sides are ready"]);
        Self { daemon, consumer }
    }

    #[track_caller]
    fn stops(&mut self, kind: &str, parts: &[&str]) {
        self.daemon.resume();
        let ended: Outcome = outcome_of(&mut self.daemon);
        ended.expect_error(69, kind, parts);
    }

    /// With `on_gap = "continue"`: says once what is missing, publishes what comes next, and does not meet the gap again.
    #[track_caller]
    fn goes_on(&mut self, db: &Db) {
        set(&self.daemon, "source", "on_gap", "continue");
        self.daemon.resume();
        self.daemon.wait_ready();
        assert_eq!(self.daemon.metrics().get("headwater_gaps_total", &[]), Some(1.0));
        let gaps = |daemon: &Daemon| {
            let log = daemon.log();
            let lines: Vec<_> = log.lines().filter(|line| line.contains("changes are missing")).collect();
            assert!(lines.iter().all(|line| line.contains("\"level\":\"ERROR\"")), "{log}");
            lines.len()
        };
        assert_eq!(gaps(&self.daemon), 1);
        db.exec("insert into t values (3, 'after the gap')");
        let next = &self.consumer.take(2)[1];
        assert_eq!(after(next), "after the gap");
        assert_eq!(self.daemon.terminate().code(), Some(0));
        set(&self.daemon, "source", "on_gap", "stop");
        self.daemon.resume();
        self.daemon.wait_ready();
        assert_eq!(self.daemon.metrics().get("headwater_gaps_total", &[]), Some(0.0));
        assert_eq!(gaps(&self.daemon), 1);
        db.exec("insert into t values (4, 'as before')");
        assert_eq!(after(&self.consumer.take(3)[2]), "as before");
    }
}

fn rows(db: &Db) -> Consumer {
    Kafka::shared().consumer(&format!("{}.public.t", db.name()))
}

fn after(record: &crate::support::ConsumedRecord) -> String {
    record.json()["after"]["v"].as_str().unwrap_or_default().to_owned()
}
