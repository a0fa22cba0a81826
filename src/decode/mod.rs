//! Bytes of the `pgoutput` plugin into messages, and nothing else: no socket, no clock. A [`Message`] borrows from the
//! buffer it was read from; only what outlives the buffer (relations) is copied, and that is rare.

mod message;

pub use message::{
    ColumnRef, Columns, Message, Oids, OldTuple, RelationBody, ReplicaIdentity, Tuple, TupleIter, TypeBody,
    Value,
};
