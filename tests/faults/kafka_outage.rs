//! The brokers go away: the database notices nothing, memory stays where it is, and afterwards all is there once.

use std::time::{Duration, Instant};

use super::verify::Truth;
use super::{await_events, broker, counter, daemon, events, pass, reader, restarts, seeded, slot, workload};
use crate::support::proxy::Direction;
use crate::support::{DEADLINE, Daemon, Db, Postgres, wait_for, wait_until};
use rand::Rng as _;

/// `limits.memory` by default.
const MEMORY_BYTES: u64 = 64 * 1024 * 1024;

#[test]
fn an_outage_keeps_the_session_and_the_memory() {
    let kept_session = outage_under_load(Duration::from_secs(30));
    assert!(kept_session);
}

/// Coordinators end a transaction after a minute by default: the session may be another afterwards, memory and events are not.
#[test]
fn an_outage_longer_than_a_kafka_transaction_keeps_the_memory() {
    outage_under_load(Duration::from_secs(65));
}

/// Brokers stand still for so long while two clients write. Whether the session is still the same afterwards.
fn outage_under_load(outage: Duration) -> bool {
    let (db, kafka) = (Postgres::shared(18).database("faults"), broker());
    workload::prepare(&db);
    let mut daemon = daemon(&db, &kafka)
        .set("source.wal_sender_timeout", "5s")
        .set("source.status_interval", "1s")
        .start();
    let load = workload::begin(&db, 2, 80_000, 0.2);
    await_events(&daemon, 5_000);
    let session = walsender(&db);
    kafka.pause();
    let began = Instant::now();
    wait_until(DEADLINE, "unhealthy daemon", || health(&daemon) == 503);
    assert_eq!(daemon.get("/readyz").unwrap().status, 200);
    let (confirmed, processor_before) = (db.confirmed_flush_lsn(&slot(&db)), processor_time(&daemon));
    // From when all buffers are full until the Kafka transaction times out, behind which another session fills them again.
    pass(outage.min(Duration::from_secs(55)).saturating_sub(began.elapsed()));
    let processor = processor_time(&daemon) - processor_before;
    pass(outage.saturating_sub(began.elapsed()));
    assert_eq!(db.confirmed_flush_lsn(&slot(&db)), confirmed, "what Kafka does not hold was confirmed");
    kafka.resume();
    wait_until(DEADLINE, "healthy daemon", || health(&daemon) == 200);
    load.finish();
    let truth = Truth::read(&db);
    truth.exactly_once(&mut reader(&db, &kafka));
    let (restarts, peak) = (restarts(&daemon), daemon.peak_memory_bytes());
    println!(
        "{restarts} sessions failed; peak memory {} KiB; {processor} s of processor time in the outage",
        peak / 1024
    );
    assert!(peak < MEMORY_BYTES, "{peak} bytes");
    assert!(processor <= 2, "{processor} s of processor time for nothing");
    let kept_session = walsender(&db) == session && restarts == 0;
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
    kept_session
}

/// The broker goes with a transaction open, by SIGKILL and in order, and comes back.
#[test]
fn a_broker_that_restarts_loses_and_doubles_nothing() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), broker());
    workload::prepare(&db);
    let mut daemon = daemon(&db, &kafka).start();
    let load = workload::begin(&db, 2, 60_000, 0.4);
    for kill in [true, false] {
        await_events(&daemon, events(&daemon) + 3_000);
        if kill {
            kafka.kill();
            kafka.resume_stopped();
        } else {
            kafka.restart();
        }
    }
    load.finish();
    Truth::read(&db).exactly_once(&mut reader(&db, &kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn cut_connections_lose_and_double_nothing() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), broker());
    let mut random = seeded("cut_connections_lose_and_double_nothing");
    workload::prepare(&db);
    let proxy = kafka.proxy();
    let mut daemon = daemon(&db, &kafka).brokers(proxy.address()).start();
    let load = workload::begin(&db, 2, 40_000, 0.6);
    for _ in 0..12 {
        let direction = if random.random_bool(0.5) { Direction::ToServer } else { Direction::ToClient };
        let bytes = match direction {
            Direction::ToServer => random.random_range(1..200_000),
            Direction::ToClient => random.random_range(1..2_000),
        };
        println!("cut after {bytes} bytes {direction:?}");
        let accepted = proxy.accepted();
        proxy.cut_after(direction, bytes);
        // What was cut connects again, unless all is said.
        wait_until(DEADLINE, "new connection", || proxy.accepted() > accepted || load.is_finished());
    }
    load.finish();
    Truth::read(&db).exactly_once(&mut reader(&db, &kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// The coordinator ends the transaction of a producer that is silent for too long: a new one does it again.
#[test]
fn a_transaction_that_timed_out_is_replayed() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let (db, kafka) = (Postgres::shared(18).database("faults"), broker());
    workload::prepare(&db);
    let proxy = kafka.proxy();
    let mut daemon = daemon(&db, &kafka)
        .brokers(proxy.address())
        .kafka_property("transaction.timeout.ms", &TIMEOUT.as_millis().to_string())
        .start();
    for round in 1..=4 {
        let seed = f64::from(round) / 10.0;
        let before = events(&daemon);
        let load = workload::begin(&db, 1, 15_000, seed);
        await_events(&daemon, before + 1_000);
        // The broker lives, so that its clock runs.
        proxy.pause();
        pass(TIMEOUT + Duration::from_millis(2_500));
        proxy.resume();
        load.finish();
        Truth::read(&db).exactly_once(&mut reader(&db, &kafka));
    }
    println!("{} sessions failed", restarts(&daemon));
    assert!(restarts(&daemon) > 0, "no transaction has timed out");
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// The process that serves the stream.
fn walsender(db: &Db) -> String {
    let sql = format!("select active_pid from pg_replication_slots where slot_name = '{}'", slot(db));
    wait_for(DEADLINE, "walsender", || db.query(&sql).pop()?.pop()?)
}

fn health(daemon: &Daemon) -> u16 {
    daemon.get("/healthz").unwrap().status
}

/// In whole seconds.
fn processor_time(daemon: &Daemon) -> u64 {
    counter(daemon, "process_cpu_seconds_total")
}
