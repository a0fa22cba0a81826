//! Two recordings of the same changes, record by record and field by field.
//!
//! What depends on the cluster or the clock is masked, and checked for what it must still be: see [`Record::mask`] and
//! [`consistency`]. Numbers are compared as they are written, `1.10` is not `1.1`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A record of either side.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) topic: String,
    key: Value,
    value: Value,
    /// Of key and value, where those are payloads.
    schemas: [Value; 2],
    headers: Vec<(String, String)>,
    facts: Facts,
}

/// What was masked.
#[derive(Debug, Default)]
struct Facts {
    /// The transaction's id, by which records are of one transaction or not.
    txid: Option<String>,
    lsn: Option<u64>,
    time: Option<String>,
    previous_commit: Option<u64>,
    status: Option<String>,
    mistakes: Vec<String>,
}

impl Record {
    /// From the texts of key and value; `null` for none.
    pub(super) fn new(topic: &str, key: &str, value: &str, headers: Vec<(String, String)>) -> Self {
        Self::of(topic.to_owned(), parse(key), parse(value), headers)
    }

    /// From a line of a golden file.
    pub(super) fn golden(line: &str) -> Self {
        let line = parse(line);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = line["headers"].as_array().unwrap().iter();
        let shown = |value: &Value| value.as_str().unwrap_or("(null)").to_owned();
        let headers = headers.map(|header| (text(&header[0]), shown(&header[1]))).collect();
        Self::of(text(&line["topic"]), line["key"].clone(), line["value"].clone(), headers)
    }

    fn of(topic: String, key: Value, value: Value, headers: Vec<(String, String)>) -> Self {
        let ((key_schema, key), (value_schema, value)) = (taken_apart(key), taken_apart(value));
        let schemas = [key_schema, value_schema];
        let mut record = Self { topic, key, value, schemas, headers, facts: Facts::default() };
        record.mask();
        record
    }

    /// Puts the same text in the place of what may differ, and notes it as a mistake when it is not of its form.
    fn mask(&mut self) {
        let Self { key, value, headers, facts, .. } = self;
        for (name, value) in headers.iter_mut() {
            if name == "__debezium.context.runId" {
                facts.check(is_uuid(value), "runId is not a UUID", value);
                "UUID".clone_into(value);
            }
        }
        if value["aggregate_type"].is_string() {
            facts.mask_notification(key, value);
        } else if value["source"].is_object() {
            facts.mask_event(value);
        } else if key["serverName"].is_string() {
            Facts::number(value, "ts_ms");
        } else if value["status"].is_string() {
            let id = text(&value["id"]);
            facts.check(pair(&id).is_some(), "id is not <txId>:<lsn>", &id);
            facts.check(key["id"] == value["id"], "the key's id is not the value's", &id);
            facts.txid = id.split_once(':').map(|(txid, _)| txid.to_owned());
            facts.status = Some(text(&value["status"]));
            key["id"] = "masked".into();
            value["id"] = "masked".into();
            Facts::number(value, "ts_ms");
            // A set in the order of a hash map.
            if let Some(collections) = value["data_collections"].as_array_mut() {
                collections.sort_by_key(|collection| text(&collection["data_collection"]));
            }
        } else {
            facts.mask_added(value, headers);
        }
    }
}

impl Facts {
    fn check(&mut self, holds: bool, what: &str, seen: &str) {
        if !holds {
            self.mistakes.push(format!("{what}: {seen}"));
        }
    }

    /// Masks a number, or leaves what is none to be compared.
    fn number(object: &mut Value, field: &str) -> Option<u64> {
        let number = object.get(field)?.as_str()?.strip_prefix(NUMBER)?.parse().ok()?;
        object[field] = "a number".into();
        Some(number)
    }

    fn times(&mut self, object: &mut Value) -> Option<u64> {
        let [ms, us, ns] = ["ts_ms", "ts_us", "ts_ns"].map(|field| Self::number(object, field));
        let agree = us.is_none_or(|us| ms == Some(us / 1000) && ns.is_some_and(|ns| ns / 1000 == us));
        self.check(agree, "ts_ms, ts_us and ts_ns do not agree", &format!("{ms:?} {us:?} {ns:?}"));
        us
    }

