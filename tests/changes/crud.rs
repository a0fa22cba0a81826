//! Inserts, updates, deletes, changes of keys and truncates.

use serde_json::json;

use super::Pipeline;

#[test]
fn every_change_of_every_table_is_an_event_in_its_topic() {
    let mut pipeline = Pipeline::start(
        "create table t (id int primary key, v text); create table u (a int, b text, primary key (b, a));
         create schema other; create table other.t (id int primary key)",
    );
    pipeline
        .db
        .exec("insert into t values (1, 'one'); update t set v = 'uno'; insert into u values (1, 'x');");
    pipeline.db.exec("delete from t; insert into other.t values (1)");
    let records = pipeline.records();
    let of = |table: &str| {
        let topic = pipeline.topic(table);
        records.iter().filter(|record| record.topic == topic).cloned().collect::<Vec<_>>()
    };
    let [create, update, delete, tombstone] = of("t").try_into().unwrap();
    assert_eq!((create.op(), create.json()["after"].take()), ("c".into(), json!({"id": 1, "v": "one"})));
    assert_eq!((update.op(), update.json()["after"].take()), ("u".into(), json!({"id": 1, "v": "uno"})));
    assert_eq!((delete.op(), delete.json()["before"].take()), ("d".into(), json!({"id": 1, "v": null})));
    assert!(tombstone.is_tombstone());
    for record in [create, update, delete, tombstone] {
        assert_eq!(record.key_json(), json!({"id": 1}));
    }
    assert_eq!(
        of("u")[0].key.as_deref(),
        Some(br#"{"b":"x","a":1}"#.as_slice()),
        "in the order of the index"
    );
    assert!(records.iter().all(|record| !record.topic.contains("other")), "only public.* is captured");
}

#[test]
fn a_changed_key_is_a_delete_and_a_create_that_name_each_other() {
    let mut pipeline = Pipeline::start("create table t (id int primary key, v text)");
    pipeline.db.exec("insert into t values (1, 'one')");
    pipeline.db.exec("update t set id = 2");
    let [_, delete, tombstone, create] = pipeline.events().try_into().unwrap();
    assert_eq!((delete.op(), delete.key_json()), ("d".into(), json!({"id": 1})));
    assert_eq!((tombstone.is_tombstone(), tombstone.key_json()), (true, json!({"id": 1})));
    assert_eq!((create.op(), create.key_json()), ("c".into(), json!({"id": 2})));
    assert_eq!(create.json()["after"], json!({"id": 2, "v": "one"}));
    for record in [&delete, &tombstone] {
        assert_eq!(record.header("__debezium.newkey"), Some(r#"{"id":2}"#));
    }
    assert_eq!(create.header("__debezium.oldkey"), Some(r#"{"id":1}"#));
    assert_eq!(delete.json()["source"]["lsn"], create.json()["source"]["lsn"]);
}

#[test]
fn tombstones_can_be_left_out() {
    let mut pipeline = Pipeline::with("create table t (id int primary key)", |builder| {
        builder.set("events.tombstones", false)
    });
    pipeline.db.exec("insert into t values (1); update t set id = 2; delete from t");
    let ops: Vec<_> = pipeline.events().iter().map(|record| (record.op(), record.is_tombstone())).collect();
    assert_eq!(ops, ["c", "d", "c", "d"].map(|op| (op.to_owned(), false)));
}

#[test]
fn a_truncate_is_one_record_a_table_without_key() {
    let mut pipeline = Pipeline::start(
        "create table t (id int primary key); create table u (id int primary key references t)",
    );
    pipeline.db.exec("truncate t cascade");
    let records: Vec<_> = pipeline.records().into_iter().filter(|record| record.op() == "t").collect();
    let mut topics: Vec<_> = records.iter().map(|record| record.topic.clone()).collect();
    topics.sort();
    assert_eq!(topics, [pipeline.topic("t"), pipeline.topic("u")]);
    for record in records {
        assert_eq!(record.key, None);
        assert_eq!((&record.json()["before"], &record.json()["after"]), (&json!(null), &json!(null)));
    }
}

#[test]
fn skipped_operations_give_no_records_and_are_counted() {
    let mut pipeline = Pipeline::with("create table t (id int primary key, v int)", |builder| {
        builder.set("events.skipped_operations", vec!["u", "d", "t"])
    });
    pipeline.db.exec("insert into t values (1, 1); update t set v = 2; delete from t");
    pipeline.db.exec("insert into t values (2, 1)");
    pipeline.db.exec("truncate t");
    let records = pipeline.records();
    let ops: Vec<_> = records.iter().map(|record| record.op()).filter(|op| !op.is_empty()).collect();
    assert_eq!(ops, ["c", "c"]);
    let ends: Vec<_> = records.iter().filter(|record| record.json()["status"] == "END").collect();
    assert_eq!(ends.iter().map(|end| end.json()["event_count"].take()).collect::<Vec<_>>(), [1, 1]);
    let skipped = pipeline.daemon.metrics().get("headwater_events_skipped_total", &[("reason", "operation")]);
    assert_eq!(skipped, Some(3.0));
}

#[test]
fn a_table_without_key_gives_records_without_key() {
    let mut pipeline = Pipeline::start("create table t (a int, b text); alter table t replica identity full");
    pipeline.db.exec("insert into t values (1, 'x'); update t set b = 'y'; delete from t");
    let [create, update, delete, tombstone] = pipeline.events().try_into().unwrap();
    assert!([&create, &update, &delete, &tombstone].iter().all(|record| record.key.is_none()));
    assert_eq!(update.json()["before"], json!({"a": 1, "b": "x"}));
    assert_eq!(delete.json()["before"], json!({"a": 1, "b": "y"}));
    assert!(tombstone.is_tombstone());
}
