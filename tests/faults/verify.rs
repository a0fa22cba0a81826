//! Holds what readers got against the table `truth`: that every change of every transaction is there, once, with its
//! content, in the order of the transaction; that transactions do not mix in a partition and come in the order of their
//! commits; that a key stays in its partition and its values follow each other; that ids are what they promise to be.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::support::{ConsumedRecord, Consumer, Db};

/// Long enough for an unoptimized daemon on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the database was told: the entries of each transaction, in order, by its number.
pub(super) struct Truth {
    transactions: BTreeMap<u64, Vec<String>>,
}

/// A record's place: LSN of the commit and ordinal in the transaction.
type Id = (u64, u64);

#[derive(Deserialize)]
struct Envelope<'a> {
    op: &'a str,
    before: Option<Row>,
    after: Option<Row>,
    #[serde(borrow)]
    source: Source<'a>,
    #[serde(borrow)]
    transaction: Transaction<'a>,
}

#[derive(Deserialize)]
struct Row {
    id: i64,
    v: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source<'a> {
    tx_id: u64,
    table: &'a str,
}

#[derive(Deserialize)]
struct Transaction<'a> {
    id: &'a str,
    total_order: u64,
}

#[derive(Deserialize)]
struct Boundary<'a> {
    status: &'a str,
    id: &'a str,
    event_count: Option<u64>,
}

/// What a record says, as far as it is compared.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Change { tx: u64, id: String, total_order: u64, entry: String },
    Tombstone,
    Begin { id: String },
    End { id: String, events: u64 },
}

impl Truth {
    pub(super) fn read(db: &Db) -> Self {
        let rows =
            db.query("select tx, string_agg(entry, '|' order by seq) from truth group by tx order by tx");
        let transactions = rows.into_iter().map(|row| {
            let [tx, entries] = row.try_into().unwrap();
            let entries = entries.unwrap().split('|').map(str::to_owned).collect();
            (tx.unwrap().parse().unwrap(), entries)
        });
        Self { transactions: transactions.collect() }
    }

    pub(super) fn changes(&self) -> usize {
        self.transactions.values().map(Vec::len).sum()
    }

    /// Changes, a tombstone for each delete, BEGIN and END.
    pub(super) fn records(&self) -> usize {
        let tombstones = self.transactions.values().flatten().filter(|entry| entry.contains(" d ")).count();
        self.changes() + tombstones + 2 * self.transactions.len()
    }

    /// Reads on until all records are there.
    pub(super) fn await_all(&self, reader: &mut Consumer) {
        let count = self.records();
        reader.until_within(PATIENCE, &format!("{count} records"), |records| records.len() >= count);
    }

    /// Every record once.
    pub(super) fn exactly_once(&self, reader: &mut Consumer) {
        self.await_all(reader);
        let records = reader.read_to_end();
        let seen: Vec<&ConsumedRecord> = records.iter().collect();
        in_order(seen.iter().copied());
        self.check(&seen);
    }

    /// Every record at least once, repeats with the same id, key and content; how many repeats there were.
    pub(super) fn at_least_once(&self, reader: &mut Consumer) -> usize {
        let mut ids = HashSet::new();
        let mut checked = 0;
        let count = self.records();
        reader.until_within(PATIENCE, &format!("{count} different records"), |records| {
            ids.extend(records[checked..].iter().map(|record| place(record).0));
            checked = records.len();
            ids.len() >= count
        });
        let mut first: HashMap<Id, &ConsumedRecord> = HashMap::new();
        let mut originals = Vec::new();
        let records = reader.read_to_end();
        for record in records {
            match first.get(&place(record).0) {
                None => {
                    first.insert(place(record).0, record);
                    originals.push(record);
                }
                Some(original) => same(original, record),
            }
        }
        // Without a key a repeat may go to another partition, and is read before the original.
        in_order(originals.iter().filter(|record| record.key.is_some()).copied());
        self.check(&originals);
        records.len() - originals.len()
    }

    fn check(&self, records: &[&ConsumedRecord]) {
        let transactions = by_transaction(records);
        keys_stay(records);
        let mut missing: HashSet<u64> = self.transactions.keys().copied().collect();
        for (commit, said) in &transactions {
            let tx = self.check_transaction(*commit, said);
            assert!(
                missing.remove(&tx),
                "transaction {tx} at {commit} came under two commits, or was never written"
            );
        }
        assert!(
            missing.is_empty(),
            "{} transactions are missing, among them {:?}",
            missing.len(),
            missing.iter().min()
        );
        assert_eq!(records.len(), self.records(), "records");
    }