    fn mask_notification(&mut self, key: &mut Value, value: &mut Value) {
        let id = text(&value["id"]);
        self.check(is_uuid(&id), "id is not a UUID", &id);
        self.check(key["id"] == value["id"], "the key's id is not the value's", &id);
        key["id"] = "masked".into();
        value["id"] = "masked".into();
        Self::number(value, "timestamp");
        let in_progress = value["type"] == "IN_PROGRESS";
        if let Some(data) = value["additional_data"].as_object_mut() {
            // Debezium's maps have another order in each process, and this set that of a hash map.
            data.sort_keys();
            if let Some(tables) = data.get_mut("data_collections").filter(|_| in_progress) {
                let list = text(tables);
                let mut names: Vec<&str> = list.split(',').collect();
                names.sort_unstable();
                *tables = names.join(",").into();
            }
        }
    }

    fn mask_event(&mut self, value: &mut Value) {
        self.times(value);
        let source = &mut value["source"];
        self.time = self.times(source).map(|us| us.to_string());
        self.check(source["version"].is_string(), "no version", "");
        source["version"] = "masked".into();
        self.lsn = Self::number(source, "lsn");
        self.txid = Self::number(source, "txId").map(|txid| txid.to_string());
        Self::number(source, "xmin");
        Self::number(source, "origin_lsn");
        let sequence = text(&source["sequence"]);
        match serde_json::from_str::<[Option<String>; 2]>(&sequence) {
            Ok([previous, lsn]) => {
                let number = |text: Option<String>| text.map(|text| text.parse().unwrap_or(u64::MAX));
                self.check(number(lsn) == self.lsn, "sequence[1] is not lsn", &sequence);
                self.previous_commit = number(previous);
            }
            Err(_) => self.check(false, "sequence is not a pair of LSNs", &sequence),
        }
        source["sequence"] = "masked".into();
        if let Some(id) = value["transaction"]["id"].as_str().and_then(pair) {
            let (txid, lsn) = (self.txid.clone().unwrap_or_default(), self.lsn.unwrap_or_default());
            self.check(id == (&txid, &lsn.to_string()), "transaction.id is not <txId>:<lsn>", id.0);
            value["transaction"]["id"] = "masked".into();
        }
    }
}

impl Facts {
    /// Masks the fields of the envelope that a flat record has kept; a header must say what the field of its name says.
    fn mask_added(&mut self, value: &mut Value, headers: &mut [(String, String)]) {
        for (name, text) in headers {
            let Some(masked) = masked(name) else { continue };
            if let Some(field) = value.get(name.as_str()) {
                let field = field.as_str().unwrap_or("(null)");
                self.check(field.strip_prefix(NUMBER).unwrap_or(field) == text, name, text);
            }
            if text != "(null)" {
                masked.clone_into(text);
            }
        }
        let text =
            |name: &str| value.get(name)?.as_str().map(|text| text.trim_start_matches(NUMBER).to_owned());
        if let (Some(id), Some(txid), Some(lsn)) = (text("__id"), text("__txId"), text("__lsn")) {
            self.check(id == format!("{txid}:{lsn}"), "__id is not <txId>:<lsn>", &id);
            let sequence = text("__sequence").unwrap_or_default();
            self.check(sequence.ends_with(&format!(",\"{lsn}\"]")), "sequence[1] is not lsn", &sequence);
        }
        let Value::Object(fields) = value else { return };
        for (name, field) in fields {
            if let (Some(masked), Some(text)) = (masked(name), field.as_str()) {
                self.check(text.starts_with(NUMBER) == (masked == "a number"), "another type", name);
                *field = masked.into();
            }
        }
    }
}

/// What stands for a kept field that depends on the cluster or the clock.
fn masked(name: &str) -> Option<&'static str> {
    let field = name.strip_prefix("__").or_else(|| name.strip_prefix("meta."))?;
    let field = field.strip_prefix("source_").or_else(|| field.strip_prefix("transaction_")).unwrap_or(field);
    match field {
        "ts_ms" | "event_ts_ms" | "ts_us" | "ts_ns" | "txId" | "lsn" | "origin_lsn" => Some("a number"),
        "version" | "sequence" | "id" => Some("a text"),
        _ => None,
    }
}

