//! Messages through the translator, and what they become.

use super::*;
use crate::encode::{EncodeSettings, Modes};
use crate::lsn::Xid;
use crate::modes::{Quirks, TextEncoding};
use crate::observe::About;
use crate::source::catalog::{TableDetails, TypeDetails};

pub(in crate::run) struct Nobody;

impl Describe for Nobody {
    fn table(&mut self, _: &Relation) -> Result<Option<TableDetails>> {
        Ok(None)
    }

    fn type_details(&self, _: Oid) -> Option<TypeDetails> {
        None
    }
}

pub(in crate::run) fn translator() -> Translator {
    with_modes(Modes::default())
}

fn with_modes(modes: Modes) -> Translator {
    let config = crate::sink::sample::config("");
    let encoder = JsonEncoder::new(EncodeSettings {
        name: "shop".into(),
        database: "shop".into(),
        version: "1".into(),
        system_id: 1,
        transaction_block: false,
        context_headers: false,
        placeholder: String::new(),
        texts: TextEncoding::Utf8,
        modes,
        flat: None,
    });
    let parts = Parts {
        selection: Selection::new(&config.source).unwrap(),
        router: Router::new("shop", "{name}.{schema}.{table}"),
        encoder,
        settings: Settings {
            transaction_topic: None,
            message_topic: Some("shop.message".into()),
            tombstones: false,
            skip_unchanged: false,
        },
        skip: vec![],
        metrics: Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap(),
    };
    Translator::new(parts, Resume::default())
}

/// A Relation message for a table of no columns, as within a block or outside.
pub(in crate::run) fn relation(order: Order, oid: u32, name: &str) -> Vec<u8> {
    let xid = if order.is_in_stream() { vec![0, 0, 0, 9] } else { vec![] };
    [b"R", &xid[..], &oid.to_be_bytes(), b"public\0", name.as_bytes(), b"\0d\0\0"].concat()
}

fn define(translator: &mut Translator, order: Order, oid: u32, name: &str) {
    let at = At { lsn: Lsn(1), now: Now(std::time::Duration::ZERO), order };
    translator.message(at, &relation(order, oid, name), &mut Nobody, &mut Records::default()).unwrap();
}

/// The names in force, as the relation and as the table say.
fn names(translator: &Translator) -> Vec<&str> {
    let tables = translator.tables.iter().flatten().map(|captured| captured.table.name.as_str());
    let tables: Vec<&str> = tables.collect();
    let relations: Vec<&str> =
        translator.relations.relations().iter().map(|relation| relation.name.as_str()).collect();
    assert_eq!(tables, relations);
    tables
}

#[test]
fn the_definition_received_last_is_in_force_whatever_commits_last() {
    let (first, between, second) = (Order::within(1), Order::after(1), Order::within(2));
    let commit =
        StreamCommit { xid: Xid(9), commit_lsn: Lsn(10), end_lsn: Lsn(11), commit_time: UnixMicros(0) };
    let mut translator = translator();
    define(&mut translator, between, 1, "now");
    define(&mut translator, between, 2, "now");
    translator.begin(&commit);
    for name in ["then", "still then"] {
        define(&mut translator, first, 1, name);
        assert_eq!(names(&translator), [name, "now"]);
    }
    define(&mut translator, first, 2, "then");
    define(&mut translator, first, 3, "other");
    define(&mut translator, second, 2, "later");
    assert_eq!(names(&translator), ["still then", "later", "other"]);
    translator.commit(&commit, &mut Nobody, &mut Records::default()).unwrap();
    assert_eq!(names(&translator), ["now", "later", "other"]);
    // What came in the transaction is what the server goes by.
    define(&mut translator, Order::after(2), 2, "last");
    translator.begin(&commit);
    define(&mut translator, second, 2, "later");
    translator.commit(&commit, &mut Nobody, &mut Records::default()).unwrap();
    assert_eq!(names(&translator), ["now", "last", "other"]);
}

/// A logical decoding message with the content `x`.
fn logical(transactional: bool, lsn: u64, prefix: &str) -> Vec<u8> {
    let flags = [u8::from(transactional)];
    [b"M", &flags[..], &lsn.to_be_bytes(), prefix.as_bytes(), b"\0\0\0\0\x01x"].concat()
}

fn begin(commit_lsn: u64) -> Vec<u8> {
    [b"B", &commit_lsn.to_be_bytes()[..], &1_000_u64.to_be_bytes(), &7_u32.to_be_bytes()].concat()
}

fn commit(commit_lsn: u64, end_lsn: u64) -> Vec<u8> {
    [b"C\0", &commit_lsn.to_be_bytes()[..], &end_lsn.to_be_bytes(), &1_000_u64.to_be_bytes()].concat()
}

fn translated(translator: &mut Translator, body: &[u8], out: &mut Records) -> Result<Step> {
    let now = Now(std::time::Duration::from_secs(2_000_000_000));
    translator.message(At { lsn: Lsn(1), now, order: Order::after(0) }, body, &mut Nobody, out)
}

fn ids(records: &Records) -> Vec<String> {
    let id = |index| {
        let (_, id) = records.get(index).unwrap().headers().next().unwrap();
        String::from_utf8(id.unwrap().to_vec()).unwrap()
    };
    (0..records.len()).map(id).collect()
}

