//! What people and machines can see of a running pipeline: metrics, the status page, health, logs and the words spoken
//! to the service manager. The data thread writes atomics once per batch and nothing per event; everything derived from
//! the clock (lag, health, Debezium's names) is worked out when somebody asks.

pub mod admin;
pub mod board;
mod connection;
mod debezium;
mod families;
pub mod health;
pub mod logging;
pub mod metrics;
mod pipeline;
pub mod service;
mod snapshot;
mod spool;
mod start;
mod state;
pub mod status;
mod tables;
mod transactions;

pub use board::{Board, Watched};
pub use health::{Health, Verdict};
pub use metrics::{About, Metrics, SkipReason};
pub use pipeline::{PipelineMetrics, Progress, SlotWal};
pub use snapshot::{SnapshotMetrics, SnapshotOutcome};
pub use spool::{FallbackReason, SpoolMetrics};
pub use start::StartMetrics;
pub use state::State;
pub use status::Status;
pub use tables::{TableCounters, TableTotals};
pub use transactions::TransactionCounters;

use crate::lsn::UnixMicros;

/// The wall clock; before 1970 reads as 1970.
fn now() -> UnixMicros {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod documentation;
