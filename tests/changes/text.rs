//! Odd text, large text and odd names.

use serde_json::{Value, json};

use super::Pipeline;

#[test]
fn any_text_arrives_as_it_is() {
    let controls: String =
        (1..32).filter_map(char::from_u32).chain(['\u{7f}', '\u{85}', '\u{2028}']).collect();
    let texts = [
        "",
        " ",
        "'",
        "''",
        "\"quoted\"",
        "\\",
        "\\n \\u0041 \\\\",
        "{\"json\": [1, \"x\"]}",
        "a,b{c}",
        "\u{1f600}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd} \u{627}",
        "n\u{303} \u{f1}",
        "null",
        "NULL",
        "</script>",
        "__debezium_unavailable_value",
        "\u{feff}",
        "\u{ffff}\u{10ffff}",
        &controls,
    ];
    let mut pipeline =
        Pipeline::start("create table t (id text primary key, v text, a text[], c varchar(60))");
    for text in texts {
        let quoted = format!("'{}'", text.replace('\'', "''"));
        pipeline.db.exec(&format!("insert into t values ({quoted}, {quoted}, array[{quoted}], {quoted})"));
    }
    let events = pipeline.events();
    assert_eq!(events.len(), texts.len());
    for (record, text) in events.iter().zip(texts) {
        assert_eq!(record.key_json(), json!({"id": text}));
        assert_eq!(record.json()["after"], json!({"id": text, "v": text, "a": [text], "c": text}));
    }
}

#[test]
fn a_text_of_a_megabyte_and_a_row_of_three_arrive_whole() {
    let mut pipeline = Pipeline::start("create table t (id int primary key, a text, b text, c text)");
    pipeline.db.exec(
        "insert into t values (1, repeat('\u{e4}\"', 400000), null, null);
         insert into t values (2, repeat('a', 1000000), repeat('b', 1000000), repeat('c', 1000000))",
    );
    let rows = pipeline.rows();
    assert_eq!(rows[0]["a"], "\u{e4}\"".repeat(400_000));
    for (column, letter) in [("a", "a"), ("b", "b"), ("c", "c")] {
        assert_eq!(rows[1][column], letter.repeat(1_000_000));
    }
}

#[test]
fn any_identifier_is_a_topic_and_a_field() {
    let mut pipeline = Pipeline::with(
        r#"create schema "Sch.ema \ 1"; create table "Sch.ema \ 1"."t ""ä"" {x}" ("i.d" int primary key, "Ü ""q"" \" text);
           create table "select" ("from" int primary key)"#,
        |builder| builder.set("source.tables", vec!["*.*"]),
    );
    pipeline
        .db
        .exec(r#"insert into "Sch.ema \ 1"."t ""ä"" {x}" values (1, 'v'); insert into "select" values (1)"#);
    let records: Vec<_> = pipeline.records().into_iter().filter(|record| record.op() == "c").collect();
    assert_eq!(records.len(), 2);
    let name = pipeline.db.name();
    let odd = records
        .iter()
        .find(|record| record.topic == format!("{name}.Sch.ema___1.t______x_"))
        .unwrap_or_else(|| panic!("{records:?}"));
    assert_eq!(odd.key_json(), json!({"i.d": 1}));
    let event: Value = odd.json();
    assert_eq!(event["after"], json!({"i.d": 1, "Ü \"q\" \\": "v"}));
    assert_eq!(
        (&event["source"]["schema"], &event["source"]["table"]),
        (&json!("Sch.ema \\ 1"), &json!("t \"ä\" {x}"))
    );
    assert!(records.iter().any(|record| record.topic == format!("{name}.public.select")));
}
