//! The oracle: what Debezium 3.7.0 wrote to Kafka for the same SQL (PostgreSQL 18), compared field by field.
//!
//! `tests/golden/<case>/` has `setup.sql`, run before the daemon starts; `workload.sql`, run while it streams;
//! `connector.properties`, what Debezium was told beside its defaults, if anything; and `golden.jsonl`, the records it wrote.
//! Everything must be equal but what [`DEVIATIONS`] lists.

mod compare;
mod script;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::daemon::Builder;
use crate::support::{ConsumedRecord, Daemon, Db, Kafka, Postgres};
use compare::{Differences, Record};
use script::Step;

/// Where Headwater's records are others on purpose: case, the places that differ (all of them and no others), why.
#[rustfmt::skip]
const DEVIATIONS: &[(&str, &[&str], &str)] = &[
    ("arrays", &["public.arr: value.after.bt", "public.arr: value.after.e", "public.arr: value.after.lt", "public.arr_odd: value.after.tv"],
        "arrays of bits, and those of enums, ltree and tsvector with a NULL in them, are kept instead of null as a whole"),
    ("arrays_multidim", &["public.md: value.after.i[]", "public.md: value.after.lb[]", "public.md: value.after.n[]", "public.md: value.after.t[]"],
        "arrays of several dimensions nest instead of being nulls and identities of Java objects"),
    ("arrays_plain", &["public.ap: value.after.b1", "public.ap: value.after.bt", "public.ap: value.after.n"],
        "arrays of bits, and names, are kept instead of null"),
    ("empty_tables", &["public.nothing: records"],
        "a row without columns is a row that was inserted, not nothing"),
    ("empty_vs_null", &["public.e: value.after.h", "public.e: value.before.h"],
        "an explicit NULL is null instead of the column's default"),
    ("null_with_default", &["public.d: value.after.b", "public.d: value.after.i", "public.d: value.after.n", "public.d: value.after.t",
        "public.d: value.before.b", "public.d: value.before.i", "public.d: value.before.n", "public.d: value.before.t"],
        "an explicit NULL is null instead of the column's default"),
    ("null_with_default_off", &["public.d: value.source.snapshot"],
        "source.snapshot is \"false\" in every event, as in all other modes of Debezium"),
    ("numbers_precise", &["public.decs: value.after.neg", "public.decs: value.before.neg", "public.nums: value.after.r"],
        "numeric(p,-s) has scale 0 instead of 2046; floats are the shortest that read back"),
    ("pg_output_settings", &["public.z: value.after.f"],
        "extra_float_digits of the database does not cut digits off"),
    ("replica_index_with_pk", &["public.expr: key", "public.t: records"],
        "a partial index is no key: rows beyond it would fall together; an update of the identity that leaves the primary key \
         as it is is an update, not the deletion of a key made up"),
    ("schema_changes", &["public.s: value.before.e"],
        "a column that is not known in the old row is null instead of the column's default"),
    ("texts", &["public.texts: value.after.n"], "names are kept instead of null"),
    ("times_adaptive_far", &["public.tms: value.after.ts"],
        "a timestamp beyond microseconds of 64 bits is null instead of a wrong number"),
    ("toast_default", &["public.t: value.after.n"],
        "an unchanged number is the placeholder instead of null"),
    ("types_misc", &["public.misc: value.after.h"], "hstore keeps the server's order of keys instead of a hash map's"),
    ("types_system", &["public.t: value.after.f", "public.t: value.after.g"], "vectors keep their elements"),
];

macro_rules! cases {
    ($($case:ident)+) => {
        $(#[test]
        fn $case() {
            check(stringify!($case));
        })+

        const CASES: &[&str] = &[$(stringify!($case)),+];
    };
}

cases! {
    arrays arrays_multidim arrays_plain binary_bytes bulk column_exclude column_include
    column_include_no_key crud empty_tables empty_vs_null generated generated_published geometry_special
    identifiers interval_numeric key_change key_change_tx key_types no_primary_key not_null_zero
    null_with_default null_with_default_off numbers_precise numbers_special_precise numeric_keys origin
    partitions_leaf partitions_root pg_output_settings pg_timezone_newyork publication_filters
    replica_full replica_index_with_pk schema_changes schema_exclude skipped_ops statements
    table_filters texts times_adaptive times_adaptive_far toast_default toast_full tombstones_off
    topic_delimiter truncate truncate_skipped tx_metadata tx_plain tx_topic_name types_ext types_misc
    types_system
}

#[test]
fn every_case_has_its_test_and_every_deviation_its_case() {
    let cases: BTreeSet<&str> = CASES.iter().copied().collect();
    let folders = fs::read_dir(folder("")).unwrap().filter_map(Result::ok);
    let folders = folders.filter(|entry| entry.path().is_dir());
    let folders: BTreeSet<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(folders.iter().map(String::as_str).eq(cases.iter().copied()), "{folders:?}");
    assert!(DEVIATIONS.iter().all(|(case, ..)| cases.contains(case)));
}

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(case)
}

