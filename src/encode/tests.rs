//! Whole records, against records that Debezium 3.7 wrote for the same changes.

mod flat;
mod schemas;
mod texts;

use proptest::prelude::*;

use super::*;
use crate::decode::{Message, Mode, ReplicaIdentity, Tuple, Value, parse};
use crate::error::{Error, Kind};
use crate::event::{Column, Event, KeyOf, Op, OtherKey, Row, Table, TableSlot, TopicId, TransactionContext};
use crate::lsn::{Lsn, Oid, UnixMicros, Xid};
use crate::masks::Mask;
use crate::modes::{BinaryMode, FieldNames, Quirks, Schemas, TextEncoding};
use crate::source::catalog::{TypeDetails, TypeKind};

const NULL: Value<'static> = Value::Null;
const UNCHANGED: Value<'static> = Value::Unchanged;

fn text(text: &str) -> Value<'_> {
    Value::Text(text.as_bytes())
}

/// An Insert message, which a row is read from.
fn message(cells: &[Value<'_>]) -> Vec<u8> {
    let mut bytes = b"I\0\0\x40\0N".to_vec();
    bytes.extend_from_slice(&u16::try_from(cells.len()).unwrap().to_be_bytes());
    for cell in cells {
        match cell {
            Value::Unchanged => bytes.push(b'u'),
            Value::Null => bytes.push(b'n'),
            Value::Text(text) | Value::Binary(text) => {
                bytes.push(b't');
                bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
                bytes.extend_from_slice(text);
            }
        }
    }
    bytes
}

fn row(message: &[u8]) -> Tuple<'_> {
    match parse(message, Mode::default()).unwrap() {
        Message::Insert { new, .. } => new,
        other => panic!("{other:?}"),
    }
}

fn column(name: &str, oid: u32, not_null: bool) -> Column {
    let ty = TypeDetails {
        oid: Oid(oid),
        schema: "pg_catalog".into(),
        name: format!("type_{oid}"),
        kind: TypeKind::Base,
    };
    Column {
        name: name.into(),
        ty,
        typmod: -1,
        not_null,
        default: None,
        identity: false,
        selected: true,
        mask: None,
    }
}

const INT: u32 = 23;
const TEXT: u32 = 25;
const NUMERIC: u32 = 1700;

fn table(schema: &str, name: &str, columns: Vec<Column>, key: Vec<usize>) -> Table {
    let mut columns = columns;
    for &index in &key {
        columns[index].identity = true;
    }
    Table {
        slot: TableSlot(2),
        oid: Oid(0x4000),
        schema: schema.into(),
        name: name.into(),
        topic: TopicId(7),
        replica_identity: ReplicaIdentity::Default,
        columns,
        key,
    }
}

fn customers() -> Table {
    table(
        "public",
        "customers",
        vec![
            column("id", INT, true),
            column("name", 1043, true),
            column("email", TEXT, false),
            column("score", INT, false),
        ],
        vec![0],
    )
}

fn settings(name: &str) -> EncodeSettings {
    EncodeSettings {
        name: name.into(),
        database: name.into(),
        version: "3.7.0.Final".into(),
        system_id: 7_300_000_000_000_000_001,
        transaction_block: false,
        context_headers: true,
        placeholder: "__debezium_unavailable_value".into(),
        texts: TextEncoding::Utf8,
        modes: Modes::default(),
        flat: None,
    }
}

fn encoder(settings: EncodeSettings, table: &Table, context: &TransactionContext) -> JsonEncoder {
    let topic = format!("{}.{}.{}", settings.name, table.schema, table.name);
    let mut encoder = JsonEncoder::new(settings);
    encoder.set_table(table, Naming { topic: &topic, ..Naming::default() });
    encoder.begin_transaction(context);
    encoder
}

fn context(xid: u32, time: i64, previous: Option<u64>) -> TransactionContext {
    TransactionContext {
        xid: Xid(xid),
        commit_lsn: Lsn(1000),
        commit_time: UnixMicros(time),
        previous_end_lsn: previous.map(Lsn),
        origin: None,
    }
}

