//! The position that is known to be durable, where it is kept, and the ledger that says when it may move.

pub mod file;
mod ledger;
mod position;
pub mod store;

pub use ledger::Ledger;
pub use position::{Partial, Position, SnapshotProgress};