/// Where two recordings differ: place → the first example. The place is `topic without prefix: path`.
pub(super) type Differences = BTreeMap<String, String>;

/// Of heartbeats, of which each recording has as many as it took time, one of each form.
pub(super) fn without_repeats(mut records: Vec<Record>) -> Vec<Record> {
    records.dedup_by(|next, record| {
        let same = (&next.topic, &next.key, &next.value) == (&record.topic, &record.key, &record.value);
        same && record.key["serverName"].is_string()
    });
    records
}

/// Compares the records of each topic in their order: both sides have one partition a topic.
pub(super) fn compare(prefix: &str, golden: &[Record], ours: &[Record]) -> Differences {
    let mut differences = Differences::new();
    let mut transactions = (BTreeMap::new(), BTreeMap::new());
    let topics: BTreeSet<&str> = golden.iter().chain(ours).map(|record| record.topic.as_str()).collect();
    for topic in topics {
        let of = |records| of_topic(records, topic);
        let (golden, ours): (Vec<&Record>, Vec<&Record>) = (of(golden), of(ours));
        let place = |path: &str| format!("{}: {path}", topic.strip_prefix(prefix).unwrap_or(topic));
        if golden.len() != ours.len() {
            let summary = |records: &[&Record]| -> Vec<String> {
                records.iter().map(|record| format!("{} {}", record.value["op"], record.key)).collect()
            };
            let example = format!("{:?} is {:?}", summary(&golden), summary(&ours));
            differences.insert(place("records"), shortened(&example, 2000));
            continue;
        }
        for (golden, ours) in golden.iter().zip(&ours) {
            let mut note = |path: String, example: String| {
                differences.entry(place(&path)).or_insert_with(|| shortened(&example, 300));
            };
            let own = |(name, _): &&(String, String)| !name.starts_with("headwater.");
            let headers: Vec<_> = ours.headers.iter().filter(own).collect();
            if golden.headers.iter().collect::<Vec<_>>() != headers {
                note("headers".into(), format!("{:?} is {headers:?}", golden.headers));
            }
            let [key, value] = &golden.schemas;
            differ(key, &ours.schemas[0], "key.schema", &mut note);
            differ(value, &ours.schemas[1], "value.schema", &mut note);
            differ(&golden.key, &ours.key, "key", &mut note);
            differ(&golden.value, &ours.value, "value", &mut note);
            if let (Some(theirs), Some(own)) = (&golden.facts.txid, &ours.facts.txid) {
                let same = transactions.0.entry(theirs).or_insert(own) == &own
                    && transactions.1.entry(own).or_insert(theirs) == &theirs;
                if !same {
                    note("transaction".into(), format!("{theirs} is {own}"));
                }
            }
            if golden.facts.txid.is_some() != ours.facts.txid.is_some() {
                note("transaction".into(), format!("{:?} is {:?}", golden.facts.txid, ours.facts.txid));
            }
        }
    }
    for mistake in consistency(ours) {
        differences.insert("consistency".into(), mistake);
    }
    differences
}

/// What must hold of a recording by itself.
fn consistency(records: &[Record]) -> Vec<String> {
    let mut mistakes: Vec<String> =
        records.iter().flat_map(|record| &record.facts.mistakes).cloned().collect();
    let mut shared = BTreeMap::new();
    for record in
        records.iter().filter(|record| record.facts.txid.is_some() && record.value["source"].is_object())
    {
        let Facts { txid, time, previous_commit, .. } = &record.facts;
        if *shared.entry(txid).or_insert((time, previous_commit)) != (time, previous_commit) {
            mistakes.push(format!("ts_us or sequence[0] differ inside transaction {txid:?}"));
        }
    }
    let topics: BTreeSet<&str> = records.iter().map(|record| record.topic.as_str()).collect();
    for topic in topics {
        let mut last = &Facts::default();
        let mut ended = BTreeSet::new();
        for Record { facts, .. } in of_topic(records, topic) {
            if facts.txid == last.txid && facts.lsn.is_some() && facts.lsn < last.lsn {
                mistakes.push(format!("lsn goes back inside transaction {:?}", facts.txid));
            }
            if facts.txid != last.txid && !ended.insert(&facts.txid) && facts.txid.is_some() {
                mistakes.push(format!("transaction {:?} is interleaved", facts.txid));
            }
            if facts.previous_commit < last.previous_commit && facts.lsn.is_some() {
                mistakes.push(format!("sequence[0] goes back in transaction {:?}", facts.txid));
            }
            if facts.status.as_deref() == Some("END") && last.txid != facts.txid {
                mistakes.push(format!("END of {:?} without its BEGIN", facts.txid));
            }
            if facts.txid.is_some() {
                last = facts;
            }
        }
    }
    mistakes
}

