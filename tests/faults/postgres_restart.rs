//! The database goes away, or the way to it: what was published counts, the rest comes again, the server is never held up.

use std::time::{Duration, Instant};

use super::verify::Truth;
use super::{await_events, broker, counter, daemon, events, reader, restarts, server, slot, workload};
use crate::support::{DEADLINE, Kafka, Postgres, Proxy, Shutdown, wait_until};

#[test]
fn restarts_lose_and_double_nothing() {
    let (server, kafka) = (server(), Kafka::shared());
    let db = server.database("faults");
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).start();
    for (how, seed) in [(Shutdown::Fast, 0.1), (Shutdown::Immediate, 0.2), (Shutdown::Immediate, 0.3)] {
        let before = events(&daemon);
        let load = workload::begin(&db, 2, 15_000, seed);
        await_events(&daemon, before + 500);
        let asked = Instant::now();
        server.stop(how);
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(15), "{how:?} shutdown took {took:?}");
        load.interrupted();
        server.resume();
    }
    workload::write(&db, 2_000);
    Truth::read(&db).exactly_once(&mut reader(&db, kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// With its brokers away the daemon cannot confirm what a shutdown waits for; it lets go instead.
#[test]
fn a_shutdown_does_not_wait_for_kafka() {
    let (server, kafka) = (server(), broker());
    let db = server.database("faults");
    workload::prepare(&db);
    let mut daemon = daemon(&db, &kafka).start();
    kafka.pause();
    workload::write(&db, 20_000);
    daemon.wait_metric("headwater_queue_records", |count| count > 0.0);
    let asked = Instant::now();
    server.stop(Shutdown::Fast);
    let took = asked.elapsed();
    println!("the shutdown took {took:?}");
    server.resume();
    kafka.resume();
    assert!(took < Duration::from_secs(15), "{took:?}");
    Truth::read(&db).exactly_once(&mut reader(&db, &kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn ended_backends_and_cut_connections_lose_and_double_nothing() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    workload::prepare(&db);
    let proxy = Proxy::start(db.port());
    let mut daemon = daemon(&db, kafka).source_url(db.url_at(proxy.port())).start();
    let load = workload::begin(&db, 2, 40_000, 0.5);
    for round in 0..8 {
        let (before, failed) = (events(&daemon), restarts(&daemon));
        wait_until(DEADLINE, "some events", || events(&daemon) > before + 300 || load.is_finished());
        if round % 2 == 0 {
            db.query(&format!(
                "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '{}'",
                slot(&db)
            ));
        } else {
            proxy.cut();
        }
        wait_until(DEADLINE, "end of the session", || restarts(&daemon) > failed);
        daemon.wait_ready();
    }
    load.finish();
    Truth::read(&db).exactly_once(&mut reader(&db, kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// A peer that is gone without a word, behind something that keeps the connection open.
#[test]
fn a_silent_server_is_noticed() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    workload::prepare(&db);
    let proxy = Proxy::start(db.port());
    let mut daemon = daemon(&db, kafka)
        .source_url(db.url_at(proxy.port()))
        .set("source.wal_sender_timeout", "3s")
        .set("source.status_interval", "1s")
        .set("source.connect_timeout", "2s")
        .start();
    workload::write(&db, 1_000);
    let truth = Truth::read(&db);
    truth.await_all(&mut reader(&db, kafka));
    proxy.pause();
    let silent = Instant::now();
    wait_until(DEADLINE, "end of the session", || restarts(&daemon) >= 1);
    println!("noticed after {:?}", silent.elapsed());
    assert!(silent.elapsed() < Duration::from_secs(10), "{:?}", silent.elapsed());
    workload::write(&db, 1_000);
    proxy.cut();
    proxy.resume();
    wait_until(DEADLINE, "ready daemon", || daemon.get("/readyz").is_ok_and(|page| page.status == 200));
    Truth::read(&db).exactly_once(&mut reader(&db, kafka));
    // Silence of a server that has nothing to say is no reason.
    let (failed, updates) = (restarts(&daemon), counter(&daemon, "headwater_status_updates_total"));
    wait_until(DEADLINE, "updates", || counter(&daemon, "headwater_status_updates_total") > updates + 8);
    assert_eq!(restarts(&daemon), failed);
    assert_eq!(daemon.terminate().code(), Some(0));
}
