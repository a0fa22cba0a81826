//! Events into records: the Debezium JSON envelope, written by a streaming writer into one reused buffer. Pure.
//!
//! In: [`Event`](crate::event::Event)s that borrow their rows from the read buffer, transaction contexts and the time.
//! Out: [`Records`]. Whatever can be rendered before a row comes (per table, per transaction) is, so that a row costs
//! copies and the conversion of its values.
//!
//! Where this differs from Debezium 3.7 on purpose, because what it writes says something else than the row does, is in
//! `docs/compatibility.md`. What belongs to values follows `events.quirks` and is in `value::quirk` and `value::stand_in`; the
//! rest is never reproduced:
//! - an update of a replica identity that leaves the primary key as it is is no key change, and a partial unique index is no
//!   key;
//! - the collection of transactional messages is called `message` instead of by the identity of a Java object, and arrays of
//!   arrays of texts nest instead of being such identities;
//! - a row of a table without columns is written; floats keep all their digits whatever `extra_float_digits` the database
//!   sets, and are the shortest that read back, as Java prints them since 19 (17 has longer ones: `1.17549435E-38`).

mod added;
mod default;
mod envelope;
mod flat;
mod headers;
mod heartbeat;
mod names;
mod notification;
mod plan;
mod records;
mod row;
mod schema;
mod source;
mod table_schemas;
mod transaction;
mod value;
mod writer;

pub use crate::modes::Modes;
pub use envelope::{EncodeSettings, JsonEncoder, Written};
pub use notification::{Notification, SnapshotStatus};
pub use plan::DroppedColumn;
pub use records::{Record, RecordSpan, Records, push_header};
pub use source::Order;
pub use table_schemas::Naming;
pub use transaction::{CollectionCount, MESSAGE_COLLECTION, MessageEvent, MessageScope, TransactionRecord};

#[cfg(test)]
mod tests;
