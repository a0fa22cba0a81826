//! Logical decoding messages (`pg_logical_emit_message`): those of a transaction are events of it, the others come at once,
//! each exactly once.

use std::collections::BTreeSet;

use serde_json::json;

use super::Pipeline;
use crate::support::{ConsumedRecord, Kafka, Postgres};

const SETUP: &str = "create table t (id int primary key, v text)";

fn content(record: &ConsumedRecord) -> String {
    record.json()["message"]["content"].as_str().unwrap().to_owned()
}

/// What was written to the topic of messages since the last call.
#[track_caller]
fn messages(pipeline: &mut Pipeline) -> Vec<ConsumedRecord> {
    let topic = format!("{}.message", pipeline.db.name());
    pipeline.records().into_iter().filter(|record| record.topic == topic).collect()
}

#[test]
fn messages_come_once_over_kills() {
    const ROUNDS: usize = 6;
    let mut pipeline = Pipeline::with(SETUP, |builder| builder.set("events.binary_handling_mode", "hex"));
    for round in 0..ROUNDS {
        // Outside of transactions, in one, in one that is rolled back, and right before the commit record of another.
        pipeline.db.exec(&format!(
            "do $$ begin for i in 1..50 loop
               perform pg_logical_emit_message(false, 'lone', convert_to({round} || '-' || i, 'UTF8'));
               insert into t values ({round} * 1000 + i, 'x');
               perform pg_logical_emit_message(true, 'inside', convert_to({round} || '+' || i, 'UTF8'));
               commit;
               insert into t values ({round} * 1000 + 500 + i, 'gone');
               perform pg_logical_emit_message(true, 'inside', 'gone');
               perform pg_logical_emit_message(false, 'lone', convert_to({round} || '*' || i, 'UTF8'));
               rollback;
               insert into t values ({round} * 1000 + 500 + i, 'y');
               perform pg_logical_emit_message(false, 'lone', convert_to({round} || '/' || i, 'UTF8'));
               commit;
             end loop; end $$"
        ));
        if round % 2 == 0 {
            pipeline.daemon.restart();
            // One that has just begun does not yet hear a signal.
            pipeline.daemon.wait_ready();
        } else {
            pipeline.while_stopped(|db| db.exec("select pg_logical_emit_message(false, 'stopped', 'x')"));
        }
    }
    let records = pipeline.records();
    let mut ids = BTreeSet::new();
    for record in &records {
        let id = record.header("headwater.id").unwrap();
        assert!(ids.insert(id), "{id} comes twice");
    }
    let mut expected: Vec<String> = (0..ROUNDS)
        .flat_map(|round| {
            (1..=50).flat_map(move |i| ["-", "+", "*", "/"].map(|sign| format!("{round}{sign}{i}")))
        })
        .chain(std::iter::repeat_n("x".to_owned(), ROUNDS / 2))
        .collect();
    let topic = format!("{}.message", pipeline.db.name());
    let text = |record: &ConsumedRecord| {
        let digits = content(record);
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        String::from_utf8((0..digits.len()).step_by(2).map(byte).collect()).unwrap()
    };
    let mut found: Vec<String> = records.iter().filter(|record| record.topic == topic).map(text).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn prefixes_choose_and_no_topic_is_made_for_nothing() {
    let mut pipeline = Pipeline::with(SETUP, |builder| {
        builder
            .set("source.messages", vec!["app*", "audit.log"])
            .set("source.exclude_messages", vec!["app.debug"])
    });
    pipeline.db.exec("select pg_logical_emit_message(false, 'other', 'x'), pg_logical_emit_message(true, 'app.debug', 'x')");
    let [begin, end] = pipeline.records().try_into().unwrap();
    assert_eq!((begin.json()["status"].take(), end.json()["event_count"].take()), (json!("BEGIN"), json!(0)));
    let topic = format!("{}.message", pipeline.db.name());
    assert_eq!(Kafka::shared().topics(&topic), []);
    let metrics = pipeline.daemon.metrics();
    assert_eq!(metrics.get("headwater_events_skipped_total", &[("reason", "prefix")]), Some(2.0));
    for prefix in ["app", "app.x", "audit.log", "audit.logs"] {
        pipeline.db.exec(&format!("select pg_logical_emit_message(true, '{prefix}', 'x')"));
    }
    let keys: Vec<_> = messages(&mut pipeline).iter().map(ConsumedRecord::key_json).collect();
    assert_eq!(keys, ["app", "app.x", "audit.log"].map(|prefix| json!({ "prefix": prefix })));
    assert_eq!(pipeline.daemon.metrics().get("headwater_messages_total", &[]), Some(3.0));
}

#[test]
fn messages_can_be_left_out_and_the_position_moves_all_the_same() {
    let mut pipeline = Pipeline::with(SETUP, |builder| builder.set("events.skipped_operations", vec!["m"]));
    pipeline
        .db
        .exec("select pg_logical_emit_message(false, 'a', 'x'), pg_logical_emit_message(true, 'a', 'x')");
    assert_eq!(pipeline.records(), []);
    pipeline
        .db
        .exec("begin; select pg_logical_emit_message(true, 'a', 'x'); insert into t values (1); commit");
    let records = pipeline.records();
    assert_eq!(records.len(), 3, "BEGIN, the row and END");
    let row = records.iter().find(|record| record.op() == "c").unwrap();
    assert_eq!(super::id(row).1, 2, "the message has its ordinal");
}

#[test]
fn messages_of_the_oldest_version_that_sends_them() {
    let mut pipeline = Pipeline::on(Postgres::shared(14), SETUP, |builder| builder);
    pipeline.db.exec(
        "begin; insert into t values (1); select pg_logical_emit_message(true, 'a', 'in');
         select pg_logical_emit_message(false, 'a', 'out'); commit",
    );
    let messages = messages(&mut pipeline);
    assert_eq!(messages.iter().map(content).collect::<Vec<_>>(), ["b3V0", "aW4="]);
    assert_eq!(messages[0].json()["source"]["txId"], json!(null));
    assert_eq!(messages[1].json()["transaction"]["total_order"], json!(2));
}