fn of_topic<'a>(records: &'a [Record], topic: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.topic == topic).collect()
}

fn differ(golden: &Value, ours: &Value, path: &str, note: &mut impl FnMut(String, String)) {
    match (golden, ours) {
        (Value::Object(theirs), Value::Object(own)) => {
            if !theirs.keys().eq(own.keys()) {
                let names = |object: &serde_json::Map<_, _>| object.keys().cloned().collect::<Vec<_>>();
                note(format!("{path}{{}}"), format!("{:?} is {:?}", names(theirs), names(own)));
            }
            for (name, value) in theirs {
                if let Some(other) = own.get(name) {
                    differ(value, other, &format!("{path}.{name}"), note);
                }
            }
        }
        (Value::Array(theirs), Value::Array(own)) if theirs.len() == own.len() => {
            for (value, other) in theirs.iter().zip(own) {
                differ(value, other, &format!("{path}[]"), note);
            }
        }
        _ if golden != ours => note(path.to_owned(), format!("{golden} is {ours}")),
        _ => {}
    }
}

/// JSON whose numbers are kept as they are written: as texts that begin with [`NUMBER`].
#[track_caller]
fn parse(json: &str) -> Value {
    let json = &halves_as_texts(json);
    let mut text = String::with_capacity(json.len() + json.len() / 4);
    let (mut in_string, mut in_number, mut escaped) = (false, false, false);
    for char in json.chars() {
        let number = !in_string && (char.is_ascii_digit() || matches!(char, '-' | '+' | '.' | 'e' | 'E'));
        // `e` is in `true` and `false` too: a number begins with a digit or its sign.
        let begins = number && (char.is_ascii_digit() || char == '-');
        if begins && !in_number {
            text.push_str("\"\\u0001");
            in_number = true;
        } else if in_number && !number {
            text.push('"');
            in_number = false;
        }
        text.push(char);
        if in_string && !escaped && char == '\\' {
            escaped = true;
            continue;
        }
        if char == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = false;
    }
    if in_number {
        text.push('"');
    }
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {json}"))
}

/// Half of a surrogate pair, which serde_json refuses, as the six characters that stand for it.
fn halves_as_texts(json: &str) -> String {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.find('\\').map(|at| rest.split_at(at)) {
        text.push_str(before);
        let length = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                text.push('\\');
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        let (escape, after) = escape.split_at(length);
        text.push_str(escape);
        rest = after;
    }
    text + rest
}

const NUMBER: char = '\u{1}';

/// The schema and what it describes; without one, null and all.
fn taken_apart(value: Value) -> (Value, Value) {
    match value {
        Value::Object(mut whole) if whole.keys().eq(["schema", "payload"]) => {
            (whole["schema"].take(), whole["payload"].take())
        }
        payload => (Value::Null, payload),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The halves of `<number>:<number>`.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (left, right) = text.split_once(':')?;
    [left, right].iter().all(|half| half.parse::<u64>().is_ok()).then_some((left, right))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|char| char == '-' || char.is_ascii_hexdigit())
}

