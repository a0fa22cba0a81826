//! The first copy of the tables and the changes that follow it, on real servers: each row is there once, as it was at one moment,
//! and no change behind that moment is missing.

mod faults;
mod notifications;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use serde_json::Value;

use crate::support::daemon::Builder;
use crate::support::{ConsumedRecord, Consumer, DEADLINE, Daemon, Db, Kafka, Postgres, wait_until};

/// A daemon that takes a snapshot.
fn daemon(db: &Db, kafka: &Kafka) -> Builder {
    Daemon::builder(db, kafka).set("snapshot.mode", "initial").set("checkpoint.interval", "1ms")
}

fn slot(db: &Db) -> String {
    format!("headwater_{}", db.name())
}

fn reader(db: &Db, kafka: &Kafka) -> Consumer {
    kafka.consumer(&format!("{}.public.", db.name()))
}

fn slots(db: &Db) -> String {
    db.value(&format!("select count(*) from pg_replication_slots where slot_name = '{}'", slot(db)))
}

/// The records of the tables, up to what the database has done by now.
#[track_caller]
fn records(db: &Db, consumer: &mut Consumer) -> Vec<ConsumedRecord> {
    db.wait_confirmed(&slot(db));
    consumer.read_to_end();
    consumer.drain()
}

/// What the records of one table make of it, row by row. A row that is made twice, and a change of one that is not there, is a
/// mistake of the seam between snapshot and stream.
#[track_caller]
fn replay<'a>(records: impl Iterator<Item = &'a ConsumedRecord>) -> BTreeMap<i64, Value> {
    let mut rows = BTreeMap::new();
    for record in records.filter(|record| !record.is_tombstone()) {
        let id = record.key_json()["id"].as_i64().unwrap();
        let after = record.json()["after"].clone();
        let (op, before) = match record.op().as_str() {
            "d" => ("d", rows.remove(&id)),
            op @ ("r" | "c" | "u") => (if op == "u" { "u" } else { "c" }, rows.insert(id, after)),
            other => panic!("{other}"),
        };
        assert_eq!(before.is_some(), op != "c", "{op} of {id}");
    }
    rows
}

#[track_caller]
fn table<'a>(records: &'a [ConsumedRecord], table: &str) -> impl Iterator<Item = &'a ConsumedRecord> {
    let ending = format!(".public.{table}");
    records.iter().filter(move |record| record.topic.ends_with(&ending))
}

fn markers<'a>(records: impl Iterator<Item = &'a ConsumedRecord>) -> Vec<String> {
    let text = |record: &ConsumedRecord| record.json()["source"]["snapshot"].as_str().unwrap().to_owned();
    records.filter(|record| record.op() == "r").map(text).collect()
}

/// The table as it is, in the form of [`replay`].
fn truth(db: &Db, table: &str) -> BTreeMap<i64, Value> {
    let rows = db.value(&format!("select coalesce(json_agg(t order by id), '[]')::text from {table} t"));
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    rows.into_iter().map(|row| (row["id"].as_i64().unwrap(), row)).collect()
}

#[test]
fn nothing_is_missing_or_doubled_between_snapshot_and_stream() {
    for version in [18, 10] {
        seam(version, 1);
    }
}

#[test]
fn several_connections_see_one_moment() {
    let (db, records) = seam(18, 3);
    // The two tables were always changed together.
    let first = |name: &str| -> BTreeSet<String> {
        let read = table(&records, name).filter(|record| record.op() == "r");
        read.map(|record| record.json()["after"]["v"].to_string()).collect()
    };
    assert_eq!(first("a"), first("b"));
    let lsns: BTreeSet<u64> = records
        .iter()
        .filter(|record| record.op() == "r")
        .map(|record| record.json()["source"]["lsn"].as_u64().unwrap())
        .collect();
    assert_eq!(lsns.len(), 1, "{}", db.name());
}

