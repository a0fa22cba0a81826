//! When to read: at once while the stream is live, late and in bulk while there is a backlog.
//!
//! The walsender flushes every message with a send() of its own. A reader that wakes for each one costs the server more
//! than decoding does; letting a few hundred microseconds of messages gather more than doubles the server's rate. But a
//! commit on a quiet stream must go out in milliseconds. The rule needs no view of the server: a read that came soon
//! after the one before it and brought little is a sign of a stream in full flow, so the next one waits a little.

use std::time::{Duration, Instant};

/// Decides on the pause before the next read. Pure: time comes in.
#[derive(Debug, Default)]
pub struct Pace {
    last_read: Option<Instant>,
    flowing: bool,
}

/// Reads closer together than this belong to one flow.
const FLOW: Duration = Duration::from_micros(500);
/// A read of this many bytes or more was worth its wakeup.
const BULK_BYTES: usize = 64 * 1024;
/// What a reader in full flow waits, so that messages gather.
const GATHER: Duration = Duration::from_micros(200);

impl Pace {
    /// A read brought `bytes` at `now`.
    pub fn read(&mut self, bytes: usize, now: Instant) {
        let close = self.last_read.is_some_and(|last| now.duration_since(last) < FLOW);
        self.flowing = close && bytes < BULK_BYTES;
        self.last_read = Some(now);
    }

    /// There was nothing to read.
    pub fn idle(&mut self) {
        self.flowing = false;
    }

    /// How long to let messages gather before the next read; none: read as soon as there is something.
    pub fn pause(&self) -> Option<Duration> {
        self.flowing.then_some(GATHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_stream_is_read_at_once() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        for millis in 0..10 {
            pace.read(300, start + Duration::from_millis(millis));
            assert_eq!(pace.pause(), None);
        }
    }

    #[test]
    fn backlog_in_small_messages_gathers() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.read(300, start);
        pace.read(300, start + Duration::from_micros(20));
        assert_eq!(pace.pause(), Some(GATHER));
        pace.read(20_000, start + Duration::from_micros(240));
        assert_eq!(pace.pause(), Some(GATHER));
    }

    #[test]
    fn bulk_is_read_on_without_a_pause() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.read(BULK_BYTES, start);
        pace.read(BULK_BYTES, start + Duration::from_micros(20));
        assert_eq!(pace.pause(), None);
    }
}
