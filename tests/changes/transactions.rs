//! Transactions as units: in the order of their commits, never interleaved, without what was rolled back.

use serde_json::json;

use super::{Pipeline, id};

const SETUP: &str = "create table t (id int primary key, who text)";

#[test]
fn transactions_come_in_the_order_of_their_commits() {
    let mut pipeline = Pipeline::start(SETUP);
    let (a, b) = (pipeline.db.connect(), pipeline.db.connect());
    a.exec("begin");
    a.exec("insert into t values (1, 'a')");
    b.exec("begin");
    b.exec("insert into t values (2, 'b')");
    a.exec("insert into t values (3, 'a')");
    b.exec("insert into t values (4, 'b')");
    b.exec("commit");
    a.exec("insert into t values (5, 'a')");
    a.exec("commit");
    let events = pipeline.events();
    let rows: Vec<_> = events.iter().map(|record| record.json()["after"]["id"].as_u64().unwrap()).collect();
    assert_eq!(rows, [2, 4, 1, 3, 5]);
    let ids: Vec<_> = events.iter().map(id).collect();
    assert!(ids.is_sorted(), "commit LSN, then ordinal: {ids:?}");
    assert_eq!(ids.iter().map(|id| id.1).collect::<Vec<_>>(), [1, 2, 1, 2, 3]);
    let lsn = |index: usize| events[index].json()["source"]["lsn"].as_u64().unwrap();
    assert!(lsn(2) < lsn(0), "the later commit began earlier in the log");
}

#[test]
fn what_was_rolled_back_is_never_seen() {
    let mut pipeline = Pipeline::start(SETUP);
    pipeline.db.exec("begin; insert into t values (1, 'gone'); rollback");
    pipeline.db.exec(
        "begin; insert into t values (2, 'stays'); savepoint s; insert into t values (3, 'gone');
         rollback to s; insert into t values (4, 'stays'); savepoint r; insert into t values (5, 'stays'); release r; commit",
    );
    let records = pipeline.records();
    let rows: Vec<_> = records
        .iter()
        .filter(|record| record.op() == "c")
        .map(|record| {
            (record.json()["after"]["id"].take(), record.json()["transaction"]["total_order"].take())
        })
        .collect();
    assert_eq!(rows, [(json!(2), json!(1)), (json!(4), json!(2)), (json!(5), json!(3))]);
    assert_eq!(records.len(), 5, "three events between one BEGIN and one END");
}

#[test]
fn empty_transactions_leave_nothing_but_progress() {
    let mut pipeline = Pipeline::start(SETUP);
    pipeline.db.exec("begin; create temporary table x (i int); insert into x values (1); commit");
    pipeline.db.exec("begin; update t set who = 'nobody'; commit");
    pipeline.db.exec("create sequence s; select nextval('s')");
    assert_eq!(pipeline.records(), []);
}

#[test]
fn a_transaction_of_another_table_is_begun_and_ended_without_events() {
    let mut pipeline =
        Pipeline::with("create table t (id int primary key); create table other (id int)", |builder| {
            builder.set("source.publication_mode", "all_tables").set("source.tables", vec!["public.t"])
        });
    pipeline.db.exec("insert into other values (1)");
    let [begin, end] = pipeline.records().try_into().unwrap();
    assert_eq!(begin.json()["status"], "BEGIN");
    assert_eq!(
        (end.json()["event_count"].take(), end.json()["data_collections"].take()),
        (json!(0), json!([]))
    );
}

#[test]
fn a_transaction_of_a_hundred_thousand_rows_arrives_whole_and_in_order() {
    const ROWS: u64 = 100_000;
    let mut pipeline = Pipeline::with(SETUP, |builder| builder.set("kafka.commit_max_bytes", "1MiB"));
    pipeline.db.exec(&format!("insert into t select i, 'row' from generate_series(1, {ROWS}) i"));
    let events = pipeline.events();
    assert_eq!(events.len() as u64, ROWS);
    let (commit_lsn, _) = id(&events[0]);
    for (record, number) in events.iter().zip(1..) {
        assert_eq!(id(record), (commit_lsn, number));
        let event = record.json();
        assert_eq!(
            (&event["after"]["id"], &event["transaction"]["total_order"]),
            (&json!(number), &json!(number))
        );
    }
}
