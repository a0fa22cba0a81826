//! What the supervisor must know of snapshots since the process began: that one was taken, and whether they come any further. One
//! that fails starts over, so what it made durable is no progress unless no other came so far.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of one pipeline.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    taken: AtomicBool,
    /// The rows of the one that came furthest.
    furthest: AtomicU64,
    stuck: AtomicBool,
}

impl Attempts {
    /// A session begins, with a snapshot or without.
    pub(crate) fn begin(&self) {
        self.stuck.store(false, Ordering::Relaxed);
    }

    /// A snapshot failed when it had read so many rows.
    pub(crate) fn failed(&self, rows: u64) {
        let before = self.furthest.fetch_max(rows, Ordering::Relaxed);
        self.stuck.store(rows <= before, Ordering::Relaxed);
    }

    /// A snapshot is complete.
    pub(crate) fn taken(&self) {
        self.taken.store(true, Ordering::Relaxed);
        self.furthest.store(0, Ordering::Relaxed);
    }

    /// Whether one was complete, so that `snapshot.mode = "always"` asks for no other.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether the session ended in a snapshot that came no further than one before.
    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_no_further_is_stuck() {
        let attempts = Attempts::default();
        let ended = |rows| {
            attempts.begin();
            attempts.failed(rows);
            attempts.is_stuck()
        };
        assert_eq!([0, 5, 5, 3, 6].map(ended), [true, false, true, true, false]);
        attempts.begin();
        assert!(!attempts.is_stuck() && !attempts.is_taken(), "a session that failed elsewhere");
        attempts.taken();
        assert!(attempts.is_taken() && !ended(1), "the next one is another");
    }
}
