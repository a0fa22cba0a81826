//! When to tell the server how far we are. Independent of the data path: a status goes out on time whatever the sink
//! does, or the server would end the session and start the replay over. Pure: time comes in.

use std::time::{Duration, Instant};

use crate::lsn::Lsn;

/// What a standby status update says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Received and held by us.
    pub written: Lsn,
    /// Durable in the sink and covered by the checkpoint: the slot may move here.
    pub flushed: Lsn,
    /// Nothing was heard for a while: the server should answer at once.
    pub ask: bool,
}

/// The times that feedback keeps.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Longest time between two reports.
    pub interval: Duration,
    /// A server that is silent for so long is asked for a sign of life; after four times as long it counts as gone.
    pub silence: Duration,
}

/// The state of the feedback.
#[derive(Debug)]
pub struct Feedback {
    times: Times,
    received: Lsn,
    confirmed: Lsn,
    sent: Option<(Instant, Lsn)>,
    asked: bool,
    heard: Option<Instant>,
}

/// A confirmed position goes out no more often than this: each one makes the server look at its slots.
const CONFIRM_EVERY: Duration = Duration::from_millis(20);

/// In multiples of [`Times::silence`].
const GONE: u32 = 4;

impl Feedback {
    /// Nothing was sent yet; `confirmed` is where the stream starts.
    pub fn new(times: Times, confirmed: Lsn) -> Self {
        Self { times, received: confirmed, confirmed, sent: None, asked: false, heard: None }
    }

    /// Bytes came from the server, or nobody listened.
    pub fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// Whether the server has not said a word for so long that it must be gone, although it was asked.
    pub fn is_alone(&mut self, now: Instant) -> bool {
        self.silence(now) >= GONE * self.times.silence
    }

    fn silence(&mut self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.heard.get_or_insert(now))
    }

    /// The stream was received up to here.
    pub fn received(&mut self, lsn: Lsn) {
        self.received = self.received.max(lsn);
    }

    /// The server asked for a reply.
    pub fn asked(&mut self) {
        self.asked = true;
    }

    /// A checkpoint at `lsn` is durable.
    ///
    /// # Panics
    /// When more is confirmed than was ever received.
    pub fn confirm(&mut self, lsn: Lsn) {
        assert!(lsn <= self.received, "confirmed {lsn}, received only {}", self.received);
        self.confirmed = self.confirmed.max(lsn);
    }

    /// What the slot may move to.
    pub fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// The end of what was received.
    pub fn received_lsn(&self) -> Lsn {
        self.received
    }

    /// The report to send now, if one is due. The caller sends it.
    pub fn due(&mut self, now: Instant) -> Option<Report> {
        if self.wait(now) > Duration::ZERO {
            return None;
        }
        self.asked = false;
        self.sent = Some((now, self.confirmed));
        let ask = self.silence(now) >= self.times.silence;
        Some(Report { written: self.received, flushed: self.confirmed, ask })
    }

    /// The report to part with.
    pub fn last(&self) -> Report {
        Report { written: self.received, flushed: self.confirmed, ask: false }
    }

    /// How long until the next report is due if nothing happens.
    pub fn wait(&self, now: Instant) -> Duration {
        let Some((at, flushed)) = self.sent else { return Duration::ZERO };
        if self.asked {
            return Duration::ZERO;
        }
        let every = if flushed < self.confirmed { CONFIRM_EVERY } else { self.times.interval };
        every.saturating_sub(now.duration_since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const SILENCE: Duration = Duration::from_secs(30);

    fn feedback() -> Feedback {
        Feedback::new(Times { interval: INTERVAL, silence: SILENCE }, Lsn(5))
    }

    fn report(written: u64, flushed: u64) -> Report {
        Report { written: Lsn(written), flushed: Lsn(flushed), ask: false }
    }

    #[test]
    fn a_silent_server_is_asked_and_then_given_up() {
        let now = Instant::now();
        let mut feedback = feedback();
        assert!(!feedback.due(now).unwrap().ask);
        assert!(!feedback.due(now + INTERVAL * 2).unwrap().ask);
        assert!(feedback.due(now + SILENCE).unwrap().ask);
        assert!(!feedback.is_alone(now + SILENCE * 3));
        assert!(feedback.is_alone(now + SILENCE * 4));
        feedback.heard(now + SILENCE * 4);
        assert!(!feedback.is_alone(now + SILENCE * 5));
        assert!(!feedback.due(now + SILENCE * 4 + INTERVAL).unwrap().ask);
    }

    #[test]
    fn reports_at_once_then_at_intervals_and_when_asked() {
        let now = Instant::now();
        let mut feedback = feedback();
        assert_eq!(feedback.due(now), Some(report(5, 5)));
        assert_eq!(feedback.due(now), None);
        assert_eq!(feedback.wait(now), INTERVAL);
        feedback.asked();
        assert!(feedback.due(now).is_some());
        assert!(feedback.due(now + INTERVAL).is_some());
    }

    #[test]
    fn received_is_not_confirmed() {
        let now = Instant::now();
        let mut feedback = feedback();
        feedback.received(Lsn(100));
        assert_eq!(feedback.due(now), Some(report(100, 5)));
        feedback.confirm(Lsn(50));
        assert_eq!(feedback.due(now), None);
        assert_eq!(feedback.due(now + CONFIRM_EVERY), Some(report(100, 50)));
    }

    #[test]
    #[should_panic(expected = "received only 0/5")]
    fn never_confirms_what_was_not_received() {
        feedback().confirm(Lsn(6));
    }
}
