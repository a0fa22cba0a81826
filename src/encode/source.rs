//! The `source` and `transaction` blocks. All that does not change within a source transaction is rendered when it
//! begins; an event adds its table, its LSN and its places.

use std::sync::Arc;

use super::envelope::EncodeSettings;
use super::writer::{push_int, push_string};
use crate::event::{SnapshotRecord, TransactionContext};
use crate::lsn::{Lsn, UnixMicros, Xid};

/// The blocks of one transaction, cut where an event's own numbers go.
#[derive(Debug, Default)]
pub(super) struct SourceBlocks {
    /// `,"source":{"version":…,"sequence":"[…,\"`
    head: Vec<u8>,
    /// `\"]","ts_us":…,"ts_ns":…,`
    times: Vec<u8>,
    /// `"txId":…,"lsn":`
    ids: Vec<u8>,
    /// `,"xmin":null,…}`
    tail: Vec<u8>,
    /// `,"transaction":{"id":"<xid>:`, or `,"transaction":null`
    transaction: Vec<u8>,
    said: Said,
}

/// The same, for those who want a field of it alone.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Of the source, since 1970.
    pub micros: i64,
    pub xid: Option<Xid>,
    pub previous: Option<Lsn>,
    pub origin: Option<(Arc<str>, Lsn)>,
    pub snapshot: Option<SnapshotRecord>,
    /// There is a `transaction` block.
    pub block: bool,
}

/// An event's places in its transaction, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub total: u64,
    pub data_collection: u64,
}

/// What the blocks are made of.
#[derive(Clone, Copy)]
struct Facts<'a> {
    time: UnixMicros,
    xid: Option<Xid>,
    previous: Option<Lsn>,
    origin: Option<&'a (Arc<str>, Lsn)>,
    /// Of rows that a snapshot read.
    snapshot: Option<SnapshotRecord>,
}

impl SourceBlocks {
    /// What the blocks say.
    pub(super) fn said(&self) -> &Said {
        &self.said
    }

    /// Renders the blocks of the events of `context`.
    pub(super) fn begin(&mut self, settings: &EncodeSettings, context: &TransactionContext) {
        self.render(
            settings,
            Facts {
                time: context.commit_time,
                xid: Some(context.xid),
                previous: context.previous_end_lsn,
                origin: context.origin.as_ref(),
                snapshot: None,
            },
        );
    }

    /// Renders the blocks of rows with that place in a snapshot.
    pub(super) fn begin_snapshot(
        &mut self,
        settings: &EncodeSettings,
        context: &TransactionContext,
        record: SnapshotRecord,
    ) {
        self.render(
            settings,
            Facts {
                time: context.commit_time,
                xid: Some(context.xid),
                previous: None,
                origin: None,
                snapshot: Some(record),
            },
        );
    }

    /// Renders the blocks of a message outside of any transaction, which is its own predecessor.
    pub(super) fn begin_lone(&mut self, settings: &EncodeSettings, time: UnixMicros, lsn: Lsn) {
        self.render(settings, Facts { time, xid: None, previous: Some(lsn), origin: None, snapshot: None });
    }

    fn render(&mut self, settings: &EncodeSettings, facts: Facts<'_>) {
        let micros = facts.time.0;
        self.head.clear();
        self.head.extend_from_slice(b",\"source\":{\"version\":");
        let _ = push_string(&mut self.head, settings.version.as_bytes());
        self.head.extend_from_slice(b",\"connector\":\"postgresql\",\"name\":");
        let _ = push_string(&mut self.head, settings.name.as_bytes());
        self.head.extend_from_slice(b",\"ts_ms\":");
        push_int(&mut self.head, micros.div_euclid(1000));
        // Debezium leaves the field to its default, which a converter that does not put defaults in writes as null.
        let modes = settings.modes;
        let left_out = modes.quirky() && !modes.null_as_default;
        let (quote, snapshot) = match facts.snapshot {
            Some(record) => ("\"", record.name()),
            None if left_out => ("", "null"),
            None => ("\"", "false"),
        };
        for part in [",\"snapshot\":", quote, snapshot, quote, ",\"db\":"] {
            self.head.extend_from_slice(part.as_bytes());
        }
        let _ = push_string(&mut self.head, settings.database.as_bytes());
        self.head.extend_from_slice(b",\"sequence\":\"[");
        match facts.previous {
            Some(lsn) => {
                self.head.extend_from_slice(b"\\\"");
                push_int(&mut self.head, lsn.0);
                self.head.extend_from_slice(b"\\\",\\\"");
            }
            None => self.head.extend_from_slice(b"null,\\\""),
        }
        self.times.clear();
        self.times.extend_from_slice(b"\\\"]\",\"ts_us\":");
        push_int(&mut self.times, micros);
        self.times.extend_from_slice(b",\"ts_ns\":");
        push_int(&mut self.times, i128::from(micros) * 1000);
        self.times.push(b',');
        self.render_ids(facts);
        let block = settings.transaction_block && facts.xid.is_some() && facts.snapshot.is_none();
        let Facts { xid, previous, origin, snapshot, .. } = facts;
        self.said = Said { micros, xid, previous, origin: origin.cloned(), snapshot, block };
        self.transaction.clear();
        if let (true, Some(xid)) = (block, facts.xid) {
            self.transaction.extend_from_slice(b",\"transaction\":{\"id\":\"");
            push_int(&mut self.transaction, xid.0);
            self.transaction.push(b':');
        } else {
            self.transaction.extend_from_slice(b",\"transaction\":null");
        }
    }

    fn render_ids(&mut self, facts: Facts<'_>) {
        self.ids.clear();
        self.ids.extend_from_slice(b"\"txId\":");
        match facts.xid {
            Some(xid) => push_int(&mut self.ids, xid.0),
            None => self.ids.extend_from_slice(b"null"),
        }
        self.ids.extend_from_slice(b",\"lsn\":");
        self.tail.clear();
        self.tail.extend_from_slice(b",\"xmin\":null,\"origin\":");
        match facts.origin {
            Some((name, lsn)) => {
                let _ = push_string(&mut self.tail, name.as_bytes());
                self.tail.extend_from_slice(b",\"origin_lsn\":");
                push_int(&mut self.tail, lsn.0);
                self.tail.push(b'}');
            }
            None => self.tail.extend_from_slice(b"null,\"origin_lsn\":null}"),
        }
    }

    /// Appends `,"source":{…},"transaction":…`; `table` is `"schema":…,"table":…,` and `lsn` is decimal.
    #[inline]
    pub(super) fn push(&self, table: &[u8], lsn: &[u8], order: Order, out: &mut Vec<u8>) {
        for part in [&*self.head, lsn, &self.times, table, &self.ids, lsn, &self.tail, &self.transaction] {
            out.extend_from_slice(part);
        }
        if self.said.block {
            out.extend_from_slice(lsn);
            out.extend_from_slice(b"\",\"total_order\":");
            push_int(out, order.total);
            out.extend_from_slice(b",\"data_collection_order\":");
            push_int(out, order.data_collection);
            out.push(b'}');
        }
    }
}
