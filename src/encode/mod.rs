//! Events into records: the Debezium JSON envelope, written by a streaming writer into one reused buffer. Pure.

mod records;

pub use records::{Record, RecordSpan, Records};