/// Two tables that are written while they are read.
#[track_caller]
fn seam(version: u32, threads: i64) -> (Db, Vec<ConsumedRecord>) {
    const ROWS: usize = 5_000;
    let (db, kafka) = (Postgres::shared(version).database("snapshot"), Kafka::shared());
    db.exec(&format!(
        "create table a (id bigserial primary key, v text, pad text); create table b (like a including all);
         create table empty (id int primary key);
         insert into a (v, pad) select n, repeat('x', 200) from generate_series(1, {ROWS}) n;
         insert into b (v, pad) select n, repeat('x', 200) from generate_series(1, {ROWS}) n"
    ));
    let writer = db.connect();
    let load = thread::spawn(move || {
        for round in 0..400 {
            writer.exec(&format!(
                "begin; insert into a (v) values ('n{round}'); insert into b (v) values ('n{round}');
                 update a set v = 'u{round}' where v = '{0}'; update b set v = 'u{round}' where v = '{0}';
                 delete from a where v = '{1}'; delete from b where v = '{1}'; commit",
                round * 2 + 1,
                round * 2 + 2
            ));
        }
    });
    let mut daemon = daemon(&db, kafka).set("snapshot.threads", threads).start();
    load.join().unwrap();
    let records = records(&db, &mut reader(&db, kafka));
    for name in ["a", "b"] {
        assert_eq!(replay(table(&records, name)), truth(&db, name), "{name} of {version}");
        let read = table(&records, name).filter(|record| record.op() == "r").count();
        let seen = table(&records, name).filter(|record| record.op() != "r").count();
        println!("{version}: {read} rows of {name} were read, {seen} records streamed");
    }
    let ids: BTreeSet<_> = records.iter().map(|record| record.header("headwater.id")).collect();
    assert_eq!(ids.len(), records.len());
    let metrics = daemon.metrics();
    assert_eq!(metrics.get("headwater_snapshots_total", &[("outcome", "completed")]), Some(1.0));
    assert_eq!(metrics.get("debezium_metrics_RemainingTableCount", &[("context", "snapshot")]), Some(0.0));
    assert_eq!(daemon.terminate().code(), Some(0));
    daemon.resume();
    daemon.wait_ready();
    assert!(daemon.log().matches("taking a snapshot").count() == 1, "{}", daemon.log());
    (db, records)
}

#[test]
fn only_reads_the_tables_once_and_leaves_no_slot() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key, v text); insert into t values (1, 'one'), (2, null)");
    let mut daemon = daemon(&db, kafka).set("snapshot.mode", "only").spawn();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
    assert_eq!(slots(&db), "0");
    daemon.resume();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("nothing to do"), "{}", daemon.log());
    let mut consumer = reader(&db, kafka);
    let records = consumer.read_to_end();
    assert_eq!(replay(records.iter()), truth(&db, "t"));
    assert_eq!(markers(records.iter()), ["first", "last"]);
}

#[test]
fn without_transactions_and_to_a_file_it_is_the_same() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key, v text); insert into t select n, n from generate_series(1, 2000) n");
    let mut at_least_once = daemon(&db, kafka).set("kafka.delivery", "at_least_once").start();
    db.exec("insert into t values (0, 'streamed')");
    let records = records(&db, &mut reader(&db, kafka));
    assert_eq!(replay(records.iter()), truth(&db, "t"));
    assert_eq!(at_least_once.terminate().code(), Some(0));
    let builder = Builder::new(&format!("{}_file", db.name())).source_url(db.url());
    let mut to_a_file = builder
        .set("source.publication", slot(&db))
        .set("sink.type", "file")
        .set("sink.path", "events.jsonl")
        .set("snapshot.mode", "only")
        .spawn();
    assert_eq!(to_a_file.wait_exit(DEADLINE).code(), Some(0), "{}", to_a_file.log());
    let lines = std::fs::read_to_string(to_a_file.directory().join("events.jsonl")).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("\"op\":\"r\"")).count(), 2001);
}

#[test]
fn a_slot_that_was_there_stays_and_what_it_holds_comes_behind_the_rows() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key, v text)");
    let name = slot(&db);
    db.exec(&format!("create publication {name} for table t"));
    db.query(&format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')"));
    db.exec("insert into t values (1, 'one')");
    let _daemon = daemon(&db, kafka).allow_log("the slot is older than the snapshot").start();
    db.exec("insert into t values (2, 'two')");
    let records = records(&db, &mut reader(&db, kafka));
    let seen: Vec<_> =
        records.iter().map(|record| (record.op(), record.key_json()["id"].as_i64().unwrap())).collect();
    let expected = [("r", 1), ("c", 1), ("c", 2)];
    assert_eq!(seen, expected.map(|(op, id)| (op.to_owned(), id)));
    assert_eq!(slots(&db), "1");
}

#[test]
fn when_needed_reads_again_what_was_lost() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key, v text); insert into t values (1, 'one')");
    let builder = daemon(&db, kafka).set("snapshot.mode", "when_needed");
    let mut daemon = builder.allow_log("taking another snapshot").start();
    assert_eq!(records(&db, &mut reader(&db, kafka)).len(), 1);
    assert_eq!(daemon.terminate().code(), Some(0));
    db.exec(&format!("select pg_drop_replication_slot('{}')", slot(&db)));
    db.exec("insert into t values (2, 'lost')");
    daemon.resume();
    daemon.wait_ready();
    db.exec("insert into t values (3, 'streamed')");
    let all = records(&db, &mut reader(&db, kafka));
    assert_eq!(replay(all.iter().skip(1)), truth(&db, "t"));
    assert!(daemon.log().contains("does not exist, but the checkpoint says"), "{}", daemon.log());
}

