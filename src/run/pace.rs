//! When to read: at once while the stream is live, late and in bulk while there is a backlog.
//!
//! The walsender flushes every message with a send() of its own. A reader that sleeps in poll() is woken by each of them,
//! and the waking is done in the sender's system call: it costs the server more than decoding does. Letting a few hundred
//! microseconds of messages gather, without being woken, more than doubles the server's rate. But a commit on a quiet
//! stream must go out in milliseconds.
//!
//! The rule needs no view of the server. What counts is how soon the next bytes are there once we are ready for them: a
//! few short gaps in a row are a stream in full flow, and then each read waits a little. The time that our own work
//! takes is left out, or a slow moment of ours would look like a pause of the server and let it wake us again.

use std::time::{Duration, Instant};

/// Decides on the pause before the next read. Pure: time comes in.
#[derive(Debug, Default)]
pub struct Pace {
    /// Since when the next bytes are wanted.
    ready: Option<Instant>,
    /// Reads in a row that came soon after that.
    streak: u32,
    /// The last read brought so much that the next may follow at once.
    bulk: bool,
}

/// Bytes this soon after we were ready for them belong to the same flow.
const FLOW: Duration = Duration::from_millis(1);
/// Reads in a row that make a flow. A transaction of one row comes in up to four.
const FLOW_READS: u32 = 8;
/// A read of this many bytes or more was worth its system call.
const BULK_BYTES: usize = 64 * 1024;
/// What a reader in full flow waits, so that messages gather.
const GATHER: Duration = Duration::from_micros(200);

impl Pace {
    /// Ready to read at `now`. Says how long to let messages gather first; none: read as soon as there is something.
    pub fn pause(&mut self, now: Instant) -> Option<Duration> {
        let ready = *self.ready.get_or_insert(now);
        (self.streak >= FLOW_READS && !self.bulk && is_close(ready, now)).then_some(GATHER)
    }

    /// A read brought `bytes` at `now`.
    pub fn read(&mut self, bytes: usize, now: Instant) {
        let close = self.ready.take().is_some_and(|ready| is_close(ready, now));
        self.streak = if close { self.streak.saturating_add(1) } else { 0 };
        self.bulk = bytes >= BULK_BYTES;
    }

    /// There was nothing to read at `now`. Whether the stream is still in flow, so that more is to come in a moment; otherwise
    /// it is quiet.
    pub fn dry(&mut self, now: Instant) -> bool {
        self.bulk = false;
        self.pause(now).is_some()
    }
}

fn is_close(ready: Instant, now: Instant) -> bool {
    now.saturating_duration_since(ready) < FLOW
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream whose bytes are there some time after we are ready for them; our work takes its own time.
    struct Stream {
        pace: Pace,
        now: Instant,
    }

    impl Stream {
        fn new() -> Self {
            Self { pace: Pace::default(), now: Instant::now() }
        }

        fn reads(&mut self, count: u32, bytes: usize, gap: Duration, work: Duration) {
            for _ in 0..count {
                self.pause();
                self.now += gap;
                self.pace.read(bytes, self.now);
                self.now += work;
            }
        }

        fn pause(&mut self) -> Option<Duration> {
            self.pace.pause(self.now)
        }
    }

    const SHORT: Duration = Duration::from_micros(5);

    #[test]
    fn live_stream_is_read_at_once() {
        let mut stream = Stream::new();
        for _ in 0..100 {
            stream.reads(1, 300, FLOW, SHORT);
            assert_eq!(stream.pause(), None);
            stream.reads(3, 100, SHORT, SHORT);
            assert_eq!(stream.pause(), None, "the messages of one small transaction");
            assert!(!stream.pace.dry(stream.now), "which may be committed now");
        }
    }

    #[test]
    fn backlog_in_small_messages_gathers() {
        let mut stream = Stream::new();
        stream.reads(20, 300, SHORT, SHORT);
        assert_eq!(stream.pause(), Some(GATHER));
        stream.reads(20, 20_000, GATHER, SHORT);
        assert_eq!(stream.pause(), Some(GATHER));
    }

    #[test]
    fn slow_work_of_ours_is_no_pause_of_the_server() {
        let mut stream = Stream::new();
        stream.reads(20, 30_000, SHORT, Duration::from_millis(3));
        assert_eq!(stream.pause(), Some(GATHER));
        stream.now += GATHER;
        assert!(stream.pace.dry(stream.now), "nothing yet, and it will come");
        assert_eq!(stream.pause(), Some(GATHER));
    }

    #[test]
    fn a_flow_that_ended_is_read_at_once() {
        let mut stream = Stream::new();
        stream.reads(20, 300, SHORT, SHORT);
        assert_eq!(stream.pause(), Some(GATHER));
        stream.now += FLOW;
        assert!(!stream.pace.dry(stream.now));
        assert_eq!(stream.pause(), None);
    }

    #[test]
    fn bulk_is_read_on_without_a_pause() {
        let mut stream = Stream::new();
        stream.reads(20, BULK_BYTES, SHORT, SHORT);
        assert_eq!(stream.pause(), None);
        assert!(stream.pace.dry(stream.now), "the kernel has no more just now");
        assert_eq!(stream.pause(), Some(GATHER));
    }
}
