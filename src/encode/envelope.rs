//! Change events into records with Debezium's envelope: `before`, `after`, `source`, `transaction`, `op`, `ts_*`.
//!
//! The order of calls is that of the stream: [`JsonEncoder::set_table`] for each Relation message,
//! [`JsonEncoder::begin_transaction`], then one [`JsonEncoder::change`] per event. A record's parts lie in the buffer in the
//! order in which they become known: value, key, headers.

use std::ops::Range;

use super::added::Moment;
use super::flat::FlatPlan;
use super::headers::Headers;
use super::plan::{DroppedColumn, TablePlan};
use super::records::{Records, push_header};
use super::row::{KeyForm, RowWriter, Source, tell_lossy};
use super::source::{Order, SourceBlocks};
use super::table_schemas::Naming;
use super::writer::push_int;
use crate::decode::Tuple;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, KeyOf, Op, OtherKey, Row, SnapshotRecord, Table, TableSlot, TransactionContext};
use crate::flat::Flat;
use crate::lsn::Oid;
use crate::modes::{Modes, TextEncoding};

/// What all events of a pipeline have in common.
#[derive(Clone, Debug)]
pub struct EncodeSettings {
    /// `source.name`
    pub name: String,
    /// `source.db`
    pub database: String,
    /// `source.version`: ours.
    pub version: String,
    /// Of the cluster; the first part of every `headwater.id`.
    pub system_id: u64,
    /// Write the `transaction` block into each event.
    pub transaction_block: bool,
    /// Mark the records of tables as carrying the `__debezium.context.*` headers.
    pub context_headers: bool,
    /// `events.unavailable_value_placeholder`
    pub placeholder: String,
    /// In which encoding texts come.
    pub texts: TextEncoding,
    pub modes: Modes,
    /// None: events have their envelope.
    pub flat: Option<Flat>,
}

/// Writes events as JSON. Allocates when it meets a table, a transaction or a longer value than before,
/// never per event.
#[derive(Debug)]
pub struct JsonEncoder {
    pub(super) settings: EncodeSettings,
    /// By [`TableSlot`].
    plans: Vec<Option<TablePlan>>,
    rows: RowWriter,
    pub(super) current: Option<TransactionContext>,
    pub(super) source: SourceBlocks,
    pub(super) headers: Headers,
    /// The blocks of messages outside of transactions.
    pub(super) lone: (SourceBlocks, Headers),
}

/// What one event became.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub records: u32,
    /// Values that JSON in this form cannot hold: null was written. Count them.
    pub unrepresentable: u32,
    /// Values with a text that does not fit its encoding: its bytes were written in hexadecimal. Count them.
    pub undecoded: u32,
    /// Unchanged TOASTed values that the placeholder stands for.
    pub unavailable: u32,
}

impl JsonEncoder {
    #[must_use]
    pub fn new(settings: EncodeSettings) -> Self {
        Self {
            rows: RowWriter::new(settings.texts),
            settings,
            plans: Vec::new(),
            current: None,
            source: SourceBlocks::default(),
            headers: Headers::default(),
            lone: Default::default(),
        }
    }

    /// Learns a table, or learns it anew; returns the columns whose type has no form, which are left out. `naming`
    /// is for its schemas.
    pub fn set_table(&mut self, table: &Table, naming: Naming<'_>) -> &[DroppedColumn] {
        let index = table.slot.0 as usize;
        if self.plans.len() <= index {
            self.plans.resize_with(index + 1, || None);
        }
        let plan = TablePlan::new(table, naming, &self.settings);
        match self.plans.get_mut(index) {
            Some(place) => &place.insert(plan).dropped,
            None => &[],
        }
    }

    /// Columns of a table that are to be hidden and are not, because their values are no texts.
    pub fn unmaskable(&self, slot: TableSlot) -> &[DroppedColumn] {
        let plan = self.plans.get(slot.0 as usize).and_then(Option::as_ref);
        plan.map_or(&[], |plan| &plan.unmaskable)
    }

    /// Whether an update of a row of which both states are known changes nothing that an event would show.
    pub fn is_unchanged(&mut self, slot: TableSlot, old: Tuple<'_>, new: Tuple<'_>) -> bool {
        let plan = self.plans.get(slot.0 as usize).and_then(Option::as_ref);
        plan.is_some_and(|plan| self.rows.look_alike(plan, old, new))
    }

    /// Whether records are Debezium's where those say something else than the row.
    pub fn is_quirky(&self) -> bool {
        self.settings.modes.quirky()
    }

    /// Whether an update moves the row to another key, by the keys that are written: fillers stand for what the old row does not hold.
    pub fn moves_key(&mut self, slot: TableSlot, old: Row<'_>, new: Tuple<'_>) -> bool {
        let plan = self.plans.get(slot.0 as usize).and_then(Option::as_ref);
        plan.is_some_and(|plan| plan.keyed && self.rows.key_differs(plan, old, new))
    }

