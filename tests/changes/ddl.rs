//! Tables that change while they are captured: every row is written as it was when it was written, nothing is null that
//! was not, and nothing restarts.

use serde_json::{Value, json};

use super::Pipeline;
use crate::support::ConsumedRecord;

/// Statements, each a transaction of its own, and the rows that `t` must give for them.
fn check(setup: &str, statements: &[&str], rows: &[Value]) {
    let mut pipeline = Pipeline::with(setup, |builder| builder.set("source.publication_mode", "all_tables"));
    for statement in statements {
        pipeline.db.exec(statement);
    }
    assert_eq!(pipeline.rows(), rows, "while it streams");
    assert_eq!(
        pipeline.daemon.log().matches("\"streaming\"").count(),
        1,
        "one session:\n{}",
        pipeline.daemon.log()
    );
    // Again, with all the changes in the log before the daemon sees the first, and the catalog at its end already.
    let mut pipeline = Pipeline::with(setup, |builder| builder.set("source.publication_mode", "all_tables"));
    pipeline.while_stopped(|db| statements.iter().for_each(|statement| db.exec(statement)));
    assert_eq!(pipeline.rows(), rows, "behind");
}

#[test]
fn columns_are_added_and_dropped() {
    check(
        "create table t (id int primary key, a text)",
        &[
            "insert into t values (1, 'one')",
            "alter table t add column b int not null default 7",
            "insert into t (id, a) values (2, 'two')",
            "update t set a = 'uno' where id = 1",
            "alter table t drop column a",
            "insert into t values (3, 8)",
            "begin; insert into t values (4, 9); alter table t add column c text default 'see'; insert into t values (5, 10); commit",
        ],
        &[
            json!({"id": 1, "a": "one"}),
            json!({"id": 2, "a": "two", "b": 7}),
            json!({"id": 1, "a": "uno", "b": 7}),
            json!({"id": 3, "b": 8}),
            json!({"id": 4, "b": 9}),
            json!({"id": 5, "b": 10, "c": "see"}),
        ],
    );
}

#[test]
fn columns_are_renamed_and_get_other_types() {
    check(
        "create table t (id int primary key, a int)",
        &[
            "insert into t values (1, 1)",
            "alter table t rename column a to b",
            "insert into t values (2, 2)",
            "alter table t alter column b type bigint",
            "insert into t values (3, 9223372036854775807)",
            "alter table t alter column b type text",
            "insert into t values (4, 'four')",
            "alter table t alter column b type boolean using b = 'four'",
            "insert into t values (5, false)",
        ],
        &[
            json!({"id": 1, "a": 1}),
            json!({"id": 2, "b": 2}),
            json!({"id": 3, "b": 9_223_372_036_854_775_807_i64}),
            json!({"id": 4, "b": "four"}),
            json!({"id": 5, "b": false}),
        ],
    );
}

#[test]
fn a_table_is_dropped_and_created_again() {
    check(
        "create table t (id int primary key, a text); create table u (id int)",
        &[
            "insert into t values (1, 'one')",
            "drop table t",
            "create table t (b text, id int primary key)",
            "insert into t values ('two', 2)",
        ],
        &[json!({"id": 1, "a": "one"}), json!({"b": "two", "id": 2})],
    );
}

#[test]
fn labels_are_added_to_an_enum() {
    check(
        "create type mood as enum ('sad'); create table t (id int primary key, m mood, l mood[])",
        &[
            "insert into t values (1, 'sad', '{sad}')",
            "alter type mood add value 'happy'",
            "insert into t values (2, 'happy', '{sad,happy}')",
            "alter type mood rename to feeling",
            "insert into t values (3, 'happy', '{happy}')",
        ],
        &[
            json!({"id": 1, "m": "sad", "l": ["sad"]}),
            json!({"id": 2, "m": "happy", "l": ["sad", "happy"]}),
            json!({"id": 3, "m": "happy", "l": ["happy"]}),
        ],
    );
}