    /// The whole of a transaction; its number.
    fn check_transaction(&self, commit: u64, said: &BTreeMap<u64, Said>) -> u64 {
        let mut said = said.iter();
        let Some((0, Said::Begin { id })) = said.next() else { panic!("no BEGIN at {commit}") };
        let Some((last, Said::End { id: end_id, events })) = said.next_back() else {
            panic!("no END at {commit}")
        };
        assert_eq!(tx_of(id), tx_of(end_id), "BEGIN and END at {commit}");
        let mut number = None;
        let mut entries = Vec::new();
        let mut next = 1;
        let mut deleted = false;
        for (ordinal, said) in said {
            assert_eq!(*ordinal, next, "a hole in the transaction at {commit}");
            next += 1;
            let Said::Change { tx, id: own_id, total_order, entry } = said else {
                assert_eq!((said, deleted), (&Said::Tombstone, true), "at {commit}, {ordinal}");
                deleted = false;
                continue;
            };
            assert!(!deleted, "no tombstone behind a delete at {commit}, {ordinal}");
            assert_eq!(*number.get_or_insert(*tx), *tx, "two transactions at {commit}");
            entries.push(entry.as_str());
            assert_eq!(*total_order, entries.len() as u64, "total_order at {commit}, {ordinal}");
            assert_eq!(tx_of(own_id), tx_of(id), "transaction.id at {commit}, {ordinal}");
            deleted = entry.contains(" d ");
        }
        assert_eq!((*last, *events), (next, entries.len() as u64), "END at {commit}");
        let tx = number.unwrap_or_else(|| panic!("an empty transaction at {commit}"));
        let written =
            self.transactions.get(&tx).unwrap_or_else(|| panic!("transaction {tx} was never written"));
        assert!(
            entries == *written,
            "transaction {tx} has {} events and {} changes; the first difference: {:?}",
            entries.len(),
            written.len(),
            entries.iter().zip(written).find(|(event, change)| *event != change)
        );
        tx
    }
}

/// `transaction.id` is the number and a log position that differs from record to record, as Debezium has it.
fn tx_of(transaction_id: &str) -> Option<&str> {
    transaction_id.split(':').next()
}

/// The records of each commit by ordinal; a second one with the same id fails the test.
fn by_transaction(records: &[&ConsumedRecord]) -> BTreeMap<u64, BTreeMap<u64, Said>> {
    let mut transactions: BTreeMap<u64, BTreeMap<u64, Said>> = BTreeMap::new();
    for record in records {
        let ((commit, ordinal), _) = place(record);
        if let Some(twice) = transactions.entry(commit).or_default().insert(ordinal, said(record)) {
            panic!("{} {}@{} came twice: {twice:?}", record.topic, record.partition, record.offset);
        }
    }
    transactions
}

/// In each partition commits follow each other, and records follow each other in them: no transaction is in another.
fn in_order<'a>(records: impl Iterator<Item = &'a ConsumedRecord>) {
    let mut last: HashMap<(&'a str, i32), (i64, Id)> = HashMap::new();
    let mut systems = HashSet::new();
    for record in records {
        let (id, system) = place(record);
        systems.insert(system);
        let before = last.insert((&record.topic, record.partition), (record.offset, id));
        assert!(
            before.is_none_or(|before| before < (record.offset, id) && before.1 < id),
            "{id:?} after {before:?} in {} {}@{}",
            record.topic,
            record.partition,
            record.offset
        );
    }
    assert!(systems.len() <= 1, "several clusters: {systems:?}");
}

/// A key is always in the same partition, and each value follows from the one before: a create of a key that is not there,
/// updates by one, a delete of what is there.
fn keys_stay(records: &[&ConsumedRecord]) {
    let mut partitions: HashMap<(&str, &[u8]), i32> = HashMap::new();
    let mut values: HashMap<(&str, &[u8]), Option<i64>> = HashMap::new();
    for record in records {
        let Some(key) = record.key.as_deref() else { continue };
        let partition = *partitions.entry((&record.topic, key)).or_insert(record.partition);
        assert_eq!(partition, record.partition, "partition of {}", String::from_utf8_lossy(key));
        let Some(value) = record.value.as_deref().filter(|_| !is_boundary(record)) else { continue };
        let event: Envelope<'_> = parse(value);
        let new = event.after.and_then(|row| row.v);
        let old = values.insert((&record.topic, key), new);
        let follows = match (event.op, old, new) {
            ("c", None | Some(None), Some(_)) | ("d", Some(Some(_)), None) => true,
            // The accounts were there before.
            ("u", None, Some(new)) => event.source.table == "account" && new == 1,
            ("u", Some(Some(old)), Some(new)) => new == old + 1,
            _ => false,
        };
        assert!(follows, "{} of {} from {old:?} to {new:?}", event.op, String::from_utf8_lossy(key));
    }
}

fn is_boundary(record: &ConsumedRecord) -> bool {
    record.topic.ends_with(".transaction")
}

fn said(record: &ConsumedRecord) -> Said {
    let Some(value) = record.value.as_deref() else { return Said::Tombstone };
    if is_boundary(record) {
        let Boundary { status, id, event_count } = parse(value);
        return match (status, event_count) {
            ("BEGIN", None) => Said::Begin { id: id.to_owned() },
            ("END", Some(events)) => Said::End { id: id.to_owned(), events },
            other => panic!("{other:?} in the transaction topic"),
        };
    }
    let Envelope { op, before, after, source, transaction } = parse(value);
    let entry = match after.or(before) {
        Some(Row { id, v: Some(v) }) if op != "d" => format!("{} {op} {id} {v}", source.table),
        Some(Row { id, .. }) => format!("{} {op} {id}", source.table),
        None => panic!("no row in {}", String::from_utf8_lossy(value)),
    };
    let Transaction { id, total_order } = transaction;
    Said::Change { tx: source.tx_id, id: id.to_owned(), total_order, entry }
}

fn parse<'a, T: Deserialize<'a>>(value: &'a [u8]) -> T {
    serde_json::from_slice(value)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(value)))
}

