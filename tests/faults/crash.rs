//! kill -9 of the daemon while it drains.

use rand::Rng as _;
use rand::rngs::StdRng;

use super::verify::Truth;
use super::{await_events, daemon, reader, seeded, workload};
use crate::support::{Daemon, Db, Kafka, Postgres};

/// Kills at random moments, told in events handed over since the start.
const KILLS: usize = 10;

#[test]
fn every_event_comes_once_over_ten_kills() {
    let (db, kafka, changes) = (Postgres::shared(18).database("faults"), Kafka::shared(), 200_000);
    let mut random = seeded("every_event_comes_once_over_ten_kills");
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).start();
    let load = workload::begin(&db, 2, changes, 0.3);
    kill_at_random(&mut daemon, &mut random, 200_000 / 14);
    load.finish();
    let truth = Truth::read(&db);
    assert!(truth.changes() >= changes * 9 / 10, "{}", truth.changes());
    truth.exactly_once(&mut reader(&db, kafka));
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn without_transactions_repeats_have_the_same_ids() {
    let (db, kafka, changes) = (Postgres::shared(18).database("faults"), Kafka::shared(), 200_000);
    let mut random = seeded("without_transactions_repeats_have_the_same_ids");
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).set("kafka.delivery", "at_least_once").start();
    let load = workload::begin(&db, 2, changes, 0.7);
    kill_at_random(&mut daemon, &mut random, 200_000 / 14);
    load.finish();
    let repeats = Truth::read(&db).at_least_once(&mut reader(&db, kafka));
    println!("{repeats} repeats");
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// A transaction far larger than a Kafka transaction may be goes out in parts, and goes on within it.
#[test]
fn a_large_transaction_goes_on_where_it_was_killed() {
    const ROWS: usize = 200_000;
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    let mut random = seeded("a_large_transaction_goes_on_where_it_was_killed");
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).set("kafka.commit_max_bytes", "1MiB").start();
    db.exec(&format!(
        "begin;
         insert into item (owner, v) select 1, 0 from generate_series(1, {});
         update item set v = v + 1 where id % 3 = 0; delete from item where id % 3 = 1; commit;
         insert into journal (v) values (1)",
        ROWS * 3 / 5
    ));
    for _ in 0..3 {
        kill_after(&mut daemon, random.random_range(10_000..50_000));
        assert!(partly_published(&db, &daemon), "{}", daemon.log());
    }
    let truth = Truth::read(&db);
    truth.exactly_once(&mut reader(&db, kafka));
    assert!(daemon.metrics().get("headwater_events_skipped_total", &[("reason", "replayed")]) > Some(0.0));
    println!("peak memory of the unoptimized daemon: {} KiB", daemon.peak_memory_bytes() / 1024);
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// The slot has not passed the transaction that is under way.
fn partly_published(db: &Db, daemon: &Daemon) -> bool {
    let sql = format!(
        "select confirmed_flush_lsn < pg_current_wal_lsn() from pg_replication_slots where slot_name = '{}'",
        super::slot(db)
    );
    db.value(&sql) == "t" && !daemon.log().contains("panicked")
}

fn kill_at_random(daemon: &mut Daemon, random: &mut StdRng, bound: u64) {
    for _ in 0..KILLS {
        // One in four comes before anything is streamed.
        let events = if random.random_ratio(1, 4) { 0 } else { random.random_range(1..bound) };
        kill_after(daemon, events);
    }
}

fn kill_after(daemon: &mut Daemon, count: u64) {
    await_events(daemon, count);
    println!("kill -9 after {count} events");
    daemon.restart();
}
