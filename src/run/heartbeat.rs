//! When a heartbeat is due: every `events.heartbeat_interval`, but never before the one that went before is durable, so that an
//! outage of the brokers does not fill the queue with them. Pure.

use std::time::{Duration, Instant};

use crate::event::TopicId;

/// The heartbeats of one session.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    topic: TopicId,
    interval: Duration,
    next: Instant,
    /// Batches that become durable until the last one is.
    under_way: usize,
}

impl Heartbeat {
    /// The first one is due an interval after `now`.
    pub(crate) fn new(topic: TopicId, interval: Duration, now: Instant) -> Self {
        Self { topic, interval, next: now + interval, under_way: 0 }
    }

    /// Where they go.
    pub(crate) fn topic(&self) -> TopicId {
        self.topic
    }

    /// Whether to write one.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.under_way == 0 && now >= self.next
    }

    /// One was written into the open batch; so many others, `sealed` before it, are not durable yet.
    pub(crate) fn written(&mut self, now: Instant, sealed: usize) {
        self.under_way = sealed + 1;
        self.next = now + self.interval;
    }

    /// A batch became durable.
    pub(crate) fn durable(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// How long until one is due; none: not before the last one is durable.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        (self.under_way == 0).then(|| self.next.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_no_more_than_one_an_interval() {
        let (start, interval) = (Instant::now(), Duration::from_secs(1));
        let mut heartbeat = Heartbeat::new(TopicId(3), interval, start);
        assert!(!heartbeat.is_due(start));
        assert_eq!(heartbeat.wait(start), Some(interval));
        let first = start + interval;
        assert!(heartbeat.is_due(first));
        assert_eq!(heartbeat.wait(first), Some(Duration::ZERO));
        heartbeat.written(first, 2);
        let later = first + 10 * interval;
        assert!(!heartbeat.is_due(later) && heartbeat.wait(later).is_none(), "the brokers are away");
        for before in 0..2 {
            heartbeat.durable();
            assert!(!heartbeat.is_due(later), "{before}: a batch that was sealed before it");
        }
        heartbeat.durable();
        assert!(heartbeat.is_due(later));
        heartbeat.written(later, 0);
        heartbeat.durable();
        assert!(!heartbeat.is_due(later + interval / 2));
        assert_eq!(heartbeat.wait(later + interval / 2), Some(interval / 2));
    }
}