    /// Renders what the events of the transaction share.
    pub fn begin_transaction(&mut self, context: &TransactionContext) {
        self.source.begin(&self.settings, context);
        self.headers.begin(self.settings.system_id, context.commit_lsn, Some(context.xid));
        self.set_current(context);
    }

    /// Renders what rows of the table `oid` share that have the same place in a snapshot. `context` is that of the snapshot:
    /// `commit_lsn` is where it stands in the log, and each row's ordinal is its number in its table.
    pub fn begin_snapshot(&mut self, context: &TransactionContext, oid: Oid, record: SnapshotRecord) {
        self.source.begin_snapshot(&self.settings, context, record);
        self.headers.begin_snapshot(self.settings.system_id, context.commit_lsn, context.xid, oid);
        self.set_current(context);
    }

    fn set_current(&mut self, context: &TransactionContext) {
        match &mut self.current {
            Some(current) => current.clone_from(context),
            None => self.current = Some(context.clone()),
        }
    }

    /// Appends the records of one event: itself and, behind a delete, its tombstone; none of what the flat form leaves
    /// out. `now_ns` is the wall clock in nanoseconds since 1970. After a failure `out` is as it was.
    pub fn change(&mut self, event: &Event<'_>, now_ns: i64, out: &mut Records) -> Result<Written> {
        let start = out.byte_len();
        let result = self.try_change(event, now_ns, out);
        if result.is_err() {
            out.buffer().truncate(start);
        }
        result
    }

    /// Names a column of an event that [`JsonEncoder::change`] counted an unrepresentable value of, once per column and
    /// relation version.
    #[cold]
    pub fn tell_unrepresentable(&mut self, event: &Event<'_>) -> Option<&str> {
        let plan = self.plans.get_mut(event.table.slot.0 as usize)?.as_mut()?;
        let index =
            [event.after, event.before].into_iter().flatten().find_map(|row| tell_lossy(plan, row))?;
        plan.columns.get(index).map(|column| column.name.as_str())
    }

    /// Names a column of the last event of a table that [`JsonEncoder::change`] counted an undecoded value of, once per column and
    /// relation version.
    #[cold]
    pub fn tell_undecoded(&mut self, slot: TableSlot) -> Option<&str> {
        let plan = self.plans.get_mut(slot.0 as usize)?.as_mut()?;
        let untold = |place: &&usize| plan.columns.get(**place).is_some_and(|column| !column.told.undecoded);
        let place = *self.rows.undecoded_columns().iter().find(untold)?;
        let column = plan.columns.get_mut(place)?;
        column.told.undecoded = true;
        Some(&column.name)
    }

    fn try_change(&mut self, event: &Event<'_>, now_ns: i64, out: &mut Records) -> Result<Written> {
        let TableSlot(slot) = event.table.slot;
        let plan = self.plans.get(slot as usize).and_then(Option::as_ref);
        let plan = plan.ok_or_else(|| internal("an event of a table that was not announced"))?;
        if self.current.is_none() {
            return Err(internal("an event before the first transaction"));
        }
        let mut lsn = itoa::Buffer::new();
        let lsn = lsn.format(event.lsn.0).as_bytes();
        let buffer = out.buffer();
        self.rows.start();
        let (said, quirky) = (self.source.said(), self.settings.modes.quirky());
        let moment = || Moment { event, said, lsn, now_ns, quirky };
        let flat = plan.flat.as_ref();
        let Body { value, key, noted } = match flat {
            None => push_envelope(&mut self.rows, plan, (event, &self.source), (lsn, now_ns), buffer)?,
            Some(flat) => match flat.push(&mut self.rows, plan, &moment(), buffer)? {
                Some(body) => body,
                None => return Ok(Written::default()),
            },
        };
        let key = match key {
            Some(source) => {
                let start = buffer.len();
                plan.schemas.open_key(buffer);
                self.rows.push_key(plan, (source, noted), buffer)?;
                plan.schemas.close_key(buffer);
                Some(start..buffer.len())
            }
            None => None,
        };
        let other = buffer.len();
        push_other_key(&mut self.rows, plan, event, buffer)?;
        let other = other..buffer.len();
        if let Some(flat) = flat {
            flat.push_headers(&moment(), buffer);
        }
        self.headers.push(event.ordinal, lsn, buffer);
        if !self.rows.unavailable().is_empty() {
            push_header(buffer, b"headwater.unavailable", self.rows.unavailable());
        }
        let mut undecoded = 0;
        if self.rows.has_undecoded() {
            undecoded = self.rows.name_undecoded(plan, event)?;
        }
        if undecoded > 0 {
            push_header(buffer, b"headwater.undecoded", self.rows.undecoded());
        }
        let headers = other.start..buffer.len();
        let context = self.settings.context_headers;
        let tombstone = event.tombstone && flat.is_none_or(FlatPlan::keeps_tombstones);
        if tombstone {
            let start = buffer.len();
            buffer.extend_from_within(other);
            if let Some(flat) = flat {
                flat.push_tombstone_headers(&moment(), buffer);
            }
            self.headers.push(event.ordinal + 1, lsn, buffer);
            let end = buffer.len();
            out.push(plan.topic, context, key.clone(), value, headers);
            out.push(plan.topic, context, key, None, start..end);
        } else {
            out.push(plan.topic, context, key, value, headers);
        }
        let tally = self.rows.tally();
        Ok(Written {
            records: 1 + u32::from(tombstone),
            unrepresentable: tally.lossy,
            undecoded,
            unavailable: tally.unavailable,
        })
    }
}

