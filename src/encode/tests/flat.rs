//! Rows without their envelope. Whole recordings of Debezium's transformation are among the golden cases; here is what they
//! cannot show, and what each way to write deletes comes to.

use super::*;
use crate::flat::{Added, Flat};
use crate::modes::{DeleteHandling, Quirks};

fn flat(deletes: DeleteHandling, fields: &[&str], headers: &[&str]) -> Flat {
    let added = |entries: &[&str]| entries.iter().map(|entry| Added::parse("__", entry).unwrap()).collect();
    Flat { deletes, fields: added(fields), headers: added(headers) }
}

fn with(flat: Flat, quirks: Quirks) -> EncodeSettings {
    EncodeSettings {
        flat: Some(flat),
        modes: Modes { quirks, ..Modes::default() },
        transaction_block: true,
        ..settings("shop")
    }
}

/// Value and headers of each record, the latter without Headwater's.
type Seen = Vec<(Option<String>, Vec<(String, String)>)>;

/// An insert and a delete of the same row.
fn inserted_and_deleted(settings: EncodeSettings) -> Seen {
    let table = customers();
    let mut encoder = encoder(settings, &table, &context(7, 1_000_000, None));
    let (whole, known) =
        (message(&[text("1"), text("Ann"), NULL, NULL]), message(&[text("1"), NULL, NULL, NULL]));
    let insert = Event { after: Some(Row::Full(row(&whole))), ..event(&table, Op::Create, 50) };
    let delete = Event {
        before: Some(Row::Key(row(&known))),
        key: KeyOf::Before,
        tombstone: true,
        ..event(&table, Op::Delete, 60)
    };
    let mut records = Records::default();
    for event in [insert, delete] {
        let (before, written) = (records.len(), encoder.change(&event, 2_000_000_000, &mut records).unwrap());
        assert_eq!(records.len() - before, written.records as usize);
    }
    let seen = |index| {
        let (key, value, mut headers) = record(&records, index);
        assert_eq!(key.as_deref(), Some(r#"{"id":1}"#));
        headers.retain(|(name, _)| !name.starts_with("headwater."));
        (value, headers)
    };
    (0..records.len()).map(seen).collect()
}

fn values(settings: EncodeSettings) -> Vec<Option<String>> {
    inserted_and_deleted(settings).into_iter().map(|(value, _)| value).collect()
}

#[test]
fn deletes_are_what_the_mode_says() {
    let row = |text: &str| Some(text.to_owned());
    let plain = row(r#"{"id":1,"name":"Ann","email":null,"score":null}"#);
    let kept = row(r#"{"id":1,"name":"Ann","email":null,"score":null,"__deleted":"false"}"#);
    let deleted = row(r#"{"id":1,"name":"","email":null,"score":null,"__deleted":"true"}"#);
    for (mode, expected) in [
        (DeleteHandling::Tombstone, vec![plain.clone(), None]),
        (DeleteHandling::Drop, vec![plain.clone()]),
        (DeleteHandling::Rewrite, vec![kept.clone(), deleted.clone()]),
        (DeleteHandling::RewriteWithTombstone, vec![kept, deleted, None]),
        (DeleteHandling::DeleteToTombstone, vec![plain.clone(), None]),
    ] {
        assert_eq!(values(with(flat(mode, &[], &[]), Quirks::None)), expected, "{mode:?}");
    }
    let quirky = |mode| values(with(flat(mode, &[], &[]), Quirks::Debezium));
    assert_eq!(quirky(DeleteHandling::Tombstone), [plain.clone(), row("null")]);
    assert_eq!(quirky(DeleteHandling::DeleteToTombstone), [plain, None]);
}

#[test]
fn a_row_that_is_null_has_its_schema() {
    let mut settings = with(flat(DeleteHandling::Tombstone, &["op"], &[]), Quirks::Debezium);
    settings.modes.schemas = Schemas::Value;
    let seen = values(settings.clone());
    let seen: Vec<serde_json::Value> =
        seen.iter().map(|value| serde_json::from_str(value.as_deref().unwrap()).unwrap()).collect();
    let [insert, delete] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&insert["schema"]["optional"], &delete["schema"]["optional"]), (&false.into(), &true.into()));
    assert_eq!((&insert["schema"]["name"], &delete["payload"]), (&delete["schema"]["name"], &().into()));
    let fields = |record: &serde_json::Value| record["schema"]["fields"].as_array().unwrap().clone();
    assert_eq!(fields(delete), fields(insert)[..4]);
    assert_eq!(fields(insert)[4], serde_json::json!({"type": "string", "optional": true, "field": "__op"}));
    settings.modes.quirks = Quirks::None;
    assert_eq!(values(settings)[1], None);
}

#[test]
fn headers_of_a_tombstone_are_those_of_its_delete() {
    let flat = flat(DeleteHandling::RewriteWithTombstone, &[], &["op", "source.table:of", "origin", "id"]);
    let headers = |quirks| {
        let seen = inserted_and_deleted(with(flat.clone(), quirks));
        let [_, (_, delete), (None, tombstone)] = seen.as_slice() else { panic!("{seen:?}") };
        (delete.clone(), tombstone.clone())
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let own = pairs(&[("__op", "d"), ("__of", "customers"), ("__origin", "(null)"), ("__id", "7:60")]);
    assert_eq!(headers(Quirks::None), (own.clone(), own.clone()));
    let (delete, tombstone) = headers(Quirks::Debezium);
    assert_eq!((&delete, &tombstone[..4], &tombstone[4..]), (&own, &own[..], &pairs(&[("__op", "d")])[..]));
}

#[test]
fn columns_of_either_row_are_fields() {
    let mut table = customers();
    table.columns[2].default = Some("'none'::text".into());
    let fields = ["before.name", "after.email:now", "before.email", "after.nothing", "before.op"];
    let mut settings = with(flat(DeleteHandling::Rewrite, &fields, &[]), Quirks::None);
    settings.modes.null_as_default = true;
    let mut encoder = encoder(settings, &table, &context(7, 0, None));
    let mut shown = |event: &Event<'_>| {
        let mut records = Records::default();
        encoder.change(event, 0, &mut records).unwrap();
        let (_, value, headers) = record(&records, 0);
        let named = headers.into_iter().find(|(name, _)| name == "headwater.unavailable");
        (value.unwrap(), named.map(|(_, columns)| columns))
    };
    let (old, new) =
        (message(&[text("1"), text("Ann"), NULL, NULL]), message(&[text("1"), text("Eve"), UNCHANGED, NULL]));
    let update = Event {
        before: Some(Row::Full(row(&old))),
        after: Some(Row::Full(row(&new))),
        ..event(&table, Op::Update, 1)
    };
    let value = r#"{"id":1,"name":"Eve","email":"__debezium_unavailable_value","score":null,"__deleted":"false","__before_name":"Ann","__now":"__debezium_unavailable_value","__before_email":null,"__before_op":"u"}"#;
    assert_eq!(shown(&update), (value.to_owned(), Some("email".to_owned())));
    let insert = Event { after: Some(Row::Full(row(&old))), ..event(&table, Op::Create, 1) };
    // A NULL is the default in the row alone.
    let value = r#"{"id":1,"name":"Ann","email":"none","score":null,"__deleted":"false","__before_name":null,"__now":null,"__before_email":null,"__before_op":null}"#;
    assert_eq!(shown(&insert), (value.to_owned(), None));
}

#[test]
fn a_row_without_columns_holds_what_is_added() {
    let table = table("public", "nothing", vec![], vec![]);
    let settings = with(flat(DeleteHandling::Tombstone, &["op", "table"], &[]), Quirks::None);
    let mut encoder = encoder(settings, &table, &context(7, 0, None));
    let empty = message(&[]);
    let insert = Event { after: Some(Row::Full(row(&empty))), ..event(&table, Op::Create, 1) };
    let mut records = Records::default();
    encoder.change(&insert, 0, &mut records).unwrap();
    assert_eq!(record(&records, 0).1.as_deref(), Some(r#"{"__op":"c","__table":"nothing"}"#));
}

#[test]
fn two_fields_of_one_name_are_refused() {
    let mut table = customers();
    table.columns[3].name = "__op".into();
    let settings = with(flat(DeleteHandling::Tombstone, &["op"], &[]), Quirks::None);
    let mut encoder = encoder(settings, &table, &context(7, 0, None));
    let bytes = message(&[text("1"), text("Ann"), NULL, NULL]);
    let insert = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Create, 1) };
    let mut records = Records::default();
    let error: Error = encoder.change(&insert, 0, &mut records).unwrap_err();
    assert_eq!((error.kind(), records.byte_len()), (Kind::Encode, 0));
    assert!(error.to_string().contains("public.customers would be called __op"), "{error}");
    assert!(error.hint().contains("events.add_fields"), "{}", error.hint());
}

#[test]
fn a_truncate_is_no_record() {
    let table = customers();
    let settings = with(flat(DeleteHandling::Rewrite, &["op"], &[]), Quirks::Debezium);
    let mut encoder = encoder(settings, &table, &context(7, 0, None));
    let mut records = Records::default();
    let truncate = Event { key: KeyOf::None, ..event(&table, Op::Truncate, 1) };
    assert_eq!(encoder.change(&truncate, 0, &mut records).unwrap(), Written::default());
    assert!(records.is_empty() && records.byte_len() == 0);
}

#[test]
fn what_does_not_fit_is_named_where_it_is_shown() {
    let table = customers();
    let stray = Value::Text(b"\xFF");
    let (old, new) =
        (message(&[text("1"), text("Ann"), stray, NULL]), message(&[text("1"), stray, NULL, NULL]));
    let update = Event {
        before: Some(Row::Full(row(&old))),
        after: Some(Row::Full(row(&new))),
        ..event(&table, Op::Update, 1)
    };
    let cases = [
        (&[][..], "name", 1),
        (&["before.score", "after.email"], "name", 1),
        (&["before.email"], "email,name", 2),
    ];
    for (fields, named, count) in cases {
        let settings = with(flat(DeleteHandling::Tombstone, fields, &[]), Quirks::None);
        let mut encoder = encoder(settings, &table, &context(7, 0, None));
        let mut records = Records::default();
        let written = encoder.change(&update, 0, &mut records).unwrap();
        let (_, _, headers) = record(&records, 0);
        let header = headers.iter().find(|(name, _)| name == "headwater.undecoded").unwrap();
        assert_eq!((written.undecoded, header.1.as_str()), (count, named));
    }
}

proptest! {
    #[test]
    fn a_flat_row_is_that_of_the_envelope(id: i32, name: String, email in proptest::option::of(".*"), added: String) {
        prop_assume!(!["id", "name", "email", "score"].contains(&added.as_str()));
        let table = customers();
        let id = id.to_string();
        let bytes = message(&[text(&id), text(&name), email.as_deref().map_or(NULL, text), UNCHANGED]);
        let event = Event { after: Some(Row::Full(row(&bytes))), ..event(&table, Op::Update, 1) };
        let written = |settings: EncodeSettings| {
            let mut records = Records::default();
            encoder(settings, &table, &context(1, 0, None)).change(&event, 0, &mut records).unwrap();
            let (key, value, _) = record(&records, 0);
            (key, serde_json::from_str::<serde_json::Value>(&value.unwrap()).unwrap())
        };
        let mut form = flat(DeleteHandling::Tombstone, &["table"], &[]);
        form.fields[0].name.clone_from(&added);
        let (flat_key, mut flat) = written(with(form, Quirks::Debezium));
        let enveloped = EncodeSettings {
            modes: Modes { quirks: Quirks::Debezium, ..Modes::default() },
            ..settings("shop")
        };
        let (key, envelope) = written(enveloped);
        let field = flat.as_object_mut().unwrap().remove(&added);
        prop_assert_eq!((flat_key, flat), (key, envelope["after"].clone()));
        prop_assert_eq!(field, Some("customers".into()));
    }
}
