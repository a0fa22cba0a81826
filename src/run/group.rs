//! Group commit: when the open batch is sealed and made durable. Pure: time comes in.
//!
//! A batch holds whole source transactions. It is sealed when the stream goes quiet, or once it has been open for the
//! commit interval; while there is a backlog, in which nobody waits for the newest change, for an interval after all if the
//! stream goes quiet, and for a few if it does not, because the brokers stand idle during each commit. A source transaction that is too large or takes too long is cut in the middle, at an ordinal: the
//! broker would abort a transaction that outlives `transaction.timeout.ms`, and with it all the work.
//!
//! A commit also costs the brokers a marker in every partition that was written: ten milliseconds for a few, most of a second
//! for hundreds. A busy stream therefore keeps a batch open for a multiple of what the last commit took.

use std::time::{Duration, Instant};

/// The open batch.
#[derive(Debug)]
pub struct Group {
    interval: Duration,
    max_bytes: u64,
    max_open: Duration,
    /// What the last commit asks for, when that is more than the interval.
    stretched: Duration,
    opened: Option<Instant>,
    bytes: u64,
    behind: bool,
}

/// What is true of the stream when asked.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Instant,
    /// No source transaction is open in the batch.
    pub boundary: bool,
    /// Nothing is left to read.
    pub quiet: bool,
}

impl Group {
    /// No batch is open.
    pub fn new(interval: Duration, max_bytes: u64, max_open: Duration) -> Self {
        Self {
            interval,
            max_bytes,
            max_open,
            stretched: Duration::ZERO,
            opened: None,
            bytes: 0,
            behind: false,
        }
    }

    /// Records of `bytes` were encoded into the batch at `now`.
    pub fn add(&mut self, bytes: u64, now: Instant) {
        self.opened.get_or_insert(now);
        self.bytes += bytes;
    }

    /// Whether anything was added since the last seal.
    pub fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Whether to seal now.
    pub fn due(&self, moment: Moment) -> bool {
        let Some(opened) = self.opened else { return false };
        let age = moment.now.saturating_duration_since(opened);
        let full = self.bytes >= self.max_bytes || age >= self.max_open;
        full || moment.boundary && (moment.quiet && !self.behind || age >= self.patience(moment.quiet))
    }

    /// Whether what was encoded may wait for more, because there is a backlog and more to read.
    pub fn gathers(&self, moment: Moment) -> bool {
        self.behind && !moment.quiet && !self.due(moment)
    }

    /// Whether there is a backlog.
    pub fn set_behind(&mut self, behind: bool) {
        self.behind = behind;
    }

    /// How long the batch stays open.
    fn patience(&self, quiet: bool) -> Duration {
        match (self.behind, quiet) {
            // A backlog that comes with pauses, or its end: no reason to commit at each of them.
            (true, true) => self.interval,
            (true, false) => {
                let stretched = self.stretched.saturating_mul(BEHIND_INTERVALS);
                self.interval.saturating_mul(BEHIND_INTERVALS).max(stretched).min(self.max_open)
            }
            (false, _) => self.interval.max(self.stretched),
        }
    }

    /// A sealed batch took so long to become durable.
    pub fn committed(&mut self, took: Duration) {
        self.stretched = took.saturating_mul(COMMIT_SHARE).min(self.max_open);
    }

    /// The batch was sealed.
    pub fn sealed(&mut self) {
        self.opened = None;
        self.bytes = 0;
    }

    /// When [`Group::due`] may become true by time alone.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let age = now.saturating_duration_since(self.opened?);
        Some(self.patience(self.behind).saturating_sub(age))
    }
}

/// A batch of a busy stream stays open this many times as long as the last commit took.
const COMMIT_SHARE: u32 = 4;
/// Batches stay open this much longer during a backlog without pauses.
const BEHIND_INTERVALS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group::new(Duration::from_millis(100), 1000, Duration::from_secs(30))
    }

    fn at(now: Instant, boundary: bool, quiet: bool) -> Moment {
        Moment { now, boundary, quiet }
    }

    #[test]
    fn quiet_seals_at_once_but_only_whole_transactions() {
        let (mut group, now) = (group(), Instant::now());
        assert!(!group.due(at(now, true, true)));
        group.add(10, now);
        assert!(!group.due(at(now, false, true)));
        assert!(!group.due(at(now, true, false)));
        assert!(group.due(at(now, true, true)));
        group.sealed();
        assert!(!group.due(at(now, true, true)));
    }

    #[test]
    fn a_busy_stream_seals_at_the_interval() {
        let (mut group, now) = (group(), Instant::now());
        group.add(10, now);
        assert!(!group.due(at(now + Duration::from_millis(99), true, false)));
        assert!(group.due(at(now + Duration::from_millis(100), true, false)));
        assert!(!group.due(at(now + Duration::from_millis(100), false, false)));
    }

    #[test]
    fn slow_commits_make_longer_batches_but_only_of_a_busy_stream() {
        let (mut group, now) = (group(), Instant::now());
        group.committed(Duration::from_millis(500));
        group.add(10, now);
        assert!(!group.due(at(now + Duration::from_millis(1999), true, false)));
        assert!(group.due(at(now + Duration::from_secs(2), true, false)));
        assert!(group.due(at(now, true, true)));
        group.committed(Duration::from_secs(3600));
        assert!(group.due(at(now + Duration::from_secs(30), false, false)));
        group.committed(Duration::from_millis(10));
        assert!(group.due(at(now + Duration::from_millis(100), true, false)));
    }

    #[test]
    fn a_backlog_is_sealed_less_often() {
        let (mut group, now) = (group(), Instant::now());
        group.set_behind(true);
        group.add(10, now);
        assert!(!group.due(at(now + Duration::from_millis(499), true, false)));
        assert!(group.due(at(now + Duration::from_millis(500), true, false)));
        assert_eq!(group.wait(now), Some(Duration::from_millis(100)));
        assert!(!group.due(at(now + Duration::from_millis(99), true, true)), "one that comes in pieces");
        assert!(group.due(at(now + Duration::from_millis(100), true, true)), "its end");
        group.set_behind(false);
        assert!(group.due(at(now, true, true)));
    }

    #[test]
    fn only_a_backlog_gathers() {
        let (mut group, now) = (group(), Instant::now());
        group.add(10, now);
        assert!(!group.gathers(at(now, true, false)));
        group.set_behind(true);
        assert!(group.gathers(at(now, true, false)));
        assert!(!group.gathers(at(now, true, true)), "nothing is left to read");
        assert!(!group.gathers(at(now + Duration::from_millis(500), true, false)), "a commit waits for it");
    }

    #[test]
    fn a_transaction_too_large_or_too_long_is_cut() {
        let (mut group, now) = (group(), Instant::now());
        group.add(999, now);
        assert!(!group.due(at(now, false, false)));
        assert!(group.due(at(now + Duration::from_secs(30), false, false)));
        group.add(1, now);
        assert!(group.due(at(now, false, false)));
    }
}
