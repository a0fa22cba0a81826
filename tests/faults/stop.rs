//! The end of the daemon: in order when it can, soon when it cannot, and nothing lost either way.

use std::time::{Duration, Instant};

use super::verify::Truth;
use super::{await_events, broker, daemon, reader, slot, workload};
use crate::support::{DEADLINE, Daemon, Db, Kafka, Postgres, free_port, wait_until};

#[test]
fn sigterm_and_sigint_under_load_drain_and_send_nothing_again() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).start();
    let load = workload::begin(&db, 2, 30_000, 0.1);
    for (signal, events) in [("TERM", 2_000), ("INT", 3_000), ("TERM", 500)] {
        await_events(&daemon, events);
        daemon.signal(signal);
        assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
        let confirmed = released(&db);
        daemon.resume();
        daemon.wait_ready();
        assert_eq!(start_lsn(&daemon), confirmed, "the slot was confirmed up to the last checkpoint");
    }
    load.finish();
    let truth = Truth::read(&db);
    truth.exactly_once(&mut reader(&db, kafka));
    let log = daemon.log();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(!log.contains("session failed"), "{log}");
}

#[test]
fn what_was_drained_is_not_read_again() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).start();
    workload::write(&db, 3_000);
    let truth = Truth::read(&db);
    truth.await_all(&mut reader(&db, kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
    daemon.resume();
    daemon.wait_ready();
    db.exec("insert into journal (v) values (0)");
    Truth::read(&db).exactly_once(&mut reader(&db, kafka));
    let metrics = daemon.metrics();
    assert_eq!(metrics.get("headwater_events_total", &[]), Some(1.0));
    assert_eq!(metrics.get("headwater_events_skipped_total", &[("reason", "replayed")]), Some(0.0));
}

#[test]
fn with_kafka_down_the_end_comes_within_the_drain_timeout() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), broker());
    workload::prepare(&db);
    let mut daemon = daemon(&db, &kafka)
        .set("limits.drain_timeout", "2s")
        .allow_log("stopped before everything read was durable")
        .start();
    workload::write(&db, 2_000);
    Truth::read(&db).await_all(&mut reader(&db, &kafka));
    kafka.pause();
    workload::write(&db, 20_000);
    daemon.wait_metric("headwater_queue_records", |count| count > 0.0);
    let asked = Instant::now();
    daemon.signal("TERM");
    let status = daemon.wait_exit(DEADLINE);
    // The producer is given some seconds to let go.
    assert!(asked.elapsed() < Duration::from_secs(2 + 5), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(75), "{}", daemon.log());
    kafka.resume();
    daemon.resume();
    Truth::read(&db).exactly_once(&mut reader(&db, &kafka));
}

#[test]
fn a_second_signal_ends_at_once_and_loses_nothing() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), broker());
    workload::prepare(&db);
    let mut daemon = daemon(&db, &kafka).set("limits.drain_timeout", "60s").start();
    workload::write(&db, 2_000);
    kafka.pause();
    workload::write(&db, 20_000);
    daemon.wait_metric("headwater_queue_records", |count| count > 0.0);
    daemon.signal("TERM");
    daemon.wait_log("draining");
    let asked = Instant::now();
    daemon.signal("INT");
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(75));
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    kafka.resume();
    daemon.resume();
    Truth::read(&db).exactly_once(&mut reader(&db, &kafka));
}

#[test]
fn a_start_that_reaches_nobody_ends_soon() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    let nowhere = free_port();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().port();
    let unreachable = [
        daemon(&db, kafka).source_url(db.url_at(nowhere)),
        daemon(&db, kafka).source_url(db.url_at(silent)),
        daemon(&db, kafka).brokers(format!("127.0.0.1:{nowhere}")),
        daemon(&db, kafka).brokers(format!("127.0.0.1:{silent}")),
    ];
    for builder in unreachable {
        let mut daemon = builder.spawn();
        wait_until(DEADLINE, "answer", || daemon.get("/healthz").is_ok_and(|page| page.status == 200));
        let asked = Instant::now();
        assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
}

/// Where the slot is once the server has let go of it.
fn released(db: &Db) -> String {
    let active = format!("select active from pg_replication_slots where slot_name = '{}'", slot(db));
    wait_until(DEADLINE, "free slot", || db.value(&active) == "f");
    db.confirmed_flush_lsn(&slot(db)).unwrap()
}

/// Where the last session started, from the log.
fn start_lsn(daemon: &Daemon) -> String {
    let log = daemon.log();
    let line = log.lines().rev().find(|line| line.contains("\"streaming\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["start_lsn"].as_str().unwrap().to_owned()
}