#[track_caller]
fn check(case: &str) {
    let differences = differences(&folder(case));
    let deviations =
        DEVIATIONS.iter().find(|(name, ..)| *name == case).map_or(&[][..], |(_, paths, _)| paths);
    let unexpected: Vec<_> =
        differences.iter().filter(|(place, _)| !deviations.contains(&place.as_str())).collect();
    assert!(unexpected.is_empty(), "{case} differs (golden is ours):\n{unexpected:#?}");
    for place in deviations {
        assert!(differences.contains_key(*place), "{case} is equal at {place}: take it from the list");
    }
}

/// Runs the case of a folder through the daemon.
fn differences(folder: &Path) -> Differences {
    let read = |name| fs::read_to_string(folder.join(name)).unwrap();
    let name = format!("orc_{}", folder.file_name().unwrap().to_str().unwrap());
    let (server, kafka) = (Postgres::shared(18), Kafka::shared());
    server.session("postgres").exec(&format!("create database {name}"));
    let db = Db::new(name.clone(), server.port());
    let properties = fs::read_to_string(folder.join("connector.properties")).unwrap_or_default();
    let builder = configured(Daemon::builder(&db, kafka), &name, &properties);
    run(&db, "", &read("setup.sql"));
    let daemon = builder.start();
    let slot = format!("headwater_{name}");
    run(&db, &slot, &read("workload.sql"));
    db.wait_confirmed(&slot);
    let mut consumer = kafka.consumer(&name);
    // Another case's name may begin with this one's.
    let own = |record: &&ConsumedRecord| record.topic[name.len()..].starts_with(['.', '-']);
    let ours: Vec<Record> = consumer.read_to_end().iter().filter(own).map(record).collect();
    let golden: Vec<Record> = read("golden.jsonl").lines().map(Record::golden).collect();
    drop(daemon);
    compare::compare(&format!("{name}."), &golden, &ours)
}

/// The configuration that asks for the same.
fn configured(builder: Builder, name: &str, properties: &str) -> Builder {
    let mut builder = builder
        .set("source.tables", vec!["*.*"])
        .set("source.publication_mode", "all_tables")
        .set("events.transaction_metadata", false)
        .set("events.skipped_operations", vec!["t"])
        .set("checkpoint.interval", "1ms")
        .allow_log("the column is left out");
    for line in properties.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (key, value) = line.split_once('=').unwrap();
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        builder = match key {
            "provide.transaction.metadata" => builder.set("events.transaction_metadata", value == "true"),
            "tombstones.on.delete" => builder.set("events.tombstones", value == "true"),
            "skipped.operations" if value == "none" => {
                builder.set("events.skipped_operations", Vec::<String>::new())
            }
            "skipped.operations" => builder.set("events.skipped_operations", list()),
            // Regular expressions there, patterns as in a shell here.
            "table.include.list" => {
                builder.set("source.tables", list().iter().map(|table| shell(table)).collect::<Vec<_>>())
            }
            "schema.exclude.list" => builder.set("source.exclude_tables", vec![format!("{value}.*")]),
            "column.include.list" => builder.set("source.columns", list()),
            "column.exclude.list" => builder.set("source.exclude_columns", list()),
            "unavailable.value.placeholder" => builder.set("events.unavailable_value_placeholder", value),
            "topic.transaction" => builder.set("topics.transaction", format!("{{name}}.{value}")),
            "topic.delimiter" => builder
                .set("topics.pattern", format!("{{name}}{value}{{schema}}{value}{{table}}"))
                .set("topics.transaction", format!("{{name}}{value}transaction")),
            // Made by setup.sql, under the name of the database.
            "publication.autocreate.mode" if value == "disabled" => {
                builder.set("source.publication_mode", "disabled").set("source.publication", name)
            }
            "value.converter.replace.null.with.default" | "key.converter.replace.null.with.default" => {
                builder
            }
            "key.converter.schemas.enable" if value == "false" => builder,
            other => panic!("no key for {other}"),
        };
    }
    builder
}

fn shell(expression: &str) -> String {
    expression.replace("\\.", ".").replace(".*", "*")
}

fn run(db: &Db, slot: &str, script: &str) {
    let session = db.connect();
    let mut may_fail = false;
    for step in script::steps(script) {
        match step {
            Step::Statement(statement) if may_fail => drop(session.try_exec(&statement)),
            Step::Statement(statement) => session.exec(&statement),
            Step::Settle => db.wait_confirmed(slot),
            Step::MayFail(may) => may_fail = may,
        }
    }
}

fn record(record: &ConsumedRecord) -> Record {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_deref().map_or("null".to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    Record::new(&record.topic, &text(&record.key), &text(&record.value), record.headers.clone())
}
