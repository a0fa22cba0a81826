//! Transactions that the server sends while they are in progress: the records are the same, byte for byte, as those of a
//! daemon that has them sent whole.

use std::fs;

use serde_json::Value;

use super::Pipeline;
use crate::support::{ConsumedRecord, Consumer, Daemon, Db, Kafka, Postgres, wait_until};

/// A server with so little memory for decoding that everything is streamed.
const SETUP: &str = "create table t (id int primary key, v text);
    create table u (id int primary key, v text); alter table u replica identity full;
    create table unseen (id int primary key, v text);
    do $$ begin execute format('alter database %I set logical_decoding_work_mem = ''64kB''', current_database()); end $$";

/// Two daemons on one log, one with a spool.
struct Both {
    whole: Daemon,
    consumer: Consumer,
    streamed: Pipeline,
    name: String,
    version: u32,
}

impl Both {
    #[track_caller]
    fn start(version: u32) -> Self {
        let streamed = Pipeline::on(Postgres::shared(version), SETUP, |builder| {
            builder
                .set("limits.spool_dir", ".")
                .set("source.exclude_tables", vec!["public.unseen"])
                .set("topics.partitions", 1)
        });
        let name = format!("{}-whole", streamed.db.name());
        let whole = Daemon::builder(&streamed.db, Kafka::shared())
            .set("name", name.as_str())
            .set("checkpoint.interval", "1ms")
            .set("source.exclude_tables", vec!["public.unseen"])
            .set("topics.partitions", 1)
            .start();
        let consumer = Kafka::shared().consumer(&format!("{name}."));
        let mut both = Self { whole, consumer, streamed, name, version };
        // The first event knows no commit before, and their slots began at different ones.
        both.db().exec("insert into u values (0, 'first')");
        both.records();
        both
    }

    fn db(&self) -> &Db {
        &self.streamed.db
    }

    /// That there are as many records as `least`, and the same.
    #[track_caller]
    fn compare(&mut self, least: usize) -> Vec<ConsumedRecord> {
        let (whole, records) = self.records();
        let (expected, found) = (comparable(&whole, &self.name), comparable(&records, self.db().name()));
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(expected, found);
        }
        assert_eq!(expected.len(), found.len());
        assert!(found.len() >= least, "{}", found.len());
        self.assert_streamed();
        records
    }

    /// What both wrote since the last call.
    #[track_caller]
    fn records(&mut self) -> (Vec<ConsumedRecord>, Vec<ConsumedRecord>) {
        self.db().wait_confirmed(&self.whole_slot());
        self.consumer.read_to_end();
        (self.consumer.drain(), self.streamed.records())
    }

    /// That the one daemon had transactions streamed and the other had not.
    #[track_caller]
    fn assert_streamed(&self) {
        for (slot, streams) in [(self.streamed.slot(), true), (self.whole_slot(), false)] {
            let sql = format!(
                "select pg_stat_force_next_flush(); select stream_txns > 0 from pg_stat_replication_slots where slot_name = '{slot}'"
            );
            let sql = if self.version < 15 { &sql[sql.find(';').unwrap() + 1..] } else { &sql };
            let rows = || self.db().query(sql).pop().unwrap().swap_remove(0).unwrap();
            wait_until(crate::support::DEADLINE, "statistics of the slot", || (rows() == "t") == streams);
        }
    }

    #[track_caller]
    fn fallbacks(&self, reason: &str) -> Option<f64> {
        let metrics = self.streamed.daemon.metrics();
        metrics.get("headwater_spool_fallbacks_total", &[("reason", reason)])
    }

    fn whole_slot(&self) -> String {
        format!("headwater_{}", self.name.replace('-', "_"))
    }
}

type Content = (String, Option<String>, Value, Value);

