//! The position that is known to be durable, where it is kept, and the ledger that says when it may move.

mod position;

pub use position::{Partial, Position};