/// A value that was written, and the row that the record's key is taken from.
pub(super) struct Body<'a> {
    /// None is a tombstone.
    pub value: Option<Range<usize>>,
    pub key: Option<Source<'a>>,
    /// The places of the key's values were noted when that row was written.
    pub noted: bool,
}

/// Appends the whole event.
#[inline]
fn push_envelope<'a>(
    rows: &mut RowWriter,
    plan: &TablePlan,
    (event, source): (&Event<'a>, &SourceBlocks),
    (lsn, now_ns): (&[u8], i64),
    buffer: &mut Vec<u8>,
) -> Result<Body<'a>> {
    let start = buffer.len();
    plan.schemas.open_value(buffer);
    let key = push_rows(rows, plan, event, buffer)?;
    let order = Order { total: event.total_order, data_collection: event.data_collection_order };
    source.push(&plan.source, lsn, order, buffer);
    buffer.extend_from_slice(match event.op {
        Op::Create => b",\"op\":\"c\"",
        Op::Update => b",\"op\":\"u\"",
        Op::Delete => b",\"op\":\"d\"",
        Op::Truncate => b",\"op\":\"t\"",
        Op::Read => b",\"op\":\"r\"",
    });
    push_clock(now_ns, buffer);
    plan.schemas.close_value(buffer);
    Ok(Body { value: Some(start..buffer.len()), key, noted: true })
}

/// Appends `{"before":…,"after":…`; returns the row that the record's key is taken from.
fn push_rows<'a>(
    rows: &mut RowWriter,
    plan: &TablePlan,
    event: &Event<'a>,
    buffer: &mut Vec<u8>,
) -> Result<Option<Source<'a>>> {
    let mut key = None;
    let keyed = if plan.keyed { event.key } else { KeyOf::None };
    let sides = [
        (&b"{\"before\":"[..], event.before, None, KeyOf::Before),
        (b",\"after\":", event.after, event.old, KeyOf::After),
    ];
    for (label, row, old, side) in sides {
        buffer.extend_from_slice(label);
        let Some(row) = row else {
            buffer.extend_from_slice(b"null");
            continue;
        };
        let source = Source { row, old };
        rows.push_row(plan, source, keyed == side, buffer)?;
        if keyed == side {
            key = Some(source);
        }
    }
    if keyed != KeyOf::None && key.is_none() {
        return Err(internal("an event whose key is to be taken from a row that it does not have"));
    }
    Ok(key)
}

/// Appends the header that leads from one half of a key change to the other.
fn push_other_key(
    rows: &mut RowWriter,
    plan: &TablePlan,
    event: &Event<'_>,
    buffer: &mut Vec<u8>,
) -> Result<()> {
    let (name, row, old): (&[u8], Row<'_>, _) = match event.other_key {
        Some(OtherKey::New(row)) => (b"__debezium.newkey", row, event.old),
        Some(OtherKey::Old(row)) => (b"__debezium.oldkey", row, None),
        None => return Ok(()),
    };
    let key = rows.key_of(plan, Source { row, old }, KeyForm::Header)?;
    push_header(buffer, name, key);
    Ok(())
}

/// Appends `,"ts_ms":…,"ts_us":…,"ts_ns":…}`.
#[inline]
fn push_clock(now_ns: i64, buffer: &mut Vec<u8>) {
    let parts = [
        (&b",\"ts_ms\":"[..], now_ns.div_euclid(1_000_000)),
        (b",\"ts_us\":", now_ns.div_euclid(1000)),
        (b",\"ts_ns\":", now_ns),
    ];
    for (label, value) in parts {
        buffer.extend_from_slice(label);
        push_int(buffer, value);
    }
    buffer.push(b'}');
}

/// A thing that the stages before this one never do.
#[cold]
pub(super) fn internal(what: &'static str) -> Error {
    Error::new(Kind::Internal, what).context("encode event")
}

/// Appends with `write` and says where.
pub(super) fn appended(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    let start = buffer.len();
    write(buffer);
    start..buffer.len()
}
