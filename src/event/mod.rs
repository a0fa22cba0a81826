//! Messages into events: transactions assembled with ordinals and stable ids, key changes split, tables resolved and
//! routed. Pure: no socket, no clock.

mod model;

pub use model::{
    Column, Event, EventId, KeyOf, Op, OtherKey, Row, Table, TableSlot, TopicId, TransactionContext,
};
