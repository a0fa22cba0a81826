//! Tables that change while they are captured: every row is written as it was when it was written, nothing is null that
//! was not, and nothing restarts.

use serde_json::{Value, json};

use super::Pipeline;
use crate::support::{Auth, ConsumedRecord, Postgres};

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

#[test]
fn a_column_is_dropped_and_added_again() {
    check(
        "create table t (id int primary key, a int, b text)",
        &[
            "insert into t values (1, 1, 'one')",
            "alter table t drop column a",
            "insert into t values (2, 'two')",
            "alter table t add column a date",
            "insert into t values (3, 'three', '1970-01-03')",
            "begin; insert into t values (4, 'four', '1970-01-04'); alter table t drop column a; \
             insert into t values (5, 'five'); alter table t add column a int[] default '{7}'; \
             insert into t values (6, 'six'); commit",
            "begin; alter table t rename column a to x; insert into t values (7, 'seven', '{8}'); rollback",
            "insert into t values (8, 'eight', '{9}')",
        ],
        &[
            json!({"id": 1, "a": 1, "b": "one"}),
            json!({"id": 2, "b": "two"}),
            json!({"id": 3, "b": "three", "a": 2}),
            json!({"id": 4, "b": "four", "a": 3}),
            json!({"id": 5, "b": "five"}),
            json!({"id": 6, "b": "six", "a": [7]}),
            json!({"id": 8, "b": "eight", "a": [9]}),
        ],
    );
}

#[test]
fn types_are_made_and_altered() {
    check(
        "create table t (id int primary key)",
        &[
            "create type mood as enum ('sad'); create domain small as int; create domain smaller as small; \
             create type span as range (subtype = int)",
            "alter table t add column m mood, add column l mood[], add column s smaller, add column r span",
            "insert into t values (1, 'sad', '{sad}', 1, '[1,2)')",
            "alter type mood rename value 'sad' to 'blue'",
            "alter type mood add value 'glad' before 'blue'",
            "alter domain small add constraint positive check (value > 0)",
            "alter domain small rename to little",
            "insert into t values (2, 'glad', '{blue,NULL,glad}', 2, 'empty')",
            "alter table t alter column s type numeric(6,2), alter column m type text",
            "insert into t values (3, 'any', null, 1.5, null)",
            "alter table t alter column s type numeric(6,1)",
            "insert into t values (4, null, null, 1.5, null)",
        ],
        &[
            json!({"id": 1, "m": "sad", "l": ["sad"], "s": 1, "r": "[1,2)"}),
            json!({"id": 2, "m": "glad", "l": ["blue", null, "glad"], "s": 2, "r": "empty"}),
            json!({"id": 3, "m": "any", "l": null, "s": "AJY=", "r": null}),
            json!({"id": 4, "m": null, "l": null, "s": "Dw==", "r": null}),
        ],
    );
}

#[test]
fn a_domain_made_again_over_another_type_is_that_type() {
    let mut pipeline = Pipeline::start("create domain d as int; create table t (id int primary key, v d)");
    let statements = [
        ("insert into t values (1, 5)", json!({"id": 1, "v": 5})),
        (
            "alter table t drop column v; drop domain d; create domain d as boolean; alter table t add column v d",
            Value::Null,
        ),
        ("insert into t values (2, true)", json!({"id": 2, "v": true})),
        (
            "alter table t drop column v; drop domain d; create type d as (a int); alter table t add column v text",
            Value::Null,
        ),
        ("insert into t values (3, '(1)')", json!({"id": 3, "v": "(1)"})),
    ];
    for (statement, row) in statements {
        pipeline.db.exec(statement);
        let expected: Vec<Value> = [row].into_iter().filter(|row| !row.is_null()).collect();
        assert_eq!(pipeline.rows(), expected, "{statement}");
    }
}

#[test]
fn the_default_is_that_of_the_time() {
    let mut pipeline = Pipeline::with(
        "create table t (id int primary key, v int default 7); alter table t replica identity full",
        |builder| builder.set("events.quirks", "debezium"),
    );
    let mut row = |statements: &str| {
        pipeline.db.exec(statements);
        pipeline.rows().pop().unwrap()["v"].take()
    };
    // A NULL is the default there, so the default of the time shows.
    assert_eq!(row("insert into t values (1, null)"), 7);
    assert_eq!(
        row("alter table t alter column v set default 8, add column n int; insert into t values (2, null)"),
        8
    );
    assert_eq!(
        row("alter table t alter column v drop default, add column o int; insert into t values (3, null)"),
        Value::Null
    );
}

