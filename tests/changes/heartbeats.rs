//! Heartbeats: they come at their interval, through the same transactions as events, and only when they are asked for.

use serde_json::{Value, json};

use super::Pipeline;
use crate::support::{ConsumedRecord, Kafka, wait_until};

const SETUP: &str = "create table t (id int primary key)";

#[track_caller]
fn heartbeats(topic: &str) -> Vec<ConsumedRecord> {
    let mut consumer = Kafka::shared().consumer(topic);
    consumer.read_to_end();
    consumer.drain().into_iter().filter(|record| record.topic == topic).collect()
}

fn beats(delivery: &str) {
    let mut pipeline = Pipeline::with(SETUP, |builder| {
        builder.set("events.heartbeat_interval", "20ms").set("kafka.delivery", delivery)
    });
    pipeline.db.exec("insert into t values (1)");
    pipeline.daemon.wait_metric("headwater_heartbeats_total", |count| count >= 5.0);
    assert_eq!(pipeline.rows(), [json!({"id": 1})]);
    let records = heartbeats(&format!("__debezium-heartbeat.{}", pipeline.db.name()));
    assert!(records.len() >= 4, "all but the last are durable: {}", records.len());
    let times: Vec<i64> = records
        .iter()
        .map(|record| {
            assert_eq!(record.key_json(), json!({"serverName": pipeline.db.name()}));
            assert!(record.headers.is_empty(), "{:?}", record.headers);
            match record.json() {
                Value::Object(value) if value.len() == 1 => value["ts_ms"].as_i64().unwrap(),
                other => panic!("{other}"),
            }
        })
        .collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn heartbeats_come_at_their_interval() {
    beats("exactly_once");
}

#[test]
fn heartbeats_come_without_transactions_too() {
    beats("at_least_once");
}

#[test]
fn heartbeats_go_where_they_are_sent_and_on_after_a_crash() {
    let mut pipeline = Pipeline::with(SETUP, |builder| {
        builder.set("events.heartbeat_interval", "50ms").set("topics.heartbeat", "hb-{name}")
    });
    let topic = format!("hb-{}", pipeline.db.name());
    // The second one is written when the first is durable.
    pipeline.daemon.wait_metric("headwater_heartbeats_total", |count| count >= 2.0);
    pipeline.daemon.restart();
    pipeline.db.exec("insert into t values (1)");
    let before = heartbeats(&topic).len();
    assert!(before > 0);
    wait_until(crate::support::DEADLINE, "another heartbeat", || heartbeats(&topic).len() > before);
    assert_eq!(pipeline.rows(), [json!({"id": 1})]);
}

#[test]
fn there_are_none_unless_they_are_asked_for() {
    let mut pipeline = Pipeline::start(SETUP);
    pipeline.db.exec("insert into t values (1)");
    assert_eq!(pipeline.rows().len(), 1);
    assert_eq!(Kafka::shared().topics(&format!("__debezium-heartbeat.{}", pipeline.db.name())), []);
}

#[test]
fn a_query_runs_as_often_and_its_failures_are_no_failures_of_the_stream() {
    let mut pipeline = Pipeline::with("create table t (id int primary key, beats int)", |builder| {
        builder.set("events.heartbeat_interval", "20ms").set(
            "source.heartbeat_query",
            "insert into t values (1, 0) on conflict (id) do update set beats = t.beats + 1",
        )
    });
    pipeline.daemon.allow_log("source.heartbeat_query failed");
    let beats = || pipeline.db.value("select coalesce(max(beats), 0) from t").parse::<u32>().unwrap();
    wait_until(crate::support::DEADLINE, "some beats", || beats() >= 2);
    pipeline.db.exec("alter table t rename to u");
    pipeline.daemon.wait_metric("headwater_heartbeat_query_failures_total", |count| count >= 2.0);
    pipeline.db.exec("alter table u rename to t");
    let before = beats();
    wait_until(crate::support::DEADLINE, "more beats", || beats() > before);
    let ops: Vec<String> = pipeline.events().iter().map(ConsumedRecord::op).collect();
    assert_eq!(ops[0], "c");
    assert!(ops.len() > 3 && ops[1..].iter().all(|op| op == "u"), "{ops:?}");
}
