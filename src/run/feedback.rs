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
}

/// The state of the feedback.
#[derive(Debug)]
pub struct Feedback {
    interval: Duration,
    received: Lsn,
    confirmed: Lsn,
    sent: Option<(Instant, Lsn)>,
    asked: bool,
}

/// A confirmed position goes out no more often than this: each one makes the server look at its slots.
const CONFIRM_EVERY: Duration = Duration::from_millis(20);

impl Feedback {
    /// Nothing was sent yet; `confirmed` is where the stream starts.
    pub fn new(interval: Duration, confirmed: Lsn) -> Self {
        Self { interval, received: confirmed, confirmed, sent: None, asked: false }
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
        Some(Report { written: self.received, flushed: self.confirmed })
    }

    /// How long until the next report is due if nothing happens.
    pub fn wait(&self, now: Instant) -> Duration {
        let Some((at, flushed)) = self.sent else { return Duration::ZERO };
        if self.asked {
            return Duration::ZERO;
        }
        let every = if flushed < self.confirmed { CONFIRM_EVERY } else { self.interval };
        every.saturating_sub(now.duration_since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn reports_at_once_then_at_intervals_and_when_asked() {
        let now = Instant::now();
        let mut feedback = Feedback::new(INTERVAL, Lsn(5));
        assert_eq!(feedback.due(now), Some(Report { written: Lsn(5), flushed: Lsn(5) }));
        assert_eq!(feedback.due(now), None);
        assert_eq!(feedback.wait(now), INTERVAL);
        feedback.asked();
        assert!(feedback.due(now).is_some());
        assert!(feedback.due(now + INTERVAL).is_some());
    }

    #[test]
    fn received_is_not_confirmed() {
        let now = Instant::now();
        let mut feedback = Feedback::new(INTERVAL, Lsn(5));
        feedback.received(Lsn(100));
        assert_eq!(feedback.due(now), Some(Report { written: Lsn(100), flushed: Lsn(5) }));
        feedback.confirm(Lsn(50));
        assert_eq!(feedback.due(now), None);
        assert_eq!(feedback.due(now + CONFIRM_EVERY), Some(Report { written: Lsn(100), flushed: Lsn(50) }));
    }

    #[test]
    #[should_panic(expected = "received only 0/5")]
    fn never_confirms_what_was_not_received() {
        Feedback::new(INTERVAL, Lsn(5)).confirm(Lsn(6));
    }
}