/// Everything but the name of the pipeline and its clock, in the order of each topic.
fn comparable(records: &[ConsumedRecord], name: &str) -> Vec<Content> {
    let content = |record: &ConsumedRecord| {
        let mut value = record.json();
        if let Some(value) = value.as_object_mut() {
            // In the envelope they are of our clock, in BEGIN and END of the server's.
            if value.contains_key("source") {
                value.retain(|field, _| !field.starts_with("ts_"));
                value.get_mut("source").map(|source| source["name"].take());
            }
            for field in ["id", "data_collections"] {
                if let Some(field) = value.get_mut(field) {
                    *field = field.to_string().replace(name, "").into();
                }
            }
        }
        let id = record.header("headwater.id").map(str::to_owned);
        (record.topic.replace(name, ""), id, record.key_json(), value)
    };
    let mut all: Vec<_> = records.iter().map(content).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// A statement that inserts `count` rows of a kilobyte.
fn rows(table: &str, first: u32, count: u32) -> String {
    format!(
        "insert into {table} select g, repeat('x', 1000) from generate_series({first}, {}) g",
        first + count - 1
    )
}

/// Savepoints released and rolled back at several depths, before and after blocks of the stream, with transactions of
/// others between.
fn savepoints(db: &Db) {
    let (a, b) = (db.connect(), db.connect());
    a.exec("begin");
    a.exec(&rows("t", 0, 200));
    a.exec("savepoint one");
    a.exec(&rows("t", 1000, 200));
    b.exec("begin");
    b.exec(&rows("t", 50_000, 150));
    a.exec("savepoint two");
    a.exec(&rows("u", 1000, 200));
    a.exec("rollback to two");
    a.exec(&rows("u", 2000, 10));
    a.exec("savepoint three");
    a.exec(&rows("u", 3000, 100));
    a.exec("release three");
    b.exec("savepoint one; update t set id = -id where id between 50000 and 50100; delete from t where id = 50120");
    a.exec("rollback to one");
    a.exec("update t set id = id + 900000 where id < 20; update t set v = 'changed' where id between 20 and 120; delete from t where id between 150 and 160");
    db.exec("insert into u values (-1, 'between')");
    a.exec("savepoint four");
    a.exec(&rows("u", 4000, 100));
    a.exec("release four");
    b.exec(&rows("t", 60_000, 100));
    a.exec("commit");
    b.exec("release one; commit");
    // Everything in subtransactions, as a block with an exception handler does it.
    db.exec(
        "do $$ begin for i in 1..300 loop
           begin
             insert into t values (70000 + i, repeat('y', 800));
             if i % 3 = 0 then raise 'no'; end if;
           exception when raise_exception then insert into u values (70000 + i, 'caught'); end;
         end loop; end $$",
    );
}

/// Rows of other shapes in one transaction, one of them rolled back.
fn shapes(db: &Db) {
    let a = db.connect();
    a.exec("begin");
    a.exec(&rows("t", 100_000, 150));
    a.exec("alter table t add column w int default 7");
    a.exec(&rows("t", 101_000, 150));
    a.exec("savepoint one; alter table t add column gone text default 'gone'");
    a.exec(&rows("t", 102_000, 150));
    a.exec("rollback to one");
    db.exec("insert into u values (-2, 'between')");
    a.exec(&rows("t", 103_000, 150));
    a.exec("alter table t drop column w; create table late (id int primary key, v text)");
    a.exec(&rows("t", 104_000, 150));
    a.exec("commit");
    a.exec("begin");
    a.exec(&rows("t", 105_000, 150));
    a.exec("savepoint one; truncate t, u");
    a.exec(&rows("t", 106_000, 150));
    a.exec("rollback to one; truncate t");
    a.exec(&rows("t", 107_000, 150));
    a.exec("commit");
    db.exec("insert into t values (1, 'after')");
}

/// Transactions that leave nothing, or nothing that is captured.
fn nothing(db: &Db) {
    let a = db.connect();
    a.exec("begin");
    a.exec(&rows("t", 200_000, 300));
    a.exec("rollback");
    a.exec(&rows("unseen", 1, 300));
    db.exec("insert into u values (-3, 'between')");
    a.exec("begin");
    a.exec("savepoint one");
    a.exec(&rows("t", 210_000, 300));
    a.exec("rollback to one");
    a.exec("commit");
    a.exec("begin");
    a.exec(&rows("unseen", 1000, 300));
    a.exec("insert into t values (220000, 'a little')");
    a.exec(&rows("unseen", 2000, 300));
    a.exec("commit");
    db.exec("insert into u values (-4, 'after')");
}

#[track_caller]
fn same(version: u32) {
    let mut both = Both::start(version);
    savepoints(both.db());
    shapes(both.db());
    nothing(both.db());
    let records = both.compare(2000);
    assert!(records.iter().all(|record| !record.json().to_string().contains("gone")));
    let metrics = both.streamed.daemon.metrics();
    let gauge = |name: &str| metrics.get(name, &[]);
    assert_eq!(
        (gauge("headwater_spool_bytes"), gauge("headwater_spool_transactions")),
        (Some(0.0), Some(0.0))
    );
    assert!(gauge("headwater_spool_capacity_bytes") > Some(0.0));
    let left = fs::read_dir(both.streamed.daemon.directory()).unwrap();
    let left =
        left.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "spool"));
    assert_eq!(left.count(), 0, "the file has no name");
    assert_eq!(both.whole.metrics().get("headwater_spool_capacity_bytes", &[]), Some(0.0));
}

#[test]
fn records_are_the_same_on_18() {
    same(18);
}

#[test]
fn records_are_the_same_on_16() {
    same(16);
}

#[test]
fn records_are_the_same_on_14() {
    same(14);
}

/// The position at the origin is not in the stream before the commit, so these are sent whole.
#[test]
fn what_comes_from_a_replication_origin_is_the_same() {
    let mut both = Both::start(18);
    both.streamed.daemon.allow_log("comes from a replication origin");
    let origin = both.db().name().to_owned();
    let session = both.db().connect();
    session.exec(&format!(
        "select pg_replication_origin_create('{origin}'); select pg_replication_origin_session_setup('{origin}')"
    ));
    session.exec("begin");
    session.exec(&rows("t", 0, 300));
    session.exec("select pg_replication_origin_xact_setup('0/1234567', '2020-02-02 02:02:02+00'); commit");
    let records = both.compare(300);
    let from = records.iter().filter(|record| record.json()["source"]["origin_lsn"] == 0x123_4567);
    assert_eq!(from.count(), 300);
    session.exec(&format!(
        "select pg_replication_origin_session_reset(); select pg_replication_origin_drop('{origin}')"
    ));
    assert_eq!(both.fallbacks("origin"), Some(1.0));
}

