//! Records with Connect's schemas in front, against those of Debezium.

use super::*;

/// Key and value of a record of Debezium, byte for byte.
fn golden(file: &'static str, what: &str) -> (&'static str, &'static str) {
    let line = file.lines().find(|line| line.contains(what)).unwrap();
    let (_, line) = line.split_once(r#","key":"#).unwrap();
    let (line, _) = line.rsplit_once(r#","headers":"#).unwrap();
    line.split_once(r#","value":"#).unwrap()
}

fn with_schemas(name: &str, schemas: Schemas) -> EncodeSettings {
    EncodeSettings { modes: Modes { schemas, ..Modes::default() }, ..settings(name) }
}

#[test]
fn schemas_stand_in_front_of_key_and_value() {
    let (golden_key, golden_value) =
        golden(include_str!("../../../tests/golden/schemas_crud/golden.jsonl"), r#""name":"Ann""#);
    let table = customers();
    let context = context(2976, 1_795_242_038_456_141, None);
    let bytes = message(&[text("1"), text("Ann"), text("ann@example.com"), text("10")]);
    for schemas in [Schemas::Both, Schemas::Key, Schemas::Value, Schemas::None] {
        let mut encoder = encoder(with_schemas("orc_schemas_crud", schemas), &table, &context);
        let create = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 673_159_520) };
        let mut records = Records::default();
        encoder.change(&create, 1_795_242_038_474_271_278, &mut records).unwrap();
        let (key, value, _) = record(&records, 0);
        let payload = |whole: &str| {
            let (_, payload) = whole.split_once(r#","payload":"#).unwrap();
            payload.strip_suffix('}').unwrap().to_owned()
        };
        let expected = |on, whole: &str| if on { whole.to_owned() } else { payload(whole) };
        assert_eq!(key, Some(expected(schemas.key(), golden_key)), "{schemas:?}");
        assert_eq!(value, Some(expected(schemas.value(), golden_value)), "{schemas:?}");
    }
}

#[test]
fn headers_and_tombstones_have_no_schemas() {
    let table = customers();
    let mut encoder = encoder(with_schemas("shop", Schemas::Both), &table, &context(9, 0, None));
    let (old, new) =
        (message(&[text("1"), NULL, NULL, NULL]), message(&[text("2"), text("Ann"), NULL, NULL]));
    let (old, new) = (Row::Key(row(&old)), Row::Full(row(&new)));
    let mut records = Records::default();
    let delete = Event {
        before: Some(old),
        key: KeyOf::Before,
        other_key: Some(OtherKey::New(new)),
        tombstone: true,
        ..event(&table, Op::Delete, 5)
    };
    encoder.change(&delete, 0, &mut records).unwrap();
    encoder.change(&Event { key: KeyOf::None, ..event(&table, Op::Truncate, 6) }, 0, &mut records).unwrap();
    let key = r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":"shop.public.customers.Key"},"payload":{"id":1}}"#;
    for (index, key, headers) in [(0, Some(key), 4), (1, Some(key), 4), (2, None, 3)] {
        let (written, value, written_headers) = record(&records, index);
        assert_eq!(written.as_deref(), key);
        assert_eq!(value.is_none(), index == 1);
        assert_eq!(written_headers.len(), headers);
        if headers == 4 {
            assert_eq!(written_headers[0], ("__debezium.newkey".to_owned(), r#"{"id":2}"#.to_owned()));
        }
    }
}

#[test]
fn begin_and_end_have_schemas_too() {
    let file = include_str!("../../../tests/golden/schemas_tx/golden.jsonl");
    let mut encoder = JsonEncoder::new(with_schemas("orc_schemas_tx", Schemas::Both));
    let mut records = Records::default();
    encoder.begin_transaction(&context(3089, 1_795_242_048_099_000, None));
    let begin = TransactionRecord { topic: TopicId(1), lsn: Lsn(705_118_912), ordinal: 0 };
    encoder.begin_record(begin, &mut records).unwrap();
    let collections = [("orders", 2), ("lines", 2), ("audit", 1)].map(|(table, events)| CollectionCount {
        schema: "public",
        table,
        events,
    });
    encoder
        .end_record(TransactionRecord { lsn: Lsn(705_119_728), ..begin }, 5, collections, &mut records)
        .unwrap();
    for (index, what) in [(0, r#""status":"BEGIN","id":"3089:"#), (1, r#""status":"END","id":"3089:"#)] {
        let (key, value, _) = record(&records, index);
        assert_eq!((key.as_deref().unwrap(), value.as_deref().unwrap()), golden(file, what));
    }
}

#[test]
fn messages_have_schemas_that_say_what_their_content_is() {
    let mut encoder = JsonEncoder::new(with_schemas("shop", Schemas::Both));
    let mut records = Records::default();
    let lone = MessageEvent {
        topic: TopicId(4),
        prefix: "app",
        content: b"x",
        lsn: Lsn(5),
        scope: MessageScope::Lone { time: UnixMicros(0) },
    };
    encoder.message(&lone, 0, &mut records).unwrap();
    let (key, value, _) = record(&records, 0);
    assert_eq!(
        key.unwrap(),
        r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"prefix"}],"optional":false,"name":"io.debezium.connector.postgresql.MessageKey","version":1},"payload":{"prefix":"app"}}"#
    );
    let value: serde_json::Value = serde_json::from_str(&value.unwrap()).unwrap();
    assert_eq!(value["payload"]["message"], serde_json::json!({"prefix": "app", "content": "eA=="}));
    assert_eq!(value["schema"]["fields"][4]["fields"][1]["type"], "bytes");
}

#[test]
fn both_rows_share_one_schema() {
    let columns = (0..1600).map(|index| column(&format!("column_{index}"), TEXT, false)).collect();
    let table = table("public", "wide", columns, vec![0]);
    let mut encoder = encoder(with_schemas("shop", Schemas::Value), &table, &context(9, 0, None));
    let mut records = Records::default();
    encoder.change(&Event { key: KeyOf::None, ..event(&table, Op::Truncate, 6) }, 0, &mut records).unwrap();
    let value: serde_json::Value = serde_json::from_str(&record(&records, 0).1.unwrap()).unwrap();
    let fields = |index: usize| value["schema"]["fields"][index]["fields"].as_array().unwrap();
    assert_eq!((fields(0).len(), fields(0)), (1600, fields(1)));
    assert_eq!(value["schema"]["fields"][1]["field"], "after");
}
