//! The snapshot: how far it has come, and what became of those before it.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use prometheus::{Gauge, IntCounter, IntCounterVec, IntGauge};

use super::families::Families;
use crate::error::Result;

/// What the snapshot tells. One at a time.
#[derive(Debug)]
pub struct SnapshotMetrics {
    running: IntGauge,
    tables: IntGauge,
    remaining: IntGauge,
    duration: Gauge,
    rows: IntCounter,
    snapshots: IntCounterVec,
    last: Mutex<Option<SnapshotOutcome>>,
}

/// How a snapshot ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// All rows are durable.
    Completed,
    /// By an error; it starts over.
    Failed,
    /// By the word to stop; it starts over at the next start.
    Stopped,
}

impl SnapshotMetrics {
    pub(super) fn new(families: &Families) -> Result<Self> {
        let snapshots = families.counters(
            "headwater_snapshots_total",
            "Snapshots that ended, by outcome.",
            &["outcome"],
        )?;
        for outcome in SnapshotOutcome::ALL {
            snapshots.with_label_values(&[outcome.name()]);
        }
        Ok(Self {
            running: families.gauge("headwater_snapshot_running", "1 while tables are read.")?,
            tables: families.gauge("headwater_snapshot_tables", "Tables of the last snapshot.")?,
            remaining: families
                .gauge("headwater_snapshot_tables_remaining", "Those of them that are not read yet.")?,
            duration: families.float_gauge(
                "headwater_snapshot_seconds",
                "How long the last snapshot took, or has taken so far.",
            )?,
            rows: families.counter("headwater_snapshot_rows_total", "Rows that snapshots have read.")?,
            snapshots,
            last: Mutex::new(None),
        })
    }

    /// A snapshot of so many tables begins.
    pub fn begun(&self, tables: usize) {
        let tables = i64::try_from(tables).unwrap_or(i64::MAX);
        self.tables.set(tables);
        self.remaining.set(tables);
        self.duration.set(0.0);
        self.running.set(1);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Once per turn: rows since the last one, tables that are left, time since the beginning.
    pub fn progress(&self, rows: u64, remaining: usize, since: Duration) {
        self.rows.inc_by(rows);
        self.remaining.set(i64::try_from(remaining).unwrap_or(i64::MAX));
        self.duration.set(since.as_secs_f64());
    }

    /// It ended.
    pub fn ended(&self, outcome: SnapshotOutcome) {
        self.running.set(0);
        self.snapshots.with_label_values(&[outcome.name()]).inc();
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// Debezium's attributes, in the order of [`super::debezium`]: total and remaining tables, running, completed, aborted,
    /// seconds, rows.
    pub(super) fn attributes(&self) -> [i64; 7] {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let ended =
            |outcomes: &[SnapshotOutcome]| i64::from(last.is_some_and(|last| outcomes.contains(&last)));
        #[allow(clippy::cast_possible_truncation, reason = "seconds that a process lives")]
        let seconds = self.duration.get() as i64;
        [
            self.tables.get(),
            self.remaining.get(),
            self.running.get(),
            ended(&[SnapshotOutcome::Completed]),
            ended(&[SnapshotOutcome::Failed, SnapshotOutcome::Stopped]),
            seconds,
            i64::try_from(self.rows.get()).unwrap_or(i64::MAX),
        ]
    }
}

impl SnapshotOutcome {
    const ALL: [Self; 3] = [Self::Completed, Self::Failed, Self::Stopped];

    /// The `outcome` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_debezium_would() {
        let metrics = SnapshotMetrics::new(&Families::new("shop").unwrap()).unwrap();
        assert_eq!(metrics.attributes(), [0; 7]);
        metrics.begun(3);
        metrics.progress(10, 2, Duration::from_millis(2500));
        assert_eq!(metrics.attributes(), [3, 2, 1, 0, 0, 2, 10]);
        metrics.ended(SnapshotOutcome::Failed);
        assert_eq!(metrics.attributes(), [3, 2, 0, 0, 1, 2, 10]);
        metrics.begun(3);
        metrics.progress(30, 0, Duration::from_secs(4));
        metrics.ended(SnapshotOutcome::Completed);
        assert_eq!(metrics.attributes(), [3, 0, 0, 1, 0, 4, 40]);
    }
}
