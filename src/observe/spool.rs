//! The spool of transactions in progress: what it holds, and how often the server had to be asked to send them whole.

use prometheus::{IntCounterVec, IntGauge};

use super::families::Families;
use crate::error::Result;

/// Why a session gave streaming up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackReason {
    /// `limits.spool` is used up.
    Full,
    /// The directory or its disk failed.
    Disk,
    /// A transaction in progress comes from a replication origin.
    Origin,
    /// A savepoint was rolled back in a transaction in progress that has emitted messages.
    Message,
    /// The server could not decode while it streamed.
    Server,
}

impl FallbackReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Full, Self::Disk, Self::Origin, Self::Message, Self::Server];

    /// The `reason` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Disk => "disk",
            Self::Origin => "origin",
            Self::Message => "message",
            Self::Server => "server",
        }
    }
}

/// Numbers of the spool.
#[derive(Debug)]
pub struct SpoolMetrics {
    capacity: IntGauge,
    bytes: IntGauge,
    transactions: IntGauge,
    fallbacks: IntCounterVec,
}

impl SpoolMetrics {
    pub(super) fn new(families: &Families) -> Result<Self> {
        let metrics = Self {
            capacity: families.gauge(
                "headwater_spool_capacity_bytes",
                "limits.spool while transactions in progress are streamed; 0 while they are not.",
            )?,
            bytes: families.gauge("headwater_spool_bytes", "Disk that transactions in progress take.")?,
            transactions: families.gauge("headwater_spool_transactions", "Transactions in the spool.")?,
            fallbacks: families.counters(
                "headwater_spool_fallbacks_total",
                "Times that streaming of transactions in progress was given up, by reason.",
                &["reason"],
            )?,
        };
        for reason in FallbackReason::ALL {
            metrics.fallbacks.with_label_values(&[reason.name()]);
        }
        Ok(metrics)
    }

    /// A session begins with a spool of so many bytes; 0 when it has none.
    pub fn opened(&self, capacity_bytes: u64) {
        self.capacity.set(i64::try_from(capacity_bytes).unwrap_or(i64::MAX));
        self.holds(0, 0);
    }

    /// What the spool holds.
    pub fn holds(&self, bytes: u64, transactions: usize) {
        self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.transactions.set(i64::try_from(transactions).unwrap_or(i64::MAX));
    }

    /// Streaming was given up.
    pub fn fell_back(&self, reason: FallbackReason) {
        self.fallbacks.with_label_values(&[reason.name()]).inc();
    }
}
