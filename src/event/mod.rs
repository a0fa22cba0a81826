//! Messages into events: transactions assembled with ordinals and stable ids, key changes split, tables resolved and
//! routed. Pure: no socket, no clock.

mod assembler;
mod model;
mod resolve;
mod route;
mod select;

pub use assembler::{Assembler, Change, Events, MessagePlace, OldRows, Resume, key_changed};
pub use model::{
    Column, Event, EventId, KeyOf, Op, OtherKey, Row, SnapshotRecord, Table, TableSlot, TopicId,
    TransactionContext,
};
pub use resolve::resolve;
pub use route::Router;
pub use select::Selection;