fn shortened(text: &str, limit: usize) -> String {
    let text = text.replace(NUMBER, "").replace("\\u0001", "").replace("\\u{1}", "");
    if text.chars().count() <= limit { text } else { text.chars().take(limit).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(lsn: u64, after: &str) -> String {
        format!(
            r#"{{"before":null,"after":{after},"source":{{"version":"1","ts_ms":1,"sequence":"[\"5\",\"{lsn}\"]","ts_us":1000,"ts_ns":1000000,"txId":7,"lsn":{lsn},"xmin":null}},"transaction":{{"id":"7:{lsn}","total_order":1}},"op":"c","ts_ms":2,"ts_us":2000,"ts_ns":2000001}}"#
        )
    }

    fn places(golden: &str, ours: &str) -> Vec<String> {
        let record = |value| Record::new("p.t", r#"{"id":1}"#, value, Vec::new());
        compare("p.", &[record(golden)], &[record(ours)]).into_keys().collect()
    }

    #[test]
    fn only_what_depends_on_cluster_and_clock_may_differ() {
        assert_eq!(places(&event(10, r#"{"a":1.0}"#), &event(20, r#"{"a":1.0}"#)), [""; 0]);
        assert_eq!(places(&event(1, r#"{"a":1.10}"#), &event(1, r#"{"a":1.1}"#)), ["t: value.after.a"]);
        assert_eq!(places(&event(1, r#"{"a":"1"}"#), &event(1, r#"{"a":1}"#)), ["t: value.after.a"]);
        assert_eq!(
            places(&event(1, r#"{"a":1,"b":2}"#), &event(1, r#"{"b":2,"a":1}"#)),
            ["t: value.after{}"]
        );
        let wrong = event(1, "{}").replace("7:1", "7:2");
        assert_eq!(places(&event(1, "{}"), &wrong), ["consistency"]);
        let null = event(1, "{}").replace("\"txId\":7", "\"txId\":null");
        assert!(places(&event(1, "{}"), &null).contains(&"t: value.source.txId".to_owned()));
        assert_eq!(places(&event(1, "{}"), "null"), ["t: transaction", "t: value"]);
    }

    #[test]
    fn halves_of_characters_are_compared_too() {
        let of = |text: &str| parse(&format!("[\"{text}\"]"))[0].as_str().unwrap().to_owned();
        assert_eq!(of("\\uD83D\\uDE00"), "😀");
        assert_eq!(of("\\uD83D\\uDE00\\uD83D"), "😀\\uD83D");
        assert_eq!(of("\\\\uD83D \\n\\u0041"), "\\uD83D \nA");
    }

    #[test]
    fn schemas_are_compared_and_do_not_hide_the_payload() {
        let with = |schema: &str, payload: &str| format!(r#"{{"schema":{schema},"payload":{payload}}}"#);
        let golden = with(r#"{"type":"struct","optional":false}"#, &event(10, r#"{"a":1.0}"#));
        let same = with(r#"{"type":"struct","optional":false}"#, &event(20, r#"{"a":1.0}"#));
        assert_eq!(places(&golden, &same), [""; 0]);
        assert_eq!(places(&golden, &same.replace("false", "true")), ["t: value.schema.optional"]);
        let other_order = r#"{"optional":false,"type":"struct"}"#;
        assert_eq!(places(&golden, &with(other_order, &event(1, r#"{"a":1.0}"#))), ["t: value.schema{}"]);
        assert_eq!(places(&golden, &same.replace("1.0", "1.1")), ["t: value.after.a"]);
        assert_eq!(places(&golden, &event(1, r#"{"a":1.0}"#)), ["t: value.schema"]);
    }

    #[test]
    fn records_are_not_lost_moved_or_doubled() {
        let record = |id: u32, headers: &[&str]| {
            let headers = headers.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
            Record::new("p.t", &format!(r#"{{"id":{id}}}"#), "null", headers)
        };
        let golden = [record(1, &[]), record(2, &[])];
        let places = |ours: &[Record]| compare("p.", &golden, ours).into_keys().collect::<Vec<_>>();
        assert_eq!(places(&[record(1, &[])]), ["t: records"]);
        assert_eq!(places(&[record(2, &[]), record(1, &[])]), ["t: key.id"]);
        assert_eq!(places(&[record(1, &["headwater.id"]), record(2, &["other"])]), ["t: headers"]);
    }
}
