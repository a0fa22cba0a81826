//! Transactions that are streamed while they are in progress, and what goes wrong with their spool.

use rand::Rng as _;

use super::verify::Truth;
use super::{await_events, daemon, events, reader, seeded, workload};
use crate::support::daemon::Builder;
use crate::support::{DEADLINE, Daemon, Db, Kafka, Postgres, Session, wait_until};

/// A database whose server streams whatever is larger than 64 kB.
fn database() -> Db {
    let db = Postgres::shared(18).database("faults");
    workload::prepare(&db);
    db.exec(&format!("alter database {} set logical_decoding_work_mem = '64kB'", db.name()));
    db
}

fn streaming(db: &Db) -> Builder {
    daemon(db, Kafka::shared()).set("limits.spool_dir", ".").set("checkpoint.interval", "1ms")
}

/// A transaction in progress: `rows` inserts for an owner, and other changes of them, with savepoints rolled back.
fn begin_large(db: &Db, owner: i32, rows: usize) -> Session {
    let session = db.connect();
    session.exec(&format!(
        "begin; insert into item (owner, v, note) select {owner}, 0, repeat('n', 100) from generate_series(1, {rows});
         savepoint one; update item set v = v + 1 where owner = {owner} and id % 2 = 0;
         savepoint two; delete from item where owner = {owner} and id % 5 = 1; release two; rollback to one;
         update item set v = v + 1 where owner = {owner} and id % 3 = 0;
         delete from item where owner = {owner} and id % 3 = 1"
    ));
    session
}

fn fallbacks(daemon: &Daemon, reason: &str) -> Option<f64> {
    daemon.metrics().get("headwater_spool_fallbacks_total", &[("reason", reason)])
}

#[test]
fn every_event_comes_once_over_kills_while_transactions_are_streamed() {
    let (db, changes) = (database(), 40_000);
    let mut random = seeded("every_event_comes_once_over_kills_while_transactions_are_streamed");
    let mut daemon = streaming(&db).set("kafka.commit_max_bytes", "1MiB").start();
    let large = begin_large(&db, 8, 20_000);
    let load = workload::begin(&db, 2, changes, 0.3);
    for _ in 0..4 {
        await_events(&daemon, random.random_range(1..4_000));
        daemon.restart();
    }
    load.finish();
    // The slot moves past rows of the transaction in progress, and the server sends them again all the same.
    db.wait_confirmed(&super::slot(&db));
    daemon.restart();
    large.exec("commit");
    for owner in [10, 11] {
        let large = begin_large(&db, owner, 20_000);
        daemon.wait_metric("headwater_spool_transactions", |held| held >= 1.0);
        let before = events(&daemon);
        large.exec("commit");
        // In the middle of its rows, read back from the spool. They come again whole or streamed, as the server likes.
        await_events(&daemon, before + random.random_range(1000..8000));
        daemon.restart();
    }
    let truth = Truth::read(&db);
    truth.exactly_once(&mut reader(&db, Kafka::shared()));
    let metrics = daemon.metrics();
    assert!(metrics.get("headwater_events_skipped_total", &[("reason", "replayed")]) > Some(0.0));
    println!("peak memory of the unoptimized daemon: {} KiB", daemon.peak_memory_bytes() / 1024);
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// Without Kafka transactions a session that just ended would repeat what it had not sealed.
#[test]
fn a_full_spool_falls_back_without_loss_or_repeats() {
    let db = database();
    let mut daemon = streaming(&db)
        .set("limits.spool", "1MiB")
        .set("kafka.delivery", "at_least_once")
        .allow_log("more than limits.spool, 1048576 bytes")
        .start();
    let small = begin_large(&db, 8, 1000);
    daemon.wait_metric("headwater_spool_bytes", |bytes| bytes > 0.0);
    let load = workload::begin(&db, 1, 20_000, 0.1);
    let large = begin_large(&db, 9, 20_000);
    wait_until(DEADLINE, "fallback", || fallbacks(&daemon, "full") > Some(0.0));
    daemon.wait_metric("headwater_spool_capacity_bytes", |bytes| bytes == 0.0);
    small.exec("commit");
    large.exec("commit");
    load.finish();
    assert_eq!(Truth::read(&db).at_least_once(&mut reader(&db, Kafka::shared())), 0, "repeats");
    assert_eq!(super::restarts(&daemon), 0, "it is no failure");
    assert_eq!(fallbacks(&daemon, "full"), Some(1.0), "and is not tried again at once");
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// A disk that is not there or cannot be written is no reason not to run.
#[test]
fn a_directory_that_cannot_be_used_is_told_and_done_without() {
    let db = database();
    let missing = daemon(&db, Kafka::shared()).set("limits.spool_dir", "/nowhere/spool");
    crate::operator::check(missing).expect(
        0,
        &[
            "WARN  limits.spool_dir: cannot create the spool /nowhere/spool/",
            "No such file or directory",
            "install -d",
        ],
    );
    let mut daemon = daemon(&db, Kafka::shared())
        .set("limits.spool_dir", "/nowhere/spool")
        .allow_log("limits.spool_dir cannot be used")
        .start();
    assert_eq!(fallbacks(&daemon, "disk"), Some(1.0));
    begin_large(&db, 8, 2000).exec("commit");
    Truth::read(&db).exactly_once(&mut reader(&db, Kafka::shared()));
    assert_eq!(daemon.terminate().code(), Some(0));
}
