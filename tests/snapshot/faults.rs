//! A snapshot that does not get to its end, for each reason there is.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::*;
use crate::support::{Auth, Shutdown};

const ROWS: usize = 60_000;

/// A table that takes a while.
fn prepare(db: &Db) {
    db.exec(&format!(
        "create table t (id int primary key, v text);
         insert into t select n, repeat('headwater ', 30) from generate_series(1, {ROWS}) n"
    ));
}

/// In the middle of it.
#[track_caller]
fn under_way(daemon: &mut Daemon) {
    daemon.wait_metric("headwater_snapshot_rows_total", |rows| rows > 2_000.0);
}

/// What readers have at the end: one snapshot in whole, the last one, and every change behind it once.
#[track_caller]
fn whole(db: &Db, kafka: &Kafka) -> Vec<ConsumedRecord> {
    let records = records(db, &mut reader(db, kafka));
    let lsn = |record: &ConsumedRecord| record.json()["source"]["lsn"].as_u64().unwrap();
    let mut snapshots: BTreeMap<u64, usize> = BTreeMap::new();
    for record in records.iter().filter(|record| record.op() == "r") {
        *snapshots.entry(lsn(record)).or_default() += 1;
    }
    let (last, rows) = snapshots.last_key_value().unwrap();
    println!("snapshots by position: {snapshots:?}");
    assert_eq!(*rows, ROWS);
    let of_last =
        |record: &&ConsumedRecord| !record.is_tombstone() && (record.op() != "r" || lsn(record) == *last);
    assert_eq!(replay(records.iter().filter(of_last)), truth(db, "t"));
    let markers = markers(records.iter().filter(of_last));
    for marker in ["first", "last"] {
        assert_eq!(markers.iter().filter(|seen| *seen == marker).count(), 1, "{marker}");
    }
    assert_eq!(slots(db), "1");
    records
}

#[test]
fn kill_9_starts_over_and_loses_nothing() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    prepare(&db);
    let mut daemon = daemon(&db, kafka).allow_log("taking another snapshot").spawn();
    for killed in 0..3 {
        under_way(&mut daemon);
        daemon.kill();
        db.exec(&format!("update t set v = 'changed {killed}' where id = 7; delete from t where id = {ROWS} - {killed}; insert into t values (-1 - {killed}, 'new')"));
        daemon.resume();
    }
    under_way(&mut daemon);
    db.exec("update t set v = 'streamed' where id = 7");
    daemon.wait_ready();
    whole(&db, kafka);
    assert_eq!(daemon.log().matches("the last snapshot was interrupted").count(), 3, "{}", daemon.log());
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn kill_9_beside_what_is_captured_repeats_rows_and_no_change() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    prepare(&db);
    let mut daemon = daemon(&db, kafka).set("snapshot.mode", "always").start();
    for killed in 0..2 {
        db.exec(&format!("insert into t values (-1 - {killed}, 'while it streams')"));
        db.wait_confirmed(&slot(&db));
        assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
        db.exec(&format!("insert into t values (-11 - {killed}, 'while it is stopped'); delete from t where id = 5 - {killed}"));
        daemon.resume();
        under_way(&mut daemon);
        daemon.kill();
        daemon.resume();
        daemon.wait_ready();
    }
    let records = records(&db, &mut reader(&db, kafka));
    let changes = records.iter().filter(|record| !record.is_tombstone() && record.op() != "r");
    let seen: Vec<_> =
        changes.map(|record| (record.op(), record.key_json()["id"].as_i64().unwrap())).collect();
    let expected = [("c", -1), ("c", -11), ("d", 5), ("c", -2), ("c", -12), ("d", 4)];
    assert_eq!(seen, expected.map(|(op, id)| (op.to_owned(), id)));
    let last = markers(records.iter()).iter().filter(|marker| *marker == "last").count();
    assert_eq!(last, 3, "of the first, and of one after each kill");
    assert_eq!(slots(&db), "1");
}

#[test]
fn sigterm_ends_it_at_once_and_leaves_no_slot() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    prepare(&db);
    let mut daemon = daemon(&db, kafka).allow_log("taking another snapshot").spawn();
    under_way(&mut daemon);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
    assert_eq!(slots(&db), "0");
    daemon.resume();
    daemon.wait_ready();
    whole(&db, kafka);
}

