//! Transactions and their way from commit to acknowledgement, counted on the data thread and published once per batch.

use prometheus::IntCounter;
use prometheus::local::{LocalHistogram, LocalIntCounter};

use crate::lsn::UnixMicros;

/// What the data thread has counted and not yet published. Not shared: each thread takes its own.
#[derive(Debug)]
pub struct TransactionCounters {
    received: LocalIntCounter,
    published: LocalIntCounter,
    commit_to_ack: LocalHistogram,
}

impl TransactionCounters {
    pub(super) fn new(
        received: &IntCounter,
        published: &IntCounter,
        commit_to_ack: &prometheus::Histogram,
    ) -> Self {
        Self {
            received: received.local(),
            published: published.local(),
            commit_to_ack: commit_to_ack.local(),
        }
    }

    /// The commit of one transaction was read.
    #[inline]
    pub fn received(&mut self) {
        self.received.inc();
    }

    /// The last record of one transaction was acknowledged at `now`. Clocks that disagree count as no time at all.
    #[inline]
    pub fn published(&mut self, commit_time: UnixMicros, now: UnixMicros) {
        self.published.inc();
        self.commit_to_ack.observe(seconds_between(commit_time, now));
    }

    /// Publishes what was counted.
    pub fn flush(&mut self) {
        self.received.flush();
        self.published.flush();
        self.commit_to_ack.flush();
    }
}

/// Seconds from `earlier` to `later`, zero when they are the other way round.
pub(super) fn seconds_between(earlier: UnixMicros, later: UnixMicros) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a difference of less than 285 years is exact")]
    let micros = later.0.saturating_sub(earlier.0).max(0) as f64;
    micros / 1e6
}