#[test]
fn values_of_types_that_are_gone_are_their_texts_and_that_is_said() {
    let mut pipeline = Pipeline::start(
        "create type mood as enum ('sad'); create domain d as int; create table u (id int);
         create table t (id int primary key, m mood, l mood[], d d)",
    );
    pipeline.daemon.allow_log("its values are written as text");
    pipeline.while_stopped(|db| {
        db.exec("insert into t values (1, 'sad', '{sad}', 5)");
        db.exec("drop table t; drop type mood; drop domain d");
    });
    assert_eq!(pipeline.rows(), [json!({"id": 1, "m": "sad", "l": "{sad}", "d": "5"})]);
    assert_eq!(pipeline.daemon.log().matches("its values are written as text").count(), 3);
}

#[test]
fn a_renamed_table_goes_on_in_another_topic() {
    let mut pipeline = Pipeline::start("create table t (id int primary key); create table u (id int)");
    pipeline.db.exec("insert into t values (1)");
    pipeline.db.exec("alter table t rename to renamed");
    pipeline.db.exec("insert into renamed values (2)");
    pipeline.while_stopped(|db| {
        db.exec("insert into renamed values (3)");
        db.exec("alter table renamed rename to again");
        db.exec("insert into again values (4)");
    });
    let records = pipeline.records();
    let of = |table: &str| {
        let topic = pipeline.topic(table);
        let events = records.iter().filter(|record| record.topic == topic);
        events.map(|record| record.json()["after"]["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((of("t"), of("renamed"), of("again")), (vec![1], vec![2, 3], vec![4]));
}

#[test]
fn the_changes_of_a_table_that_is_gone_keep_their_keys() {
    let mut pipeline =
        Pipeline::start("create table t (id int primary key, v text); create table u (id int)");
    pipeline.while_stopped(|db| {
        db.exec("insert into t values (1, 'one'); delete from t");
        db.exec("drop table t");
    });
    let [create, delete, tombstone] = pipeline.events().try_into().unwrap();
    assert_eq!(create.json()["after"], json!({"id": 1, "v": "one"}));
    assert!([create, delete, tombstone].iter().all(|record| record.key_json() == json!({"id": 1})));
}

#[test]
fn each_change_has_the_key_of_its_time() {
    let mut pipeline = Pipeline::start("create table t (id int primary key, code text not null unique)");
    let statements = [
        "insert into t values (1, 'a')",
        "delete from t",
        "alter table t drop constraint t_pkey, add primary key (code)",
        "insert into t values (2, 'b')",
        "delete from t",
        "alter table t drop constraint t_pkey, add primary key (id)",
    ];
    let keys = |pipeline: &mut Pipeline| -> Vec<Value> {
        pipeline.events().iter().map(ConsumedRecord::key_json).collect()
    };
    let (id, code) = (json!({"id": 1}), json!({"code": "b"}));
    let expected = [&id, &id, &id, &code, &code, &code];
    for statement in statements {
        pipeline.db.exec(statement);
        pipeline.db.wait_confirmed(&pipeline.slot());
    }
    assert!(keys(&mut pipeline).iter().eq(expected), "while it streams");
    pipeline.while_stopped(|db| statements.iter().take(5).for_each(|statement| db.exec(statement)));
    assert!(keys(&mut pipeline).iter().eq(expected), "behind");
}

#[test]
fn the_replica_identity_is_that_of_each_change() {
    let mut pipeline = Pipeline::start("create table t (id int primary key, v text)");
    let befores = |pipeline: &mut Pipeline| -> Vec<Value> {
        pipeline.changes().into_iter().filter(|(op, ..)| op == "u").map(|(_, before, _)| before).collect()
    };
    let statements = [
        "insert into t values (1, 'one')",
        "update t set v = 'two'",
        "alter table t replica identity full",
        "update t set v = 'three'",
        "alter table t replica identity default",
        "update t set v = 'four'",
    ];
    let expected = [Value::Null, json!({"id": 1, "v": "two"}), Value::Null];
    for statement in statements {
        pipeline.db.exec(statement);
    }
    assert_eq!(befores(&mut pipeline), expected);
    pipeline.db.exec("delete from t");
    pipeline.while_stopped(|db| statements.iter().for_each(|statement| db.exec(statement)));
    assert_eq!(befores(&mut pipeline), expected);
}
