//! Where records go. A [`Sink`] never blocks the thread that reads the stream: it takes what fits, and says later what
//! has become durable.

mod acks;
pub mod check;
mod client;
mod cluster;
mod context;
mod fault;
mod interest;
mod kafka;
mod lines;
mod producer;
mod progress;
#[cfg(test)]
pub(crate) mod sample;
mod service;
mod settings;
mod spread;
mod state_file;
mod topics;
mod wake;

pub use kafka::{Connected, KafkaSink};
pub use lines::LinesSink;
pub use wake::Wake;

pub(crate) use cluster::Cluster;
pub(crate) use fault::from_kafka as cluster_error;
pub(crate) use interest::Interest;
pub(crate) use settings::{Isolation, reader as reader_settings, transaction_timeout};
#[cfg(test)]
pub(crate) use state_file::State;
pub(crate) use state_file::StateFile;
pub(crate) use topics::{Purpose, Topics};

use crate::encode::Records;
use crate::error::Result;
use crate::event::TopicId;

/// A batch of records between two commits; numbers rise by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(pub u64);

/// A key and a value for the checkpoint topic or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRecord {
    pub key: String,
    pub value: Vec<u8>,
}

/// How a sink keeps the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointMode {
    /// [`Sink::commit`] makes the records and the checkpoint durable as one (Kafka transactions; files).
    WithBatch,
    /// Records first; the checkpoint follows as a batch of its own once they are acknowledged (at least once).
    AfterBatch,
}

/// A destination of records.
pub trait Sink: Send {
    /// How the checkpoint is kept.
    fn checkpoint_mode(&self) -> CheckpointMode;

    /// Makes `topic` known by name before the first record for it is written. Creates it if the configuration says so;
    /// may block for as long as that takes, which happens once per topic.
    fn register_topic(&mut self, topic: TopicId, name: &str) -> Result<()>;

    /// Takes the records from index `from` on, as many as fit, and returns the index of the first one not taken.
    /// Never blocks. Takes none while a commit with [`CheckpointMode::WithBatch`] is under way.
    fn write(&mut self, records: &Records, from: usize) -> Result<usize>;

    /// Closes the batch: everything written since the last call belongs to `batch`. With
    /// [`CheckpointMode::WithBatch`] the checkpoint becomes durable with it; with [`CheckpointMode::AfterBatch`] a
    /// checkpoint is only given for a batch without records, and is then itself the batch. Never blocks.
    fn commit(&mut self, batch: BatchId, checkpoint: Option<CheckpointRecord>) -> Result<()>;

    /// Tells each batch that has become durable, in any order, once; fails when the sink did. Never blocks.
    fn poll(&mut self, durable: &mut dyn FnMut(BatchId)) -> Result<()>;

    /// Bytes and records accepted but not yet durable.
    fn in_flight(&self) -> InFlight;

    /// The bound of [`Sink::in_flight`]; zero for a sink that holds nothing.
    fn capacity(&self) -> InFlight {
        InFlight::default()
    }
}

/// What a sink still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    pub bytes: u64,
    pub records: u64,
}
