//! What the encoder is given: an [`Event`] borrows the row from the read buffer and the table from the cache.

use std::sync::Arc;

use crate::decode::{ReplicaIdentity, Tuple};
use crate::lsn::{Lsn, Oid, UnixMicros, Xid};
use crate::masks::Mask;
use crate::source::catalog::TypeDetails;

/// Dense number of a relation in this session, so that every stage can keep what it knows of it in a plain vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableSlot(pub u32);

/// Dense number of a topic in this session; the names are in the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopicId(pub u32);

/// A relation as it is captured: the columns of the Relation message in force, with what the catalog adds.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub slot: TableSlot,
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub topic: TopicId,
    pub replica_identity: ReplicaIdentity,
    /// One per value of a tuple, in the tuple's order.
    pub columns: Vec<Column>,
    /// Indexes into `columns`, in the order of the key; empty: records of this table have no key.
    pub key: Vec<usize>,
}

/// A column of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub ty: TypeDetails,
    pub typmod: i32,
    pub not_null: bool,
    /// The default as an SQL expression, as `pg_get_expr` prints it.
    pub default: Option<String>,
    /// Part of the replica identity: set in an old tuple of kind `K`.
    pub identity: bool,
    /// Written to `before` and `after`; a column of the key is written to the key all the same.
    pub selected: bool,
    /// How its texts are hidden in `before` and `after`; the key shows them as they are.
    pub mask: Option<Mask>,
}

impl Column {
    /// The name of the type to the JDBC driver, in small letters: an integer that a sequence counts is a serial one.
    #[must_use]
    pub fn driver_type(&self) -> String {
        let counted = self.default.as_ref().is_some_and(|default| default.contains("nextval("));
        match self.ty.name.as_str() {
            "int2" if counted => "smallserial".to_owned(),
            "int4" if counted => "serial".to_owned(),
            "int8" if counted => "bigserial".to_owned(),
            name => name.to_lowercase(),
        }
    }
}

/// Debezium's `op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Create,
    Update,
    Delete,
    Truncate,
    /// A row as a snapshot found it.
    Read,
}

/// `source.snapshot` of a row that a snapshot read: its place among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotRecord {
    First,
    FirstInDataCollection,
    True,
    LastInDataCollection,
    Last,
}

impl SnapshotRecord {
    /// As Debezium spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::FirstInDataCollection => "first_in_data_collection",
            Self::True => "true",
            Self::LastInDataCollection => "last_in_data_collection",
            Self::Last => "last",
        }
    }
}

/// A row of `before` or `after`.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    /// Every column is known (unchanged TOAST excepted).
    Full(Tuple<'a>),
    /// Only the columns of the replica identity are known.
    Key(Tuple<'a>),
}

/// Which row the record's key is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOf {
    Before,
    After,
    /// A null key (truncate, or a table without key).
    None,
}

/// The other half of a key change, for the header `__debezium.newkey` (on the delete and its tombstone) or
/// `__debezium.oldkey` (on the create).
#[derive(Clone, Copy, Debug)]
pub enum OtherKey<'a> {
    New(Row<'a>),
    Old(Row<'a>),
}

/// One change event. A tombstone is not an event of its own here: the encoder writes it behind a delete when told to.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    pub table: &'a Table,
    pub op: Op,
    pub before: Option<Row<'a>>,
    pub after: Option<Row<'a>>,
    /// The full old row, when there is one: where unchanged TOAST values of `after` are taken from. Not always `before`.
    pub old: Option<Row<'a>>,
    pub key: KeyOf,
    pub other_key: Option<OtherKey<'a>>,
    /// LSN of the change (start of the XLogData message).
    pub lsn: Lsn,
    /// Write a record with the same key and a null value behind this one.
    pub tombstone: bool,
    /// Ordinal of the event's record within the transaction; its tombstone has the next one.
    pub ordinal: u64,
    /// Debezium's `total_order` and `data_collection_order`, from 1.
    pub total_order: u64,
    pub data_collection_order: u64,
}

/// The transaction an event belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionContext {
    pub xid: Xid,
    /// LSN of the commit record: with the system id and the ordinal, the stable id of an event.
    pub commit_lsn: Lsn,
    pub commit_time: UnixMicros,
    /// End of the commit record of the transaction before; none for the first one after the start.
    pub previous_end_lsn: Option<Lsn>,
    /// Replication origin: its name, shared by all its transactions, and the commit LSN there.
    pub origin: Option<(Arc<str>, Lsn)>,
}

/// The stable id of a record: `<system_id>:<commit_lsn>:<ordinal>`, the LSN in decimal as in `source.lsn`. That of a row of a
/// snapshot is `<system_id>:<lsn>:r<table OID>.<row>`: no commit has such an ordinal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    pub system_id: u64,
    pub commit_lsn: Lsn,
    pub ordinal: u64,
}