#[test]
fn a_table_goes_to_another_schema_and_partitions_come_and_go() {
    let mut pipeline = Pipeline::with(
        "create schema s; create table t (id int primary key);
         create table p (id int primary key) partition by range (id); create table p1 partition of p for values from (0) to (10)",
        |builder| builder.set("source.tables", vec!["*.*"]).set("source.discover_interval", "50ms"),
    );
    for statement in [
        "insert into t values (1); insert into p values (1)",
        "alter table t set schema s; insert into s.t values (2)",
        "create table p2 partition of p for values from (10) to (20); insert into p values (11)",
        "alter table p detach partition p1; insert into p1 values (2)",
        "alter table p1 rename to q1; alter table p attach partition q1 for values from (0) to (10); insert into p values (3)",
    ] {
        pipeline.db.exec(statement);
    }
    let records = pipeline.records();
    let changes = records.iter().filter(|record| record.op() == "c");
    let rows: Vec<(String, u64)> = changes
        .map(|record| {
            let event = record.json();
            let source = |field: &str| event["source"][field].as_str().unwrap().to_owned();
            (format!("{}.{}", source("schema"), source("table")), event["after"]["id"].as_u64().unwrap())
        })
        .collect();
    let of =
        |table: &str| rows.iter().filter(|(name, _)| name == table).map(|(_, id)| *id).collect::<Vec<_>>();
    assert_eq!((of("public.t"), of("s.t")), (vec![1], vec![2]));
    assert_eq!(
        (of("public.p1"), of("public.p2"), of("public.q1")),
        (vec![1, 2], vec![11], vec![3]),
        "{rows:?}"
    );
    // The publication has had them all along, the partition by its table.
    assert_eq!(pipeline.daemon.metrics().value("headwater_tables_added_total").to_string(), "0");
}

/// The ids of the rows that were written to a table.
fn ids(records: &[ConsumedRecord], topic: &str) -> Vec<u64> {
    let events = records.iter().filter(|record| record.topic == topic && record.op() == "c");
    events.map(|record| record.json()["after"]["id"].as_u64().unwrap()).collect()
}

#[test]
fn a_new_table_joins_the_publication_and_is_captured_from_there() {
    for version in [10, 18] {
        let mut pipeline = Pipeline::on(
            Postgres::shared(version),
            "create table t (id int primary key); create table other (id int primary key); create schema s",
            |builder| {
                let tables = vec!["public.*", "s.captured_*"];
                builder
                    .set("source.tables", tables)
                    .set("source.exclude_tables", vec!["public.other*"])
                    .set("source.discover_interval", "50ms")
            },
        );
        pipeline
            .db
            .exec("create table n (id int primary key); create table s.captured_1 (id int primary key)");
        pipeline
            .db
            .exec("create table other_2 (id int primary key); create table s.not_meant (id int primary key)");
        pipeline.daemon.wait_metric("headwater_tables_added_total", |added| added >= 2.0);
        for table in ["n", "s.captured_1", "other_2", "s.not_meant", "t"] {
            pipeline.db.exec(&format!("insert into {table} values (1)"));
        }
        let records = pipeline.records();
        for (table, expected) in
            [("public.n", 1), ("s.captured_1", 1), ("public.other_2", 0), ("s.not_meant", 0), ("public.t", 1)]
        {
            let topic = format!("{}.{table}", pipeline.db.name());
            assert_eq!(ids(&records, &topic).len(), expected, "{table} on {version}");
        }
        assert_eq!(pipeline.daemon.metrics().value("headwater_tables_added_total").to_string(), "2");
        // The next start finds all as it should be.
        pipeline.while_stopped(|db| db.exec("insert into n values (2)"));
        let topic = pipeline.topic("n");
        assert_eq!(ids(&pipeline.records(), &topic), [2]);
        assert_eq!(pipeline.daemon.log().matches("joined the publication").count(), 2);
    }
}

#[test]
fn a_new_table_that_would_be_harmed_stays_out_until_it_is_not() {
    let mut pipeline = Pipeline::with("create table t (id int primary key)", |builder| {
        builder.set("source.discover_interval", "50ms").allow_log("has no replica identity")
    });
    pipeline.db.exec("create table n (id int, v int); insert into n values (1, 1)");
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out > 0.5);
    pipeline.db.exec("update n set v = 2; delete from n");
    pipeline.db.exec("alter table n add primary key (id)");
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out < 0.5);
    pipeline.db.exec("insert into n values (2, 2)");
    let topic = pipeline.topic("n");
    assert_eq!(ids(&pipeline.records(), &topic), [2]);
    assert_eq!(pipeline.daemon.metrics().value("headwater_tables_added_total").to_string(), "1");
    assert_eq!(pipeline.daemon.log().matches("has no replica identity").count(), 1);
}

