//! Events into records: the Debezium JSON envelope, written by a streaming writer into one reused buffer. Pure.
//!
//! In: [`Event`](crate::event::Event)s that borrow their rows from the read buffer, transaction contexts and the time.
//! Out: [`Records`]. Whatever can be rendered before a row comes (per table, per transaction) is, so that a row costs
//! copies and the conversion of its values.
//!
//! Where this differs from Debezium 3.7 on purpose, because what it writes says something else than the row does:
//! - an explicit NULL stays null where the column has a default (its `replace.null.with.default=false`);
//! - `name` columns keep their value; many-dimensional arrays nest; arrays of bits, and arrays of enums, `ltree` and
//!   `tsvector` with NULL elements, keep their elements; `int2vector` and `oidvector` keep theirs;
//! - an unchanged TOASTed value that cannot hold the placeholder (a number) is the placeholder's text instead of null;
//! - `numeric` with a negative scale is written at scale 0 instead of 2046; a `timestamp` beyond microseconds of 64 bits is
//!   null and counted instead of a wrong number;
//! - the collection of transactional messages is called `message` instead of by the identity of a Java object;
//! - `hstore` keeps the server's order of keys; a row of a table without columns is written; floats keep all their digits
//!   whatever `extra_float_digits` the database sets;
//! - a partial unique index is no key, and an update of a replica identity that leaves the primary key as it is is no
//!   key change;
//! - floats are the shortest that read back, as Java prints them since 19 (17 has longer ones: `1.17549435E-38`).

mod default;
mod envelope;
mod headers;
mod plan;
mod records;
mod row;
mod source;
mod transaction;
mod value;
mod writer;

pub use envelope::{EncodeSettings, JsonEncoder, Written};
pub use plan::DroppedColumn;
pub use records::{Record, RecordSpan, Records, push_header};
pub use source::Order;
pub use transaction::{CollectionCount, MESSAGE_COLLECTION, MessageEvent, MessageScope, TransactionRecord};
pub use value::{BinaryMode, DecimalMode, HstoreMode, IntervalMode, Modes, TimeMode};

#[cfg(test)]
mod tests;