fn message(transactional: bool, content: &str) -> String {
    format!("select pg_logical_emit_message({transactional}, 'app', '{content}')")
}

#[test]
fn messages_of_transactions_in_progress_are_the_same() {
    let mut both = Both::start(18);
    let (a, b) = (both.db().connect(), both.db().connect());
    a.exec("begin");
    a.exec(&message(true, "first"));
    a.exec(&rows("t", 0, 200));
    a.exec(&message(false, "at once"));
    a.exec("savepoint one");
    a.exec(&message(true, "of a savepoint"));
    a.exec(&rows("t", 1000, 200));
    b.exec("begin");
    b.exec(&rows("t", 50_000, 200));
    b.exec(&message(true, "rolled back"));
    a.exec("release one");
    a.exec(&message(true, "last"));
    b.exec("rollback");
    a.exec("commit");
    let records = both.compare(400);
    let contents: Vec<_> = records
        .iter()
        .filter(|record| record.op() == "m")
        .map(|record| record.json()["message"]["content"].take())
        .collect();
    assert_eq!(contents, ["YXQgb25jZQ==", "Zmlyc3Q=", "b2YgYSBzYXZlcG9pbnQ=", "bGFzdA=="]);
    assert_eq!(both.fallbacks("message"), Some(0.0));
}

/// Which messages went along is not in the stream, so these are sent whole.
#[test]
fn messages_that_a_savepoint_took_along_do_not_come() {
    let mut both = Both::start(18);
    both.streamed.daemon.allow_log("a savepoint was rolled back");
    let session = both.db().connect();
    session.exec("begin");
    session.exec(&message(true, "stays"));
    session.exec(&rows("t", 0, 200));
    session.exec("savepoint one");
    session.exec(&message(true, "gone"));
    session.exec(&rows("t", 1000, 200));
    session.exec("rollback to one");
    session.exec(&message(true, "stays too"));
    session.exec(&rows("t", 2000, 200));
    session.exec("commit");
    let records = both.compare(400);
    let messages: Vec<_> = records
        .iter()
        .filter(|record| record.op() == "m")
        .map(|record| record.json()["message"]["content"].take())
        .collect();
    assert_eq!(messages, ["c3RheXM=", "c3RheXMgdG9v"]);
    assert_eq!(both.fallbacks("message"), Some(1.0));
}

/// PostgreSQL up to 18.1 cannot find a table's old file while it streams a transaction that truncates the table after a
/// savepoint with a change of it was rolled back ("could not map filenumber"); at the commit it can.
#[test]
fn what_the_server_cannot_stream_comes_whole() {
    let mut both = Both::start(18);
    for text in ["could not map filenumber", "sent at their commit from now on"] {
        both.streamed.daemon.allow_log(text);
    }
    // The server decodes it when the table has its new file already.
    assert!(both.streamed.daemon.terminate().success());
    let session = both.db().connect();
    session.exec("begin");
    session.exec(&rows("t", 0, 150));
    session.exec("savepoint one; alter table t add column gone text default 'gone'");
    session.exec(&rows("t", 1000, 150));
    session.exec("rollback to one");
    session.exec(&rows("t", 2000, 150));
    session.exec("truncate t");
    session.exec(&rows("t", 3000, 150));
    session.exec("commit");
    both.streamed.daemon.resume();
    both.compare(300);
    assert_eq!(both.fallbacks("server"), Some(1.0));
}

/// A transaction in progress was sent with a name that is history when it commits: it holds for its own rows alone.
#[test]
fn a_definition_of_a_transaction_in_progress_does_not_outlive_it() {
    let mut pipeline =
        Pipeline::on(Postgres::shared(18), SETUP, |builder| builder.set("limits.spool_dir", "."));
    pipeline.db.exec("alter table t alter v set storage external");
    let session = pipeline.db.connect();
    session.exec("begin");
    session.exec(&rows("t", 0, 300));
    // So large that the server sends it at once, and has nothing left to send at the commit.
    session.exec("insert into t values (300, repeat('x', 100000))");
    pipeline.daemon.wait_metric("headwater_spool_transactions", |held| held >= 1.0);
    pipeline.db.exec(
        "alter publication headwater_NAME set table t (id), u".replace("NAME", pipeline.db.name()).as_str(),
    );
    pipeline.db.exec("insert into t values (-1, 'one'); insert into u values (-1, 'one')");
    session.exec("commit");
    pipeline.db.exec("insert into t values (-2, 'two')");
    let rows = pipeline.rows();
    assert_eq!(rows[0], serde_json::json!({"id": -1}));
    assert_eq!(rows[1]["v"].as_str().unwrap().len(), 1000);
    assert_eq!((rows.len(), &rows[302]), (303, &serde_json::json!({"id": -2})));
}
