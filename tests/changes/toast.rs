//! Large values that an update did not change, which the log does not hold.

use serde_json::{Value, json};

use super::Pipeline;

const SETUP: &str = "create table t (id int primary key, big text, small int);
    alter table t alter column big set storage external;";

#[test]
fn an_unchanged_large_value_is_the_placeholder_and_never_null() {
    let mut pipeline = Pipeline::start(SETUP);
    pipeline.db.exec("insert into t values (1, repeat('x', 10000), 1), (2, null, 1)");
    pipeline.db.exec("update t set small = 2");
    let [_, _, unchanged, null] = pipeline.events().try_into().unwrap();
    assert_eq!(
        unchanged.json()["after"],
        json!({"id": 1, "big": "__debezium_unavailable_value", "small": 2})
    );
    assert_eq!(unchanged.header("headwater.unavailable"), Some("big"));
    assert_eq!(null.json()["after"]["big"], Value::Null);
    assert_eq!(null.header("headwater.unavailable"), None);
}

#[test]
fn the_placeholder_can_be_chosen() {
    let mut pipeline =
        Pipeline::with(SETUP, |builder| builder.set("events.unavailable_value_placeholder", "**gone**"));
    pipeline.db.exec("insert into t values (1, repeat('x', 10000), 1)");
    pipeline.db.exec("update t set small = 2");
    assert_eq!(pipeline.rows()[1]["big"], "**gone**");
}

#[test]
fn with_the_full_row_in_the_log_an_unchanged_large_value_is_filled_in() {
    let mut pipeline = Pipeline::start(&format!("{SETUP} alter table t replica identity full"));
    pipeline.db.exec("insert into t values (1, repeat('x', 10000), 1)");
    pipeline.db.exec("update t set small = 2");
    pipeline.db.exec("update t set id = 2");
    let big = "x".repeat(10_000);
    let changes = pipeline.changes();
    assert_eq!(changes.len(), 4);
    for (op, before, after) in &changes {
        for row in [before, after].into_iter().filter(|row| !row.is_null()) {
            assert_eq!(row["big"], big.as_str(), "{op}");
        }
    }
}
