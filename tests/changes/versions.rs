//! Every major version, from the oldest to the newest.

use serde_json::json;

use super::{Pipeline, id};
use crate::support::Postgres;

#[test]
fn postgres_10() {
    smoke(10);
}

#[test]
fn postgres_11() {
    smoke(11);
}

#[test]
fn postgres_12() {
    smoke(12);
}

#[test]
fn postgres_13() {
    smoke(13);
}

#[test]
fn postgres_14() {
    smoke(14);
}

#[test]
fn postgres_15() {
    smoke(15);
}

#[test]
fn postgres_16() {
    smoke(16);
}

#[test]
fn postgres_17() {
    smoke(17);
}

#[test]
fn postgres_18() {
    smoke(18);
}

fn smoke(version: u32) {
    let mut pipeline = Pipeline::on(
        Postgres::shared(version),
        "create table t (id int primary key, v text, big text); alter table t alter column big set storage external",
        |builder| builder,
    );
    pipeline.db.exec("insert into t values (1, 'one', repeat('x', 10000)), (2, null, null)");
    pipeline.db.exec("begin; update t set v = 'uno' where id = 1; update t set id = 3 where id = 2; delete from t where id = 1; commit");
    let records = pipeline.records();
    let events: Vec<_> = records.iter().filter(|record| record.topic == pipeline.topic("t")).collect();
    let ops: Vec<_> = events.iter().map(|record| record.op()).collect();
    assert_eq!(ops, ["c", "c", "u", "d", "", "c", "d", ""]);
    assert_eq!(
        events[2].json()["after"],
        json!({"id": 1, "v": "uno", "big": "__debezium_unavailable_value"})
    );
    assert_eq!(events[5].header("__debezium.oldkey"), Some(r#"{"id":2}"#));
    assert_eq!(events.iter().map(|record| id(record).1).collect::<Vec<_>>(), [1, 2, 1, 2, 3, 4, 5, 6]);
    assert_eq!(records.iter().filter(|record| record.json()["status"] == "END").count(), 2);
    pipeline.db.exec("truncate t");
    let expected: &[&str] = if version >= 11 { &["t"] } else { &[] };
    assert_eq!(pipeline.events().iter().map(|record| record.op()).collect::<Vec<_>>(), expected);
    pipeline.while_stopped(|db| db.exec("insert into t values (4, 'four', null)"));
    assert_eq!(pipeline.rows(), [json!({"id": 4, "v": "four", "big": null})]);
}