#[test]
fn messages_come_once_after_any_restart() {
    let stream: Vec<Vec<u8>> = vec![
        logical(false, 90, "a"),
        begin(104),
        logical(true, 96, "a"),
        logical(true, 97, "left out"),
        logical(true, 98, "a"),
        commit(104, 120),
        // Ends where the commit record of the next transaction begins.
        logical(false, 128, "a"),
        begin(128),
        logical(true, 110, "a"),
        commit(128, 136),
        logical(false, 144, "left out"),
    ];
    let run = |resume: Resume| {
        let mut translator = translator();
        translator.assembler = Assembler::new(resume, Vec::new());
        translator.selection = Selection::new(&crate::config::Source {
            exclude_messages: vec!["left*".into()],
            ..crate::sink::sample::config("").source
        })
        .unwrap();
        let mut records = Records::default();
        // Positions that could be stored, and how many records they cover.
        let mut places = Vec::new();
        let mut end_lsn = resume.end_lsn;
        for body in &stream {
            match translated(&mut translator, body, &mut records).unwrap() {
                Step::Inside => {}
                Step::Committed { end_lsn: end, .. } | Step::Message { end_lsn: end } => end_lsn = end,
            }
            let partial = translator.assembler.partial();
            places.push((Resume { end_lsn, partial, last_commit_end_lsn: None }, records.len()));
        }
        (ids(&records), places, translator.take_filtered(), translator.take_messages())
    };
    let (all, places, filtered, written) = run(Resume::default());
    let expected = ["1:89:0", "1:104:1", "1:104:3", "1:127:0", "1:128:1"];
    assert_eq!(all, expected);
    assert_eq!((filtered, written), (Filtered { prefix: 2, ..Filtered::default() }, 5));
    for (resume, durable) in places {
        assert_eq!(run(resume).0, expected[durable..], "{resume:?}");
    }
}

#[test]
fn messages_that_are_left_out_move_the_position_and_begin_nothing() {
    let mut translator = translator();
    translator.settings.message_topic = None;
    translator.settings.transaction_topic = Some(translator.router.named("shop.transaction"));
    let mut records = Records::default();
    let lone = translated(&mut translator, &logical(false, 90, "a"), &mut records).unwrap();
    assert_eq!(lone, Step::Message { end_lsn: Lsn(90) });
    for body in [begin(104), logical(true, 96, "a")] {
        translated(&mut translator, &body, &mut records).unwrap();
    }
    let end = translated(&mut translator, &commit(104, 120), &mut records).unwrap();
    assert!(matches!(end, Step::Committed { published: false, .. }), "{end:?}");
    assert!(records.is_empty());
    assert_eq!(translator.take_filtered(), Filtered { operation: 2, ..Filtered::default() });
}

#[test]
fn messages_count_among_the_events_of_their_transaction() {
    let mut translator = translator();
    translator.settings.transaction_topic = Some(translator.router.named("shop.transaction"));
    let mut records = Records::default();
    for body in [begin(104), logical(true, 96, "a"), logical(true, 97, "b"), commit(104, 120)] {
        translated(&mut translator, &body, &mut records).unwrap();
    }
    let end: serde_json::Value = serde_json::from_slice(records.get(3).unwrap().value.unwrap()).unwrap();
    assert_eq!(
        (end["event_count"].as_u64(), end["data_collections"].to_string()),
        (Some(2), r#"[{"data_collection":"message","event_count":2}]"#.to_owned())
    );
}

/// The recordings `messages_only`, `tx_tables_order` and `empty_tables`.
#[test]
fn debezium_counts_otherwise() {
    let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
    let run = |modes, skip: &[Op], bodies: &[Vec<u8>]| {
        let mut translator = with_modes(modes);
        translator.assembler = Assembler::new(Resume::default(), skip.to_vec());
        translator.settings.transaction_topic = Some(translator.router.named("shop.transaction"));
        let mut records = Records::default();
        for body in bodies {
            translated(&mut translator, body, &mut records).unwrap();
        }
        records
    };
    let counts = |records: &Records, index| {
        let end: serde_json::Value =
            serde_json::from_slice(records.get(index).unwrap().value.unwrap()).unwrap();
        (end["event_count"].as_u64(), end["data_collections"].to_string())
    };
    let messages = [begin(104), logical(true, 96, "a"), logical(true, 97, "b"), commit(104, 120)];
    let one = r#"{"data_collection":"message","event_count":1}"#;
    assert_eq!(counts(&run(quirky, &[], &messages), 3), (Some(2), format!("[{one},{one}]")));
    let truncate = b"T\0\0\0\x01\0\0\0\0\x01".to_vec();
    let truncates = [begin(104), relation(Order::after(0), 1, "t"), truncate, commit(104, 120)];
    let records = run(quirky, &[Op::Truncate], &truncates);
    assert_eq!((records.len(), counts(&records, 1)), (2, (Some(0), "[]".to_owned())));
    assert!(run(quirky, &[Op::Truncate, Op::Delete], &truncates).is_empty(), "it is not published then");
    assert!(run(Modes::default(), &[Op::Truncate], &truncates).is_empty());
    let insert = b"I\0\0\0\x01N\0\0".to_vec();
    let nothing = [begin(104), relation(Order::after(0), 1, "t"), insert, commit(104, 120)];
    let records = run(quirky, &[], &nothing);
    assert_eq!((records.len(), counts(&records, 1)), (2, (Some(0), "[]".to_owned())), "no columns");
    assert_eq!(run(Modes::default(), &[], &nothing).len(), 3);
}

#[test]
fn refuses_messages_in_places_where_no_server_sends_them() {
    let mut translator = translator();
    let mut records = Records::default();
    let inside = translated(&mut translator, &logical(true, 96, "a"), &mut records);
    assert_eq!(inside.unwrap_err().kind(), Kind::Decode);
    translated(&mut translator, &begin(104), &mut records).unwrap();
    let outside = translated(&mut translator, &logical(false, 96, "a"), &mut records);
    assert_eq!(outside.unwrap_err().kind(), Kind::Decode);
}