#[test]
fn a_new_table_gets_the_replica_identity_that_is_asked_for() {
    let mut pipeline = Pipeline::with("create table t (id int primary key)", |builder| {
        let identities = [("public.full_*", "FULL"), ("public.inserts_*", "NOTHING")];
        let identities = identities.map(|(pattern, identity)| (pattern.to_owned(), identity.into()));
        builder
            .set("source.replica_identity", toml::Table::from_iter(identities))
            .set("source.discover_interval", "50ms")
            .allow_log("has no replica identity")
    });
    pipeline.db.exec(
        "create table full_1 (id int, v text); create table inserts_1 (id int); create table mute (id int)",
    );
    pipeline.daemon.wait_metric("headwater_tables_added_total", |added| added >= 2.0);
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out > 0.5);
    let identities = "select string_agg(relreplident::text, '' order by relname) from pg_class where relname in ('full_1', 'inserts_1', 'mute')";
    assert_eq!(pipeline.db.value(identities), "fnd");
    pipeline.db.exec(
        "insert into full_1 values (1, 'old'); update full_1 set v = 'new'; insert into inserts_1 values (2)",
    );
    let records = pipeline.records();
    let (full, inserts) = (pipeline.topic("full_1"), pipeline.topic("inserts_1"));
    let update = records.iter().find(|record| record.topic == full && record.op() == "u").unwrap();
    assert_eq!(update.json()["before"], json!({"id": 1, "v": "old"}));
    assert_eq!(ids(&records, &inserts), [2]);
}

#[test]
fn a_new_table_whose_replica_identity_may_not_be_set_is_told_and_stays_out() {
    let server = Postgres::shared(18);
    let role = server.role("identifier", Auth::Trust, "unused");
    let db = server.database("changes");
    db.exec(&format!(
        "create schema authorization {role}; set role {role}; create table {role}.t (id int primary key);
         reset role; grant create on database {} to {role}",
        db.name()
    ));
    let url = db.url().replace("postgres@", &format!("{role}@"));
    let identities = toml::Table::from_iter([(format!("{role}.new_*"), "FULL".into())]);
    let mut pipeline = Pipeline::over(db, "", |builder| {
        builder
            .source_url(url)
            .set("source.tables", vec![format!("{role}.*")])
            .set("source.replica_identity", identities)
            .set("source.discover_interval", "50ms")
            .allow_log("is not captured yet")
    });
    pipeline.db.exec(&format!(
        "create table {role}.new_foreign (id int primary key); set role {role}; create table {role}.new_own (id int)"
    ));
    pipeline.daemon.wait_metric("headwater_tables_added_total", |added| added > 0.5);
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out > 0.5);
    for part in ["must be owner of table new_foreign", "REPLICA IDENTITY FULL"] {
        assert!(pipeline.daemon.log().contains(part), "{part}: {}", pipeline.daemon.log());
    }
    pipeline.db.exec(&format!("reset role; alter table {role}.new_foreign owner to {role}"));
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out < 0.5);
}

#[test]
fn a_new_table_of_somebody_else_is_told_with_what_to_run_and_keeps_no_other_out() {
    let server = Postgres::shared(18);
    let role = server.role("discoverer", Auth::Trust, "unused");
    let db = server.database("changes");
    db.exec(&format!(
        "create schema authorization {role}; set role {role}; create table {role}.t (id int primary key);
         reset role; grant create on database {} to {role}",
        db.name()
    ));
    let url = db.url().replace("postgres@", &format!("{role}@"));
    let mut pipeline = Pipeline::over(db, "", |builder| {
        builder
            .source_url(url)
            .set("source.tables", vec![format!("{role}.*")])
            .set("source.discover_interval", "50ms")
            .allow_log("is not captured yet")
    });
    pipeline.db.exec(&format!(
        "create table {role}.foreign_table (id int primary key); set role {role}; create table {role}.own (id int primary key)"
    ));
    pipeline.daemon.wait_metric("headwater_tables_added_total", |added| added > 0.5);
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out > 0.5);
    let log = pipeline.daemon.log();
    let statement = format!("ALTER PUBLICATION \\\"headwater_{}\\\" ADD TABLE", pipeline.db.name());
    for part in ["must be owner of table foreign_table", &statement] {
        assert!(log.contains(part), "{part}: {log}");
    }
    pipeline.db.exec(&format!("reset role; alter table {role}.foreign_table owner to {role}"));
    pipeline.daemon.wait_metric("headwater_tables_left_out", |left_out| left_out < 0.5);
}
