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
    /// Nothing has become durable since the last one.
    under_way: bool,
}

impl Heartbeat {
    /// The first one is due an interval after `now`.
    pub(crate) fn new(topic: TopicId, interval: Duration, now: Instant) -> Self {
        Self { topic, interval, next: now + interval, under_way: false }
    }

    /// Where they go.
    pub(crate) fn topic(&self) -> TopicId {
        self.topic
    }

    /// Whether to write one.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        !self.under_way && now >= self.next
    }

    /// One was written.
    pub(crate) fn written(&mut self, now: Instant) {
        self.under_way = true;
        self.next = now + self.interval;
    }

    /// A batch became durable.
    pub(crate) fn durable(&mut self) {
        self.under_way = false;
    }

    /// How long until one is due; none: not before something is durable.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        (!self.under_way).then(|| self.next.saturating_duration_since(now))
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
        heartbeat.written(first);
        let later = first + 10 * interval;
        assert!(!heartbeat.is_due(later) && heartbeat.wait(later).is_none(), "the brokers are away");
        heartbeat.durable();
        assert!(heartbeat.is_due(later));
        heartbeat.written(later);
        heartbeat.durable();
        assert!(!heartbeat.is_due(later + interval / 2));
        assert_eq!(heartbeat.wait(later + interval / 2), Some(interval / 2));
    }
}