fn event(table: &Table, op: Op, lsn: u64) -> Event<'_> {
    Event {
        table,
        op,
        before: None,
        after: None,
        old: None,
        key: KeyOf::After,
        other_key: None,
        lsn: Lsn(lsn),
        tombstone: false,
        ordinal: 3,
        total_order: 1,
        data_collection_order: 1,
    }
}

/// Key, value and headers of a record as text.
fn record(records: &Records, index: usize) -> (Option<String>, Option<String>, Vec<(String, String)>) {
    let record = records.get(index).unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let headers = record.headers().map(|(name, value)| (text(name), value.map_or("(null)".into(), text)));
    let headers = headers.collect();
    (record.key.map(text), record.value.map(text), headers)
}

fn own_headers(ordinal: u64, xid: u32, lsn: u64) -> Vec<(String, String)> {
    vec![
        ("headwater.id".into(), format!("7300000000000000001:1000:{ordinal}")),
        ("headwater.txid".into(), xid.to_string()),
        ("headwater.lsn".into(), lsn.to_string()),
    ]
}

#[test]
fn an_insert() {
    let table = customers();
    let mut encoder = encoder(settings("orc_crud"), &table, &context(2457, 1_795_241_986_530_762, None));
    let bytes = message(&[text("1"), text("Ann"), text("ann@example.com"), text("10")]);
    let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 529_867_632) };
    let mut records = Records::default();
    let written = encoder.change(&event, 1_795_241_986_560_909_862, &mut records).unwrap();
    assert_eq!(written, Written { records: 1, unrepresentable: 0, undecoded: 0, unavailable: 0 });
    let golden = r#"{"before":null,"after":{"id":1,"name":"Ann","email":"ann@example.com","score":10},"source":{"version":"3.7.0.Final","connector":"postgresql","name":"orc_crud","ts_ms":1795241986530,"snapshot":"false","db":"orc_crud","sequence":"[null,\"529867632\"]","ts_us":1795241986530762,"ts_ns":1795241986530762000,"schema":"public","table":"customers","txId":2457,"lsn":529867632,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"c","ts_ms":1795241986560,"ts_us":1795241986560909,"ts_ns":1795241986560909862}"#;
    let (key, value, headers) = record(&records, 0);
    assert_eq!((key.as_deref(), value.as_deref()), (Some(r#"{"id":1}"#), Some(golden)));
    assert_eq!(headers, own_headers(3, 2457, 529_867_632));
    let record = records.get(0).unwrap();
    assert_eq!((record.topic, record.context), (TopicId(7), true));
}

#[test]
fn a_delete_has_a_filled_row_and_a_tombstone() {
    let table = customers();
    let context = context(2463, 1_795_241_986_547_381, Some(529_869_072));
    let mut encoder = encoder(settings("orc_crud"), &table, &context);
    let bytes = message(&[text("2"), NULL, NULL, NULL]);
    let event = Event {
        before: Some(Row::Key(row(&bytes))),
        key: KeyOf::Before,
        tombstone: true,
        ..event(&table, Op::Delete, 529_869_072)
    };
    let mut records = Records::default();
    let written = encoder.change(&event, 1_795_241_986_578_783_655, &mut records).unwrap();
    assert_eq!((written.records, records.len()), (2, 2));
    let golden = r#"{"before":{"id":2,"name":"","email":null,"score":null},"after":null,"source":{"version":"3.7.0.Final","connector":"postgresql","name":"orc_crud","ts_ms":1795241986547,"snapshot":"false","db":"orc_crud","sequence":"[\"529869072\",\"529869072\"]","ts_us":1795241986547381,"ts_ns":1795241986547381000,"schema":"public","table":"customers","txId":2463,"lsn":529869072,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"d","ts_ms":1795241986578,"ts_us":1795241986578783,"ts_ns":1795241986578783655}"#;
    let (key, value, headers) = record(&records, 0);
    assert_eq!((key.as_deref(), value.as_deref()), (Some(r#"{"id":2}"#), Some(golden)));
    assert_eq!(headers, own_headers(3, 2463, 529_869_072));
    let (key, value, headers) = record(&records, 1);
    assert_eq!((key.as_deref(), value), (Some(r#"{"id":2}"#), None));
    assert_eq!(headers, own_headers(4, 2463, 529_869_072));
}

#[test]
fn a_key_change_names_the_other_key_on_both_halves() {
    let table = table(
        "public",
        "two",
        vec![
            column("b", TEXT, true),
            column("a", INT, true),
            column("c", 1082, false),
            column("v", TEXT, false),
        ],
        vec![1, 0],
    );
    let mut encoder = encoder(settings("shop"), &table, &context(9, 0, None));
    let (old, new) = (
        message(&[text("k"), text("1"), NULL, NULL]),
        message(&[text("q"), text("1"), text("2020-02-29"), text("v")]),
    );
    let (old, new) = (Row::Key(row(&old)), Row::Full(row(&new)));
    let mut records = Records::default();
    let delete = Event {
        before: Some(old),
        key: KeyOf::Before,
        other_key: Some(OtherKey::New(new)),
        tombstone: true,
        ..event(&table, Op::Delete, 5)
    };
    let create = Event {
        after: Some(new),
        other_key: Some(OtherKey::Old(old)),
        ordinal: 5,
        ..event(&table, Op::Create, 5)
    };
    encoder.change(&delete, 0, &mut records).unwrap();
    encoder.change(&create, 0, &mut records).unwrap();
    for (index, key, header) in [
        (0, r#"{"a":1,"b":"k"}"#, ("__debezium.newkey", r#"{"a":1,"b":"q"}"#)),
        (1, r#"{"a":1,"b":"k"}"#, ("__debezium.newkey", r#"{"a":1,"b":"q"}"#)),
        (2, r#"{"a":1,"b":"q"}"#, ("__debezium.oldkey", r#"{"a":1,"b":"k"}"#)),
    ] {
        let (written, value, headers) = record(&records, index);
        assert_eq!(written.as_deref(), Some(key));
        assert_eq!(value.is_none(), index == 1);
        assert_eq!((headers[0].0.as_str(), headers[0].1.as_str()), header);
        assert_eq!(headers[1..], own_headers(3 + index as u64, 9, 5));
    }
}

#[test]
fn a_truncate_has_neither_key_nor_rows() {
    let table = customers();
    let settings = EncodeSettings { transaction_block: true, ..settings("orc_truncate") };
    let context = context(3637, 1_795_242_102_943_375, Some(870_210_000));
    let mut encoder = encoder(settings, &table, &context);
    let event = Event { key: KeyOf::None, total_order: 2, ..event(&table, Op::Truncate, 870_216_208) };
    let mut records = Records::default();
    encoder.change(&event, 1_795_242_103_048_340_561, &mut records).unwrap();
    let golden = r#"{"before":null,"after":null,"source":{"version":"3.7.0.Final","connector":"postgresql","name":"orc_truncate","ts_ms":1795242102943,"snapshot":"false","db":"orc_truncate","sequence":"[\"870210000\",\"870216208\"]","ts_us":1795242102943375,"ts_ns":1795242102943375000,"schema":"public","table":"customers","txId":3637,"lsn":870216208,"xmin":null,"origin":null,"origin_lsn":null},"transaction":{"id":"3637:870216208","total_order":2,"data_collection_order":1},"op":"t","ts_ms":1795242103048,"ts_us":1795242103048340,"ts_ns":1795242103048340561}"#;
    let (key, value, _) = record(&records, 0);
    assert_eq!((key, value.as_deref()), (None, Some(golden)));
}

#[test]
fn a_replicated_transaction_names_its_origin() {
    let table = table("public", "t", vec![column("id", INT, true), column("v", TEXT, false)], vec![0]);
    let settings = EncodeSettings { transaction_block: true, ..settings("orc_origin") };
    let context = TransactionContext {
        origin: Some(("orc_origin".into(), Lsn(305_441_741))),
        ..context(10553, 1_577_934_245_678_901, Some(2_818_656_896))
    };
    let mut encoder = encoder(settings, &table, &context);
    let bytes = message(&[text("2"), text("replicated")]);
    let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 2_818_656_896) };
    let mut records = Records::default();
    encoder.change(&event, 1_795_243_802_457_872_330, &mut records).unwrap();
    let golden = r#"{"before":null,"after":{"id":2,"v":"replicated"},"source":{"version":"3.7.0.Final","connector":"postgresql","name":"orc_origin","ts_ms":1577934245678,"snapshot":"false","db":"orc_origin","sequence":"[\"2818656896\",\"2818656896\"]","ts_us":1577934245678901,"ts_ns":1577934245678901000,"schema":"public","table":"t","txId":10553,"lsn":2818656896,"xmin":null,"origin":"orc_origin","origin_lsn":305441741},"transaction":{"id":"10553:2818656896","total_order":1,"data_collection_order":1},"op":"c","ts_ms":1795243802457,"ts_us":1795243802457872,"ts_ns":1795243802457872330}"#;
    assert_eq!(record(&records, 0).1.as_deref(), Some(golden));
}

#[test]
fn begin_and_end() {
    let mut encoder = JsonEncoder::new(settings("orc_tx_metadata"));
    let mut records = Records::default();
    let begin = TransactionRecord { topic: TopicId(1), lsn: Lsn(874_713_504), ordinal: 0 };
    assert_eq!(encoder.begin_record(begin, &mut records).unwrap_err().kind(), Kind::Internal);
    encoder.begin_transaction(&context(3659, 1_795_242_105_199_000, None));
    encoder.begin_record(begin, &mut records).unwrap();
    let end = TransactionRecord { lsn: Lsn(874_713_952), ordinal: 6, ..begin };
    let collections = [
        CollectionCount { schema: "public", table: "orders", events: 3 },
        CollectionCount { schema: "public", table: "audit", events: 2 },
    ];
    encoder.end_record(end, 5, collections, &mut records).unwrap();
    encoder.end_record(end, 0, [], &mut records).unwrap();
    let odd = [
        CollectionCount { schema: "", table: MESSAGE_COLLECTION, events: 1 },
        CollectionCount { schema: "a\"b", table: "c\\d", events: 1 },
    ];
    encoder.end_record(end, 2, odd, &mut records).unwrap();
    for (index, key, value) in [
        (
            0,
            r#"{"id":"3659:874713504"}"#,
            r#"{"status":"BEGIN","id":"3659:874713504","event_count":null,"data_collections":null,"ts_ms":1795242105199}"#,
        ),
        (
            1,
            r#"{"id":"3659:874713952"}"#,
            r#"{"status":"END","id":"3659:874713952","event_count":5,"data_collections":[{"data_collection":"public.orders","event_count":3},{"data_collection":"public.audit","event_count":2}],"ts_ms":1795242105199}"#,
        ),
        (
            2,
            r#"{"id":"3659:874713952"}"#,
            r#"{"status":"END","id":"3659:874713952","event_count":0,"data_collections":[],"ts_ms":1795242105199}"#,
        ),
        (
            3,
            r#"{"id":"3659:874713952"}"#,
            r#"{"status":"END","id":"3659:874713952","event_count":2,"data_collections":[{"data_collection":"message","event_count":1},{"data_collection":"a\"b.c\\d","event_count":1}],"ts_ms":1795242105199}"#,
        ),
    ] {
        let (written_key, written_value, _) = record(&records, index);
        assert_eq!((written_key.as_deref(), written_value.as_deref()), (Some(key), Some(value)));
    }
    assert_eq!(record(&records, 1).2, own_headers(6, 3659, 874_713_952));
    assert!(!records.get(0).unwrap().context);
}

#[test]
fn messages_inside_and_outside_of_transactions() {
    let settings = EncodeSettings { transaction_block: true, ..settings("orc_messages_tx") };
    let mut encoder = JsonEncoder::new(settings);
    let mut records = Records::default();
    let order = Order { total: 1, data_collection: 1 };
    let inside = MessageEvent {
        topic: TopicId(4),
        prefix: "app",
        content: b"transactional",
        lsn: Lsn(598_749_664),
        scope: MessageScope::Transactional { ordinal: 1, order },
    };
    assert_eq!(encoder.message(&inside, 0, &mut records).unwrap_err().kind(), Kind::Internal);
    encoder.begin_transaction(&context(2703, 1_795_242_014_408_119, None));
    encoder.message(&inside, 1_795_242_014_443_000_000, &mut records).unwrap();
    let outside = MessageEvent {
        content: b"not transactional",
        lsn: Lsn(598_749_784),
        scope: MessageScope::Lone { time: UnixMicros(1_795_242_014_408_119) },
        ..inside
    };
    encoder.message(&outside, 1_795_242_014_445_000_000, &mut records).unwrap();
    for (index, value) in [
        r#"{"op":"m","ts_ms":1795242014443,"source":{"version":"3.7.0.Final","connector":"postgresql","name":"orc_messages_tx","ts_ms":1795242014408,"snapshot":"false","db":"orc_messages_tx","sequence":"[null,\"598749664\"]","ts_us":1795242014408119,"ts_ns":1795242014408119000,"schema":"","table":"","txId":2703,"lsn":598749664,"xmin":null,"origin":null,"origin_lsn":null},"transaction":{"id":"2703:598749664","total_order":1,"data_collection_order":1},"message":{"prefix":"app","content":"dHJhbnNhY3Rpb25hbA=="}}"#,
        r#"{"op":"m","ts_ms":1795242014445,"source":{"version":"3.7.0.Final","connector":"postgresql","name":"orc_messages_tx","ts_ms":1795242014408,"snapshot":"false","db":"orc_messages_tx","sequence":"[\"598749784\",\"598749784\"]","ts_us":1795242014408119,"ts_ns":1795242014408119000,"schema":"","table":"","txId":null,"lsn":598749784,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"message":{"prefix":"app","content":"bm90IHRyYW5zYWN0aW9uYWw="}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        let (key, written, _) = record(&records, index);
        assert_eq!((key.as_deref(), written.as_deref()), (Some(r#"{"prefix":"app"}"#), Some(value)));
    }
    let (_, _, headers) = record(&records, 1);
    // Not that of the BEGIN record of a transaction whose commit record follows at once.
    let expected = [("headwater.id", "7300000000000000001:598749783:0"), ("headwater.lsn", "598749784")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn the_content_of_a_message_is_in_the_mode_of_binary_values() {
    let contents = BinaryMode::ALL.iter().map(|mode| {
        let mut encoder = JsonEncoder::new(EncodeSettings {
            modes: Modes { binary: *mode, ..Modes::default() },
            ..settings("m")
        });
        let mut records = Records::default();
        let message = MessageEvent {
            topic: TopicId(0),
            prefix: "",
            content: b"\xff\xfe\xfd",
            lsn: Lsn(8),
            scope: MessageScope::Lone { time: UnixMicros(0) },
        };
        encoder.message(&message, 0, &mut records).unwrap();
        let value: serde_json::Value = serde_json::from_str(&record(&records, 0).1.unwrap()).unwrap();
        value["message"]["content"].as_str().unwrap().to_owned()
    });
    assert_eq!(contents.collect::<Vec<_>>(), ["//79", "//79", "__79", "fffefd"]);
}

/// The `after` of an update of a table with a TOASTed column of each kind.
fn toasted(old: Option<Row<'_>>, table: &Table) -> (String, Vec<(String, String)>, Written) {
    let mut encoder = encoder(settings("t"), table, &context(1, 0, None));
    let bytes = message(&[text("1"), text("s2"), UNCHANGED, UNCHANGED]);
    let event = Event { after: Some(Row::Full(row(&bytes))), old, ..event(table, Op::Update, 1) };
    let mut records = Records::default();
    let written = encoder.change(&event, 0, &mut records).unwrap();
    let (_, value, headers) = record(&records, 0);
    let value: serde_json::Value = serde_json::from_str(&value.unwrap()).unwrap();
    (value["after"].to_string(), headers, written)
}

#[test]
fn unchanged_toast_is_named_or_filled_from_the_old_row() {
    let columns = vec![
        column("id", INT, true),
        column("small", TEXT, false),
        column("big", TEXT, false),
        column("n", NUMERIC, false),
    ];
    let table = table("public", "t", columns, vec![0]);
    let (after, headers, written) = toasted(None, &table);
    assert_eq!(
        after,
        r#"{"id":1,"small":"s2","big":"__debezium_unavailable_value","n":"__debezium_unavailable_value"}"#
    );
    assert_eq!(headers.last().unwrap(), &("headwater.unavailable".to_owned(), "big,n".to_owned()));
    assert_eq!(written.unavailable, 2);
    let old = message(&[text("1"), text("s"), text("0123"), NULL]);
    let (after, headers, written) = toasted(Some(Row::Full(row(&old))), &table);
    assert_eq!(after, r#"{"id":1,"small":"s2","big":"0123","n":null}"#);
    assert_eq!((headers.len(), written.unavailable), (3, 0));
    // What a key row says of columns outside the key says nothing.
    let old = message(&[text("1"), NULL, NULL, NULL]);
    let (after, _, written) = toasted(Some(Row::Key(row(&old))), &table);
    assert!(after.contains(r#""n":"__debezium_unavailable_value""#), "{after}");
    assert_eq!(written.unavailable, 2);
}

#[test]
fn a_key_is_never_a_placeholder() {
    let table = table("public", "t", vec![column("id", TEXT, true), column("v", TEXT, false)], vec![0]);
    let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
    let bytes = message(&[UNCHANGED, text("v")]);
    let mut records = Records::default();
    let lost = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Update, 1) };
    let error = encoder.change(&lost, 0, &mut records).unwrap_err();
    assert_eq!(error.kind(), Kind::Encode);
    assert!(error.to_string().contains("public.t.id"), "{error}");
    assert_eq!((records.len(), records.byte_len()), (0, 0));
    // The server logs such a value as the old key.
    let old = message(&[text("long"), NULL]);
    let found = Event { old: Some(Row::Key(row(&old))), ..lost };
    encoder.change(&found, 0, &mut records).unwrap();
    assert_eq!(record(&records, 0).0.as_deref(), Some(r#"{"id":"long"}"#));
}

#[test]
fn masks_hide_texts_in_rows_and_not_in_keys() {
    let mut table = table(
        "public",
        "t",
        vec![column("k", TEXT, true), column("s", TEXT, false), column("n", INT, false)],
        vec![0],
    );
    for column in &mut table.columns {
        column.mask = Some(Mask::Stars { chars: 2 });
    }
    let mut encoder = encoder(settings("s"), &table, &context(1, 0, None));
    let unmaskable: Vec<_> =
        encoder.unmaskable(table.slot).iter().map(|column| column.column.as_str()).collect();
    assert_eq!(unmaskable, ["n"]);
    let (new, old) =
        (message(&[text("key"), NULL, text("7")]), message(&[text("old"), UNCHANGED, text("7")]));
    let mut records = Records::default();
    let mut change = event(&table, Op::Create, 1);
    change.after = Some(Row::Full(row(&new)));
    change.other_key = Some(OtherKey::Old(Row::Full(row(&old))));
    encoder.change(&change, 0, &mut records).unwrap();
    let (key, value, headers) = record(&records, 0);
    assert_eq!(key.as_deref(), Some(r#"{"k":"key"}"#));
    assert!(value.unwrap().starts_with(r#"{"before":null,"after":{"k":"**","s":"**","n":7},"#));
    assert_eq!(headers[0], ("__debezium.oldkey".to_owned(), r#"{"k":"old"}"#.to_owned()));
}

#[test]
fn an_update_of_nothing_that_is_written_is_none() {
    let mut table = table(
        "public",
        "t",
        vec![
            column("k", TEXT, true),
            column("s", TEXT, false),
            column("left_out", INT, false),
            column("m", TEXT, false),
        ],
        vec![0],
    );
    table.columns[2].selected = false;
    table.columns[3].mask = Some(Mask::Truncate { chars: 2 });
    let mut encoder = encoder(settings("s"), &table, &context(1, 0, None));
    let old = message(&[text("1"), text("s"), text("7"), text("mask")]);
    for (new, same) in [
        ([text("1"), text("s"), text("7"), text("mask")], true),
        ([text("1"), UNCHANGED, text("8"), text("ma")], true),
        ([text("1"), NULL, text("7"), text("mask")], false),
        ([text("2"), text("s"), text("7"), text("mask")], false),
        ([text("1"), text("s"), text("7"), text("me")], false),
    ] {
        let new = message(&new);
        assert_eq!(encoder.is_unchanged(table.slot, row(&old), row(&new)), same, "{new:?}");
    }
}

/// The recording `keys_equal_forms_full`.
#[test]
fn an_update_that_is_written_the_same_is_none_to_debezium() {
    let table = table("public", "t", vec![column("n", NUMERIC, true)], vec![0]);
    for (quirks, same) in [(Quirks::None, false), (Quirks::Debezium, true)] {
        let modes = Modes { quirks, ..Modes::default() };
        let mut encoder = encoder(EncodeSettings { modes, ..settings("s") }, &table, &context(1, 0, None));
        let [old, new, other] = ["1.0", "1.00", "1.1"].map(|number| message(&[text(number)]));
        assert_eq!(encoder.is_unchanged(table.slot, row(&old), row(&new)), same);
        assert!(!encoder.is_unchanged(table.slot, row(&old), row(&other)));
    }
}

/// The recordings `extensions_keys`, `columns_include_keys`, `message_keys_several`.
#[test]
fn keys_are_those_that_debezium_knows() {
    let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
    let keyed = |modes, key: &[usize]| {
        let columns = vec![column("x", 28, true), column("n", INT, true)];
        let mut table = table("public", "t", columns, key.to_vec());
        table.columns[1].selected = false;
        table.columns[1].not_null = true;
        let settings = EncodeSettings { modes, ..settings("t") };
        let mut encoder = encoder(settings, &table, &context(1, 0, None));
        let bytes = message(&[text("5"), text("7")]);
        let mut records = Records::default();
        let mut change = event(&table, Op::Create, 1);
        change.after = Some(Row::Full(row(&bytes)));
        encoder.change(&change, 0, &mut records).unwrap();
        record(&records, 0).0.unwrap()
    };
    assert_eq!(keyed(Modes::default(), &[0, 1]), r#"{"x":"5","n":7}"#);
    assert_eq!(keyed(quirky, &[0, 1]), r#"{"n":7}"#);
    assert_eq!(keyed(quirky, &[0]), "{}");
    let schema = keyed(Modes { schemas: Schemas::Key, ..quirky }, &[1]);
    assert!(schema.contains(r#"{"type":"int32","optional":true,"field":"n"}"#), "{schema}");
}

#[test]
fn a_filler_in_the_key_of_the_old_row_is_another_key() {
    let moves = |modes, not_null, new: &str| {
        let columns = vec![column("id", INT, true), column("n", INT, false)];
        let mut table = table("public", "t", columns, vec![1]);
        table.columns[1].not_null = not_null;
        table.columns[0].identity = true;
        table.columns[1].identity = false;
        let mut encoder = encoder(EncodeSettings { modes, ..settings("t") }, &table, &context(1, 0, None));
        let old = message(&[text("1"), NULL]);
        let new = message(&[text("2"), if new.is_empty() { NULL } else { text(new) }]);
        encoder.moves_key(table.slot, Row::Key(row(&old)), row(&new))
    };
    let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
    assert!(moves(quirky, true, "5") && moves(quirky, false, "5"));
    assert!(!moves(quirky, true, "0") && !moves(quirky, false, ""));
}

#[test]
fn fields_have_names_that_avro_takes() {
    let names = ["1st", "col-name", "col name"];
    let columns = names.map(|name| column(name, INT, false)).into();
    let table = table("public", "t", columns, vec![0]);
    let modes = Modes { field_names: FieldNames::Avro, ..Modes::default() };
    let mut encoder = encoder(EncodeSettings { modes, ..settings("a") }, &table, &context(1, 0, None));
    let bytes = message(&[text("1"), text("2"), UNCHANGED]);
    let mut records = Records::default();
    let mut change = event(&table, Op::Create, 1);
    change.after = Some(Row::Full(row(&bytes)));
    encoder.change(&change, 0, &mut records).unwrap();
    let (key, value, headers) = record(&records, 0);
    assert_eq!(key.as_deref(), Some(r#"{"_1st":1}"#));
    let value: serde_json::Value = serde_json::from_str(&value.unwrap()).unwrap();
    let fields: Vec<_> = value["after"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["_1st", "col_name", "col_name_"]);
    assert_eq!(headers.last().unwrap(), &("headwater.unavailable".to_owned(), "col_name_".to_owned()));
}

#[test]
fn columns_left_out_stay_in_the_key() {
    let mut columns = vec![column("secret", INT, true), column("lsn", 3220, false), column("v", TEXT, false)];
    columns[0].selected = false;
    let table = table("public", "t", columns, vec![1, 0]);
    let mut encoder = JsonEncoder::new(settings("t"));
    let dropped = encoder.set_table(&table, Naming::default());
    assert_eq!(dropped, [DroppedColumn { column: "lsn".into(), type_name: "type_3220".into() }]);
    encoder.begin_transaction(&context(1, 0, None));
    let bytes = message(&[text("5"), text("16/B374D848"), text("x")]);
    let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 1) };
    let mut records = Records::default();
    encoder.change(&event, 0, &mut records).unwrap();
    let (key, value, _) = record(&records, 0);
    assert_eq!(key.as_deref(), Some(r#"{"lsn":"16/B374D848","secret":5}"#));
    assert!(value.unwrap().contains(r#""after":{"v":"x"},"#));
}

#[test]
fn nan_is_null_and_counted_unless_the_column_is_not_null() {
    for (not_null, kind) in [(false, None), (true, Some(Kind::Encode))] {
        let table =
            table("public", "t", vec![column("id", INT, true), column("n", NUMERIC, not_null)], vec![0]);
        let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
        let bytes = message(&[text("1"), text("NaN")]);
        let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 1) };
        let mut records = Records::default();
        let result = encoder.change(&event, 0, &mut records);
        assert_eq!(result.as_ref().err().map(Error::kind), kind);
        if let Ok(written) = result {
            assert_eq!(written.unrepresentable, 1);
            assert!(record(&records, 0).1.unwrap().contains(r#""after":{"id":1,"n":null}"#));
        }
    }
}

#[test]
fn a_failure_names_the_column_and_never_the_value() {
    let table = customers();
    let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
    let bytes = message(&[text("1"), text("Ann"), NULL, text("s3cr3t")]);
    let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 1) };
    let mut records = Records::default();
    let error = encoder.change(&event, 0, &mut records).unwrap_err();
    assert_eq!(error.kind(), Kind::Encode);
    let sentence = error.to_string();
    assert!(sentence.contains("public.customers.score of type type_23"), "{sentence}");
    assert!(!sentence.contains("s3cr3t"), "{sentence}");
    assert_eq!(records.byte_len(), 0);
}

#[test]
fn what_never_comes_is_refused() {
    let table = customers();
    let short = message(&[text("1")]);
    let mut records = Records::default();
    let mut fresh = JsonEncoder::new(settings("t"));
    let unknown = event(&table, Op::Create, 1);
    assert_eq!(fresh.change(&unknown, 0, &mut records).unwrap_err().kind(), Kind::Internal);
    let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
    let misfit = Event { after: Some(Row::Full(row(&short))), ..unknown.clone() };
    assert_eq!(encoder.change(&misfit, 0, &mut records).unwrap_err().kind(), Kind::Internal);
    // A key without the row that it is taken from.
    assert_eq!(encoder.change(&unknown, 0, &mut records).unwrap_err().kind(), Kind::Internal);
    assert!(records.is_empty());
}

proptest! {
    #[test]
    fn any_text_comes_back(id: i32, name: String, email in proptest::option::of(".*"), column_name: String) {
        let mut table = customers();
        table.columns[1].name = column_name.clone();
        prop_assume!(!["id", "email", "score"].contains(&column_name.as_str()));
        let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
        let id_text = id.to_string();
        let bytes = message(&[text(&id_text), text(&name), email.as_deref().map_or(NULL, text), NULL]);
        let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 1) };
        let mut records = Records::default();
        encoder.change(&event, 0, &mut records).unwrap();
        let value: serde_json::Value = serde_json::from_str(&record(&records, 0).1.unwrap()).unwrap();
        prop_assert_eq!(&value["after"]["id"], &serde_json::json!(id));
        prop_assert_eq!(&value["after"][&*column_name], &serde_json::json!(name));
        prop_assert_eq!(&value["after"]["email"], &serde_json::json!(email));
        prop_assert_eq!(&value["after"]["score"], &serde_json::Value::Null);
    }
}