/// What was told of each row, in order: operation and id.
#[track_caller]
fn told(records: &[ConsumedRecord]) -> Vec<String> {
    let records = records.iter().filter(|record| !record.is_tombstone());
    records.map(|record| format!("{}{}", record.op(), record.key_json()["id"])).collect()
}

#[test]
fn always_reads_at_each_start_of_the_process_and_goes_on_where_it_was() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key, v text); insert into t values (1, 'one')");
    let builder = daemon(&db, kafka).set("snapshot.mode", "always").allow_log("session failed");
    let mut daemon = builder.allow_log("taking another snapshot").start();
    db.exec("insert into t values (2, 'two')");
    let mut consumer = reader(&db, kafka);
    assert_eq!(told(&records(&db, &mut consumer)), ["r1", "c2"]);
    // A session that is opened again is no start.
    db.exec(&format!(
        "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = '{}'",
        slot(&db)
    ));
    daemon.wait_metric("headwater_restarts_total", |times| times >= 1.0);
    db.exec("insert into t values (3, 'three')");
    assert_eq!(told(&records(&db, &mut consumer)), ["c3"]);
    assert_eq!(daemon.terminate().code(), Some(0));
    db.exec(
        "delete from t where id = 1; update t set v = 'too' where id = 2; insert into t values (4, 'four')",
    );
    daemon.resume();
    daemon.wait_ready();
    db.exec("insert into t values (5, 'five')");
    let second = records(&db, &mut consumer);
    let (mut rows, changes) = (told(&second)[..3].to_vec(), told(&second)[3..].to_vec());
    // Rows come as they lie in the table.
    rows.sort();
    assert_eq!((rows.join(" "), changes.join(" ")), ("r2 r3 r4".into(), "d1 u2 c4 c5".into()));
    let ids: BTreeSet<_> = second.iter().map(|record| record.header("headwater.id")).collect();
    assert_eq!(ids.len(), second.len(), "a tombstone has an id of its own too");
    assert_eq!(daemon.terminate().code(), Some(0));
    // Where nothing is left to go on with, it is the first snapshot again.
    db.exec(&format!("select pg_drop_replication_slot('{}')", slot(&db)));
    db.exec("delete from t where id < 5");
    daemon.resume();
    daemon.wait_ready();
    assert_eq!(told(&records(&db, &mut consumer)), ["r5"]);
}

#[test]
fn rows_and_columns_are_those_of_the_publication() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    let name = slot(&db);
    db.exec(&format!(
        "create table t (id int primary key, v text, hidden text, g int generated always as (id * 2) stored);
         insert into t values (1, 'one', 'x'), (6, 'six', 'x');
         create table parent (id int primary key, v text); create table child () inherits (parent);
         insert into parent values (1, 'parent'); insert into child values (2, 'child');
         create table ev (id int, day int, primary key (id, day)) partition by list (day);
         create table ev_1 partition of ev for values in (1); insert into ev values (7, 1);
         create publication {name} for table t (id, v) where (id > 5), only parent, child, ev with (publish_via_partition_root)"
    ));
    let _daemon = daemon(&db, kafka).set("source.publication_mode", "disabled").start();
    let records = records(&db, &mut reader(&db, kafka));
    let after = |name| -> Vec<String> {
        table(&records, name).map(|record| record.json()["after"].to_string()).collect()
    };
    assert_eq!(after("t"), [r#"{"id":6,"v":"six"}"#]);
    assert_eq!(after("parent"), [r#"{"id":1,"v":"parent"}"#]);
    assert_eq!(after("child"), [r#"{"id":2,"v":"child"}"#]);
    assert_eq!((after("ev"), after("ev_1")), (vec![r#"{"id":7,"day":1}"#.to_owned()], vec![]));
}

#[test]
fn rows_have_the_keys_and_masks_of_changes() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec(
        "create table t (id int primary key, code text not null, secret text, v text);
         insert into t values (1, 'k1', 'hidden', 'one')",
    );
    let masks = toml::Table::from_iter([("public.t.secret".to_owned(), "mask.with.3.chars".into())]);
    let _daemon = daemon(&db, kafka)
        .set("source.key_columns", vec!["public.t:code"])
        .set("source.exclude_columns", vec!["public.t.code"])
        .set("source.mask_columns", masks)
        .start();
    db.exec("insert into t values (2, 'k2', 'hidden', 'two')");
    let records = records(&db, &mut reader(&db, kafka));
    let seen: Vec<_> =
        records.iter().map(|record| (record.key_json(), record.json()["after"].clone())).collect();
    let expected = [(1, "k1", "one"), (2, "k2", "two")].map(|(id, code, v)| {
        (serde_json::json!({"code": code}), serde_json::json!({"id": id, "secret": "***", "v": v}))
    });
    assert_eq!(seen, expected);
}
