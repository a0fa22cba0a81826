//! Every major version, from the oldest to the newest. What Debezium wrote is compared on all of them but 11 and 13, in
//! `golden`.

use serde_json::json;

use super::{Pipeline, id};
use crate::support::Postgres;

macro_rules! versions {
    ($($test:ident $version:literal $check:ident)+) => {
        $(#[test]
        fn $test() {
            smoke($version);
            $check($version);
        })+
    };
}

versions! {
    postgres_10 10 forms
    postgres_11 11 nothing_more
    postgres_12 12 forms
    postgres_13 13 nothing_more
    postgres_14 14 forms
    postgres_15 15 forms
    postgres_16 16 forms
    postgres_17 17 forms
    postgres_18 18 forms
}

fn nothing_more(_: u32) {}

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

/// Types, changes of the table, partitions and what only some versions have.
fn forms(version: u32) {
    let setup = format!(
        "create type mood as enum ('sad', 'ok'); create domain price as numeric(8,2); create domain dearer as price;
         create table t (id int primary key, n numeric, p dearer, f double precision, r real, ts timestamp(3), tz timestamptz,
             iv interval, y bytea, m mood, a text[][], j jsonb, u uuid, bt bit(3), rg int4range, x xml, mac macaddr8, c \"char\");
         alter table t replica identity full;
         create table parted (id int not null, v text) partition by range (id);
         create table part partition of parted for values from (0) to (100);
         {}", if version >= 11 { "alter table parted add primary key (id)" } else { "alter table part add primary key (id)" }
    );
    let mut pipeline = Pipeline::on(Postgres::shared(version), &setup, |builder| {
        builder
            .set("events.decimal_handling_mode", "string")
            .set("source.discover_interval", "50ms")
            .allow_log("does not fit its encoding")
    });
    pipeline.db.exec(
        "insert into t values (1, 'NaN', 1.5, 0.1, 0.1, '2024-02-29 12:34:56.789', '0044-03-15 12:00:00 BC',
            '1 mon -2 days 03:04:05.6', '\\xdead', 'ok', '[0:1][3:3]={{a},{NULL}}', '{\"k\": [1]}',
            '123e4567-e89b-12d3-a456-426614174000', B'101', '[1,3]', '<x/>', '08:00:2b:01:02:03:04:05', '\u{e9}')",
    );
    let row = json!({
        "id": 1, "n": "NAN", "p": "1.50", "f": 0.1, "r": 0.1, "ts": 1_709_210_096_789_i64,
        "tz": "-0043-03-15T12:00:00.000000Z", "iv": 2_468_045_600_000_i64, "y": "3q0=",
        "m": "ok", "a": [["a"], [null]], "j": "{\"k\": [1]}", "u": "123e4567-e89b-12d3-a456-426614174000",
        // The first byte of two; older servers send it as it is, although it is no UTF-8.
        "c": if version >= 15 { "\\303" } else { "\\xc3" },
        "bt": "BQ==", "rg": "[1,4)", "x": "<x/>", "mac": "08:00:2b:01:02:03:04:05",
    });
    assert_eq!(pipeline.rows(), std::slice::from_ref(&row), "{version}");
    // Changes of the table and its type, in the middle of a transaction.
    pipeline.db.exec("alter type mood add value 'glad'");
    pipeline.db.exec(
        "begin; update t set m = 'glad'; alter table t drop column a, drop column j, add column k int default 9;
         update t set id = 2; commit",
    );
    let [(update, before, after), (delete, ..), (create, _, last)] = pipeline.changes().try_into().unwrap();
    assert_eq!([update, delete, create], ["u", "d", "c"]);
    assert_eq!((&before, &after["m"], &after["a"]), (&row, &json!("glad"), &row["a"]), "{version}");
    assert_eq!((&last["id"], &last["k"], last.get("a")), (&json!(2), &json!(9), None), "{version}");
    // Partitions: one that was there, one that comes, which joins by itself where its table cannot be in a publication.
    let key = if version == 10 { "; alter table part2 add primary key (id)" } else { "" };
    pipeline.db.exec(&format!("create table part2 partition of parted for values from (100) to (200){key}"));
    if version < 13 {
        pipeline.daemon.wait_metric("headwater_tables_added_total", |added| added > 0.5);
    }
    pipeline.db.exec(
        "insert into parted values (1, 'one'), (101, 'two'); update parted set v = 'three' where id = 101",
    );
    let records = pipeline.records();
    let of = |table: &str| {
        let topic = pipeline.topic(table);
        let events = records.iter().filter(|record| record.topic == topic);
        events.map(|record| format!("{} {}", record.op(), record.json()["after"]["v"])).collect::<Vec<_>>()
    };
    assert_eq!(
        (of("part"), of("part2")),
        (vec!["c \"one\"".to_owned()], vec!["c \"two\"".to_owned(), "u \"three\"".to_owned()]),
        "{version}"
    );
}
