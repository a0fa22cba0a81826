//! Events and bytes of one table. The data thread adds to plain numbers; [`TableCounters::flush`], once per batch, moves
//! them to the counters that a scrape reads. Counters are resolved by label once per table, never per event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use serde::{Deserialize, Serialize};

use super::families::Families;
use crate::error::Result;
use crate::event::Op;

/// What one table has counted and not yet published. Dropping it publishes the rest.
#[derive(Debug)]
pub struct TableCounters {
    pending: [Pending; OPERATIONS.len()],
    unrepresentable: u64,
    undecoded: u64,
    dirty: bool,
    resolved: Resolved,
}

impl TableCounters {
    /// One event, whose records (a tombstone included) have so many bytes of key, value and headers.
    #[inline]
    pub fn inc(&mut self, op: Op, bytes: u64) {
        let pending = &mut self.pending[index(op)];
        pending.events += 1;
        pending.bytes += bytes;
        self.dirty = true;
    }

    /// Values that Debezium's form cannot hold and that were replaced or left out.
    #[inline]
    pub fn unrepresentable(&mut self, values: u64) {
        self.unrepresentable += values;
        self.dirty |= values > 0;
    }

    /// Values with a text that does not fit its encoding and was written in hexadecimal.
    #[inline]
    pub fn undecoded(&mut self, values: u64) {
        self.undecoded += values;
        self.dirty |= values > 0;
    }

    /// Columns of the table that are left out because there is no form for their types.
    pub fn left_out_columns(&self, columns: usize) {
        self.resolved.left_out.set(i64::try_from(columns).unwrap_or(i64::MAX));
    }

    /// Publishes what was counted; free when nothing was, which is what it returns.
    pub fn flush(&mut self) -> bool {
        if !self.dirty {
            return false;
        }
        for (position, pending) in self.pending.iter_mut().enumerate() {
            if pending.events > 0 {
                self.resolved.events[position].inc_by(pending.events);
                self.resolved.bytes[position].inc_by(pending.bytes);
                self.resolved.totals.0[position].fetch_add(pending.events, Ordering::Relaxed);
                *pending = Pending::default();
            }
        }
        self.resolved.unrepresentable.inc_by(std::mem::take(&mut self.unrepresentable));
        self.resolved.undecoded.inc_by(std::mem::take(&mut self.undecoded));
        self.dirty = false;
        true
    }
}

impl Drop for TableCounters {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Events of a table since the start of the process, as `/status` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableTotals {
    pub schema: String,
    pub table: String,
    pub create: u64,
    pub update: u64,
    pub delete: u64,
    pub truncate: u64,
    /// Rows that a snapshot read.
    #[serde(default)]
    pub read: u64,
}

/// The families with a table in their labels.
#[derive(Clone, Debug)]
pub(super) struct TableFamilies {
    events: IntCounterVec,
    bytes: IntCounterVec,
    unrepresentable: IntCounterVec,
    undecoded: IntCounterVec,
    left_out: IntGaugeVec,
    totals: Arc<Totals>,
    /// Tables with labels of their own.
    named: Arc<Mutex<BTreeSet<(String, String)>>>,
    max: usize,
}

impl TableFamilies {
    /// At most `max` tables have labels of their own.
    pub(super) fn new(families: &Families, max: usize) -> Result<Self> {
        Ok(Self {
            events: families.counters(
                "headwater_events_total",
                "Change events handed to the sink, by table and operation.",
                &["schema", "table", "operation"],
            )?,
            bytes: families.counters(
                "headwater_event_bytes_total",
                "Bytes of key, value and headers of those events.",
                &["schema", "table", "operation"],
            )?,
            unrepresentable: families.counters(
                "headwater_unrepresentable_values_total",
                "Column values that the chosen form cannot hold: replaced, and logged once per column.",
                &["schema", "table"],
            )?,
            undecoded: families.counters(
                "headwater_undecoded_values_total",
                "Column values with a text that does not fit source.sql_ascii: in hexadecimal, and logged once per column.",
                &["schema", "table"],
            )?,
            left_out: families.gauges(
                "headwater_left_out_columns",
                "Captured columns that are left out because there is no form for their types; logged once each.",
                &["schema", "table"],
            )?,
            totals: Arc::default(),
            named: Arc::default(),
            max,
        })
    }

    pub(super) fn resolve(&self, schema: &str, table: &str) -> TableCounters {
        let (schema, table) = if self.may_have_labels(schema, table) { (schema, table) } else { OTHER };
        let each = |family: &IntCounterVec| {
            OPERATIONS.map(|(_, name)| family.with_label_values(&[schema, table, name]))
        };
        TableCounters {
            pending: Default::default(),
            unrepresentable: 0,
            undecoded: 0,
            dirty: false,
            resolved: Resolved {
                events: each(&self.events),
                bytes: each(&self.bytes),
                unrepresentable: self.unrepresentable.with_label_values(&[schema, table]),
                undecoded: self.undecoded.with_label_values(&[schema, table]),
                left_out: self.left_out.with_label_values(&[schema, table]),
                totals: Arc::clone(&self.totals),
            },
        }
    }

