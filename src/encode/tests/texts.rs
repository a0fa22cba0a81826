//! Texts that are not of the encoding that they should be of.

use super::*;

#[test]
fn texts_that_do_not_fit_are_named_once_and_counted_each_time() {
    let columns = vec![column("id", TEXT, true), column("v", TEXT, false), column("w", TEXT, false)];
    let table = table("public", "t", columns, vec![0]);
    let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
    let old = message(&[Value::Text(b"\xe9"), text("v"), Value::Text(b"\xff")]);
    let new = message(&[Value::Text(b"\xe9"), Value::Text(b"a\xe8"), UNCHANGED]);
    let (before, after) = (Row::Full(row(&old)), Row::Full(row(&new)));
    let event =
        Event { before: Some(before), after: Some(after), old: Some(before), ..event(&table, Op::Update, 1) };
    let mut records = Records::default();
    let written = encoder.change(&event, 0, &mut records).unwrap();
    assert_eq!((written.undecoded, written.unrepresentable), (5, 0));
    let (key, value, headers) = record(&records, 0);
    assert_eq!(key.as_deref(), Some(r#"{"id":"\\xe9"}"#));
    let rows =
        r#"{"before":{"id":"\\xe9","v":"v","w":"\\xff"},"after":{"id":"\\xe9","v":"\\x61e8","w":"\\xff"},"#;
    assert!(value.unwrap().starts_with(rows));
    assert_eq!(headers.last().unwrap(), &("headwater.undecoded".to_owned(), "id,w,v".to_owned()));
    let mut told = Vec::new();
    while let Some(column) = encoder.tell_undecoded(table.slot) {
        told.push(column.to_owned());
    }
    assert_eq!(told, ["id", "w", "v"]);
    // What is declared fits all of it.
    let mut encoder = JsonEncoder::new(EncodeSettings { texts: TextEncoding::Latin1, ..settings("t") });
    encoder.set_table(&table, Naming::default());
    encoder.begin_transaction(&context(1, 0, None));
    let mut records = Records::default();
    assert_eq!(encoder.change(&event, 0, &mut records).unwrap().undecoded, 0);
    let (key, _, headers) = record(&records, 0);
    assert_eq!((key.as_deref(), headers.len()), (Some("{\"id\":\"\u{e9}\"}"), 3));
}

#[test]
fn a_text_that_does_not_fit_is_named_where_a_record_shows_it() {
    let mut columns = vec![column("id", TEXT, true), column("v", TEXT, false), column("w", TEXT, false)];
    columns[0].mask = Some(Mask::Stars { chars: 2 });
    columns[1].mask = Some(Mask::Stars { chars: 2 });
    columns[2].mask = Some(Mask::Truncate { chars: 3 });
    let table = table("public", "t", columns, vec![0]);
    let mut encoder = encoder(settings("t"), &table, &context(1, 0, None));
    let new = message(&[Value::Text(b"\xe9"), Value::Text(b"\xe8"), Value::Text(b"\xff")]);
    let event = Event { after: Some(Row::Full(row(&new))), ..event(&table, Op::Create, 1) };
    let mut records = Records::default();
    assert_eq!(encoder.change(&event, 0, &mut records).unwrap().undecoded, 2);
    let (key, value, headers) = record(&records, 0);
    assert_eq!(key.as_deref(), Some(r#"{"id":"\\xe9"}"#));
    assert!(value.unwrap().contains(r#""after":{"id":"**","v":"**","w":"\\xf"}"#));
    assert_eq!(headers.last().unwrap(), &("headwater.undecoded".to_owned(), "id,w".to_owned()));
}