/// `headwater.id`: system, commit LSN and ordinal.
fn place(record: &ConsumedRecord) -> (Id, &str) {
    let id = record.header("headwater.id").unwrap_or_else(|| panic!("no id: {record:?}"));
    let mut parts = id.split(':');
    let (system, commit, ordinal) = (parts.next(), parts.next(), parts.next());
    let number = |part: Option<&str>| part.and_then(|part| part.parse().ok());
    match (system, number(commit), number(ordinal), parts.next()) {
        (Some(system), Some(commit), Some(ordinal), None) => ((commit, ordinal), system),
        _ => panic!("not an id: {id}"),
    }
}

/// A repeat says the same of the same at another time.
fn same(original: &ConsumedRecord, repeat: &ConsumedRecord) {
    let timeless = |record: &ConsumedRecord| {
        let mut value = record.json();
        if let Value::Object(fields) = &mut value {
            fields.retain(|name, _| !["ts_ms", "ts_us", "ts_ns"].contains(&name.as_str()));
        }
        let headers: Vec<_> =
            record.headers.iter().filter(|(name, _)| !name.starts_with("__debezium")).cloned().collect();
        (record.topic.clone(), record.key.clone(), value, headers)
    };
    assert_eq!(timeless(original), timeless(repeat), "a repeat under the same id");
    assert!(original.key.is_none() || original.partition == repeat.partition, "partition of a repeat");
}

/// What passes as it is, and fails when anything is taken away, put in, or changed.
#[test]
fn planted_faults_are_found() {
    let record = |topic: &str, ordinal: u64, key: Option<&str>, value: &str| ConsumedRecord {
        topic: format!("p.{topic}"),
        partition: 0,
        offset: i64::try_from(ordinal).unwrap(),
        key: key.map(|key| key.as_bytes().to_vec()),
        value: (!value.is_empty()).then(|| value.as_bytes().to_vec()),
        headers: vec![("headwater.id".to_owned(), format!("7:100:{ordinal}"))],
    };
    let event = |order: u64, op: &str, row: &str| {
        let (before, after) = if op == "d" { (row, "null") } else { ("null", row) };
        format!(
            r#"{{"op":"{op}","before":{before},"after":{after},"source":{{"txId":5,"table":"item"}},"transaction":{{"id":"5:1","total_order":{order}}}}}"#
        )
    };
    let good = vec![
        record("transaction", 0, Some("5"), r#"{"status":"BEGIN","id":"5:1","event_count":null}"#),
        record("item", 1, Some("1"), &event(1, "c", r#"{"id":1,"v":0}"#)),
        record("item", 2, Some("1"), &event(2, "u", r#"{"id":1,"v":1}"#)),
        record("item", 3, Some("1"), &event(3, "d", r#"{"id":1,"v":null}"#)),
        record("item", 4, Some("1"), ""),
        record("transaction", 5, Some("5"), r#"{"status":"END","id":"5:9","event_count":3}"#),
    ];
    let entries = ["item c 1 0", "item u 1 1", "item d 1"].map(str::to_owned).to_vec();
    let truth = Truth { transactions: BTreeMap::from([(5, entries)]) };
    let passes = |records: &[ConsumedRecord]| {
        let check = || {
            in_order(records.iter());
            truth.check(&records.iter().collect::<Vec<_>>());
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_ok()
    };
    assert!(passes(&good));
    for index in 0..good.len() {
        let (mut less, mut twice, mut moved) = (good.clone(), good.clone(), good.clone());
        less.remove(index);
        twice.push(ConsumedRecord { offset: 90, ..good[index].clone() });
        moved[index].headers[0].1 = format!("7:90:{index}");
        for planted in [less, twice, moved] {
            assert!(!passes(&planted), "a fault at {index} passed");
        }
    }
    let mut swapped = good.clone();
    swapped.swap(1, 2);
    let mut other_value = good.clone();
    other_value[2] = record("item", 2, Some("1"), &event(2, "u", r#"{"id":1,"v":2}"#));
    let mut other_partition = good.clone();
    other_partition[2].partition = 1;
    for planted in [swapped, other_value, other_partition] {
        assert!(!passes(&planted));
    }
}