    fn may_have_labels(&self, schema: &str, table: &str) -> bool {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (schema.to_owned(), table.to_owned());
        named.contains(&name) || (named.len() < self.max && named.insert(name))
    }

    /// Counts by table, in the order of their names.
    pub(super) fn totals_by_table(&self) -> Vec<TableTotals> {
        let mut tables: BTreeMap<(String, String), TableTotals> = BTreeMap::new();
        for family in self.events.collect() {
            for metric in family.get_metric() {
                let label = |name: &str| {
                    let pair = metric.get_label().iter().find(|pair| pair.name() == name);
                    pair.map(|pair| pair.value().to_owned()).unwrap_or_default()
                };
                let (schema, table) = (label("schema"), label("table"));
                let entry = tables.entry((schema.clone(), table.clone())).or_insert_with(|| TableTotals {
                    schema,
                    table,
                    ..TableTotals::default()
                });
                // Counts of events are far below 2^53, where a double stops counting by one.
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count, see above"
                )]
                let count = metric.get_counter().get_value() as u64;
                match label("operation").as_str() {
                    "create" => entry.create = count,
                    "update" => entry.update = count,
                    "delete" => entry.delete = count,
                    "truncate" => entry.truncate = count,
                    _ => entry.read = count,
                }
            }
        }
        tables.into_values().collect()
    }

    /// Events of an operation over all tables.
    pub(super) fn total(&self, op: Op) -> u64 {
        self.totals.0[index(op)].load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Pending {
    events: u64,
    bytes: u64,
}

#[derive(Debug)]
struct Resolved {
    events: [IntCounter; OPERATIONS.len()],
    bytes: [IntCounter; OPERATIONS.len()],
    unrepresentable: IntCounter,
    undecoded: IntCounter,
    left_out: IntGauge,
    totals: Arc<Totals>,
}

#[derive(Debug, Default)]
struct Totals([AtomicU64; OPERATIONS.len()]);

const fn index(op: Op) -> usize {
    match op {
        Op::Create => 0,
        Op::Update => 1,
        Op::Delete => 2,
        Op::Truncate => 3,
        Op::Read => 4,
    }
}

/// By [`index`].
pub(super) const OPERATIONS: [(Op, &str); 5] = [
    (Op::Create, "create"),
    (Op::Update, "update"),
    (Op::Delete, "delete"),
    (Op::Truncate, "truncate"),
    (Op::Read, "read"),
];

/// Schema and table under which the tables beyond the bound are counted; no PostgreSQL schema has an empty name.
const OTHER: (&str, &str) = ("", "(other)");

#[cfg(test)]
mod tests {
    use super::*;

    const LABELLED: usize = 1000;

    #[test]
    fn counts_are_seen_after_a_flush() {
        let families = TableFamilies::new(&Families::new("shop").unwrap(), LABELLED).unwrap();
        let mut users = families.resolve("public", "users");
        users.inc(Op::Create, 100);
        users.inc(Op::Create, 50);
        users.inc(Op::Delete, 10);
        assert_eq!(families.total(Op::Create), 0, "nothing is published before the flush");
        users.flush();
        users.flush();
        let expected = TableTotals {
            schema: "public".into(),
            table: "users".into(),
            create: 2,
            delete: 1,
            ..TableTotals::default()
        };
        assert_eq!(families.totals_by_table(), [expected]);
        assert_eq!(families.total(Op::Create), 2);
        assert_eq!(families.bytes.with_label_values(&["public", "users", "create"]).get(), 150);
    }

    #[test]
    fn dropping_publishes_the_rest_and_a_new_session_goes_on() {
        let families = TableFamilies::new(&Families::new("shop").unwrap(), LABELLED).unwrap();
        families.resolve("public", "users").inc(Op::Update, 1);
        let mut again = families.resolve("public", "users");
        again.inc(Op::Update, 1);
        again.unrepresentable(3);
        again.undecoded(2);
        again.flush();
        assert_eq!(families.total(Op::Update), 2);
        assert_eq!(families.unrepresentable.with_label_values(&["public", "users"]).get(), 3);
        assert_eq!(families.undecoded.with_label_values(&["public", "users"]).get(), 2);
    }

    #[test]
    fn tables_beyond_the_bound_share_one_name() {
        let families = TableFamilies::new(&Families::new("shop").unwrap(), LABELLED).unwrap();
        let taken = (1..LABELLED).map(|number| ("s".to_owned(), number.to_string()));
        families.named.lock().unwrap().extend(taken);
        for table in ["last", "beyond", "far_beyond", "last"] {
            families.resolve("s", table).inc(Op::Create, 1);
        }
        let counted: Vec<_> =
            families.totals_by_table().into_iter().map(|t| (t.schema, t.table, t.create)).collect();
        assert_eq!(counted, [(String::new(), "(other)".into(), 2), ("s".into(), "last".into(), 2)]);
    }
}
