//! The configuration: read from files, the environment and flags, checked once, every mistake in one report. What the
//! other modules see is [`Config`], in which all is checked: no text that still has to be parsed, no key that
//! contradicts another.

mod model;

pub use model::{
    Admin, Checkpoint, Config, Delivery, Duration, Events, Kafka, Limits, Log, LogFormat, OnGap, Operation,
    PublicationMode, Retry, Sink, Snapshot, SnapshotMode, Source, SslMode, Topics, TransactionMetadata,
};