/// The server that these tests may break, one at a time.
fn server() -> std::sync::MutexGuard<'static, Postgres> {
    static SERVER: LazyLock<Mutex<Postgres>> = LazyLock::new(|| Mutex::new(Postgres::start(18, &[])));
    SERVER.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_restart_of_the_database_starts_it_over() {
    let (server, kafka) = (server(), Kafka::shared());
    let db = server.database("snapshot");
    prepare(&db);
    let mut daemon = daemon(&db, kafka)
        .set("snapshot.threads", 2)
        .allow_log("taking another snapshot")
        .allow_log("session failed")
        .spawn();
    under_way(&mut daemon);
    server.restart(Shutdown::Immediate);
    daemon.wait_ready();
    whole(&db, kafka);
    let metrics = daemon.metrics();
    assert!(metrics.get("headwater_snapshots_total", &[("outcome", "failed")]) >= Some(1.0));
    assert_eq!(metrics.get("headwater_snapshots_total", &[("outcome", "completed")]), Some(1.0));
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn an_outage_of_kafka_only_delays_it() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::start());
    prepare(&db);
    let mut daemon = daemon(&db, &kafka).allow_log("no Kafka broker is reachable").spawn();
    under_way(&mut daemon);
    kafka.pause();
    // Nothing is read any more once the buffers are full, or everything is read; either way the server still holds the snapshot.
    wait_until(DEADLINE, "work that waits", || {
        daemon.get("/metrics").is_ok_and(|page| {
            crate::support::metrics::Metrics::parse(&page.body).value("headwater_queue_records") > 0.0
        })
    });
    kafka.resume();
    daemon.wait_ready();
    whole(&db, &kafka);
    assert_eq!(daemon.log().matches("taking a snapshot").count(), 1, "{}", daemon.log());
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// When all is read, a checkpoint that needs the slot may become durable though nobody hears of it any more.
#[test]
fn a_stop_while_the_end_is_committed_leaves_the_slot() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::start());
    db.exec("create table t (id int primary key, v text); insert into t values (1, 'one')");
    let writer = db.connect();
    writer.exec("begin; insert into t values (2, 'two')");
    let mut daemon = daemon(&db, &kafka)
        .set("limits.drain_timeout", "1s")
        .allow_log("no Kafka broker is reachable")
        .allow_log("taking another snapshot")
        .spawn();
    daemon.wait_log("it waits for transactions that are in progress");
    kafka.pause();
    writer.exec("commit");
    daemon.wait_log("read a table");
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
    assert_eq!(slots(&db), "1");
    kafka.resume();
    daemon.resume();
    daemon.wait_ready();
    db.exec("insert into t values (3, 'streamed')");
    let records = records(&db, &mut reader(&db, &kafka));
    assert_eq!(replay(records.iter()), truth(&db, "t"));
    assert_eq!(slots(&db), "1");
}

#[test]
fn a_table_that_may_not_be_read_is_told_before_anything_is_made() {
    let server = Postgres::shared(18);
    let (db, kafka) = (server.database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key); create table secret (id int primary key)");
    let role = server.role("snapshot_reader", Auth::Trust, "");
    db.exec(&format!(
        "alter role {role} replication; grant select on t to {role}; create publication {} for table t, secret",
        slot(&db)
    ));
    let mut daemon = daemon(&db, kafka)
        .source_url(db.url().replace("postgres@", &format!("{role}@")))
        .set("source.publication_mode", "disabled")
        .allow_log("for want of SELECT")
        .allow_log("in the way")
        .spawn();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(69), "{}", daemon.log());
    assert!(daemon.log().contains("GRANT SELECT ON"), "{}", daemon.log());
    assert!(daemon.log().contains("\\\"secret\\\""), "{}", daemon.log());
    assert_eq!(slots(&db), "0");
}

/// A slot waits for whoever holds such a lock, as for every transaction that writes; what takes no slot meets the lock itself.
#[test]
fn a_locked_table_is_waited_for_and_told() {
    let (server, kafka) = (server(), Kafka::shared());
    let db = server.database("snapshot");
    db.exec(&format!(
        "create table t (id int primary key, v text); insert into t values (1, 'one');
         create publication {} for table t",
        slot(&db)
    ));
    let locker = db.connect();
    locker.exec("begin; lock table t in access exclusive mode");
    let mut daemon = daemon(&db, kafka)
        .set("snapshot.mode", "only")
        .set("source.publication_mode", "disabled")
        .set("snapshot.lock_timeout", "50ms")
        .allow_log("session failed")
        .allow_log("taking another snapshot")
        .spawn();
    daemon.wait_log("or raise snapshot.lock_timeout");
    locker.exec("rollback");
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
    assert_eq!(reader(&db, kafka).read_to_end().len(), 1);
}

#[test]
fn one_that_fails_at_the_same_place_each_time_is_given_up() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key, v text); insert into t select n, n from generate_series(1, 500) n");
    let statement = "select id / (id - 400) as id, v from t";
    let overrides = toml::Table::from_iter([("public.t".to_owned(), statement.into())]);
    let mut daemon = daemon(&db, kafka)
        .set("snapshot.select_statement_overrides", overrides)
        .set("retry.give_up_after", "500ms")
        .allow_log("division by zero")
        .allow_log("taking another snapshot")
        .spawn();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(75), "{}", daemon.log());
    assert_eq!(slots(&db), "0");
}

#[test]
fn a_wrong_statement_ends_it_and_leaves_no_slot() {
    let kafka = Kafka::shared();
    let db = Postgres::shared(18).database("snapshot");
    db.exec("create table t (id int primary key, v text)");
    let mut overrides = toml::Table::new();
    overrides.insert("public.t".to_owned(), "SELECT id FROM t".into());
    let mut daemon = daemon(&db, kafka)
        .set("snapshot.select_statement_overrides", overrides)
        .allow_log("select_statement_overrides")
        .spawn();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(64), "{}", daemon.log());
    assert_eq!(slots(&db), "0");
}
