//! When to ask for streaming again after it had to be given up. A transaction that filled the spool would fill it again, so
//! the sessions of the next minutes do without; one that begins later tries anew. No session is ended for that. Pure:
//! time comes in.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shared by the sessions of a process.
#[derive(Debug, Default)]
pub(crate) struct Fallback(Mutex<Option<Instant>>);

impl Fallback {
    /// Streaming was given up.
    pub(crate) fn begin(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Whether a session that begins now does without streaming.
    pub(crate) fn lasts(&self, now: Instant) -> bool {
        let begun = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.is_some_and(|begun| now.saturating_duration_since(begun) < LASTS)
    }
}

/// Long enough that what filled the spool has ended, or that somebody has looked.
const LASTS: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lasts_a_while() {
        let (fallback, now) = (Fallback::default(), Instant::now());
        assert!(!fallback.lasts(now));
        fallback.begin(now);
        assert!(fallback.lasts(now) && fallback.lasts(now + LASTS / 2));
        assert!(!fallback.lasts(now + LASTS));
    }
}
