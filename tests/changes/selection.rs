//! Which tables and columns become events.

use std::collections::BTreeSet;

use serde_json::json;

use super::Pipeline;

#[test]
fn tables_are_chosen_by_patterns() {
    let mut pipeline = Pipeline::with(
        "create table orders (id int primary key); create table orders_old (id int primary key);
         create table audit (id int primary key); create schema s; create table s.item1 (id int primary key);
         create table s.item22 (id int primary key)",
        |builder| {
            builder
                .set("source.tables", vec!["public.orders*", "s.item?"])
                .set("source.exclude_tables", vec!["*.*_old"])
        },
    );
    for table in ["orders", "orders_old", "audit", "s.item1", "s.item22"] {
        pipeline.db.exec(&format!("insert into {table} values (1)"));
    }
    let records = pipeline.records();
    let changes = records.iter().filter(|record| record.op() == "c");
    let topics: BTreeSet<_> = changes.map(|record| record.topic.clone()).collect();
    let name = pipeline.db.name();
    assert_eq!(topics, [format!("{name}.public.orders"), format!("{name}.s.item1")].into());
}

#[test]
fn excluded_columns_are_in_the_key_only() {
    let mut pipeline = Pipeline::with(
        "create table t (id int primary key, secret text, v text); alter table t replica identity full",
        |builder| builder.set("source.exclude_columns", vec!["public.t.secret", "public.t.id"]),
    );
    pipeline.db.exec("insert into t values (1, 'hidden', 'seen'); delete from t");
    let [create, delete, tombstone] = pipeline.events().try_into().unwrap();
    assert_eq!(create.json()["after"], json!({"v": "seen"}));
    assert_eq!(delete.json()["before"], json!({"v": "seen"}));
    assert!([create, delete, tombstone].iter().all(|record| record.key_json() == json!({"id": 1})));
}

#[test]
fn a_table_that_a_column_pattern_names_keeps_only_what_is_named() {
    let mut pipeline = Pipeline::with(
        "create table t (id int primary key, a int, b int); create table u (id int primary key, a int)",
        |builder| builder.set("source.columns", vec!["public.t.id", "public.t.b"]),
    );
    pipeline.db.exec("insert into t values (1, 2, 3); insert into u values (1, 2)");
    let records = pipeline.records();
    let rows: Vec<_> = records
        .iter()
        .filter(|record| record.op() == "c")
        .map(|record| record.json()["after"].take())
        .collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.contains(&json!({"id": 1, "b": 3})) && rows.contains(&json!({"id": 1, "a": 2})), "{rows:?}");
}
