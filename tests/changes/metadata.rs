//! The transaction block, the BEGIN and END records, and the headers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Pipeline, id};
use crate::support::ConsumedRecord;

const SETUP: &str = "create table t (id int primary key); create table u (id int primary key)";

fn run(metadata: impl Into<toml::Value>) -> (Vec<ConsumedRecord>, Vec<ConsumedRecord>) {
    let mut pipeline = Pipeline::with(SETUP, |builder| builder.set("events.transaction_metadata", metadata));
    pipeline.db.exec(
        "begin; insert into t values (1), (2); insert into u values (1); delete from t where id = 1; commit",
    );
    let transaction = format!("{}.transaction", pipeline.db.name());
    pipeline.records().into_iter().partition(|record| record.topic == transaction)
}

#[test]
fn begin_and_end_frame_a_transaction_and_count_its_events() {
    let (frame, events) = run(true);
    let [begin, end] = frame.try_into().unwrap();
    assert_eq!(
        (begin.json()["status"].take(), begin.json()["event_count"].take()),
        (json!("BEGIN"), Value::Null)
    );
    assert_eq!((end.json()["status"].take(), end.json()["event_count"].take()), (json!("END"), json!(4)));
    assert_eq!(
        end.json()["data_collections"],
        json!([{"data_collection": "public.t", "event_count": 3}, {"data_collection": "public.u", "event_count": 1}])
    );
    let txid = begin.json()["id"].as_str().unwrap().split(':').next().unwrap().to_owned();
    let mut orders: Vec<_> = events
        .iter()
        .filter(|record| !record.is_tombstone())
        .map(|record| {
            let event = record.json();
            assert_eq!(event["transaction"]["id"], format!("{txid}:{}", event["source"]["lsn"]));
            let order = |name: &str| event["transaction"][name].as_u64().unwrap();
            (order("total_order"), order("data_collection_order"), event["source"]["table"].clone())
        })
        .collect();
    orders.sort_by_key(|order| order.0);
    assert_eq!(orders, [(1, 1, json!("t")), (2, 2, json!("t")), (3, 1, json!("u")), (4, 3, json!("t"))]);
}

#[test]
fn the_block_alone_and_nothing_can_be_had_too() {
    let (frame, events) = run("block");
    assert!(frame.is_empty());
    assert!(
        events
            .iter()
            .filter(|record| !record.is_tombstone())
            .all(|record| record.json()["transaction"].is_object())
    );
    let (frame, events) = run(false);
    assert!(frame.is_empty());
    assert_eq!(events.len(), 5);
    assert!(
        events
            .iter()
            .filter(|record| !record.is_tombstone())
            .all(|record| record.json()["transaction"].is_null())
    );
}

#[test]
fn headers_name_the_connector_and_the_record() {
    let (frame, events) = run(true);
    for record in &events {
        let names: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "__debezium.context.connectorLogicalName",
                "__debezium.context.taskId",
                "__debezium.context.connectorName",
                "__debezium.context.runId",
                "headwater.id",
                "headwater.txid",
                "headwater.lsn"
            ]
        );
        let source = record.json()["source"].take();
        if source.is_object() {
            assert_eq!(record.header("headwater.txid").unwrap(), source["txId"].to_string());
            assert_eq!(record.header("headwater.lsn").unwrap(), source["lsn"].to_string());
        }
    }
    let ids: BTreeSet<_> = events.iter().chain(&frame).map(id).collect();
    assert_eq!(ids.len(), 7, "every record has its own");
    assert_eq!(
        ids.iter().map(|id| id.1).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5, 6],
        "BEGIN, 4 events, tombstone, END"
    );
}

#[test]
fn context_headers_can_be_left_out() {
    let mut pipeline = Pipeline::with(SETUP, |builder| builder.set("events.context_headers", false));
    pipeline.db.exec("insert into t values (1)");
    let names: Vec<_> = pipeline.events()[0].headers.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["headwater.id", "headwater.txid", "headwater.lsn"]);
}
