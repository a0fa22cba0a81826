//! Bytes of the `pgoutput` plugin into messages, and of COPY into rows, and nothing else: no socket, no clock. A [`Message`] borrows from the
//! buffer it was read from; only what outlives the buffer (relations) is copied, and that is rare. No input can make
//! it panic: there is no indexing here, and every length is compared with what is left before it is used.

#![deny(clippy::indexing_slicing)]

#[cfg(test)]
mod captured;
mod columns;
mod copy;
mod message;
mod parse;
mod reader;
mod relation;
mod tuple;
#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "the test indexes arrays of its own")]
mod written;

pub use columns::ColumnIter;
pub use copy::CopyRow;
pub use message::{
    ColumnRef, Columns, Message, Oids, OldTuple, RelationBody, ReplicaIdentity, Tuple, TupleIter, TypeBody,
    Value,
};
pub use parse::{Mode, parse, subtransaction};
pub use reader::{DecodeError, Got};
pub use relation::{Change, Relation, RelationCache, RelationColumn, TypeName};
