//! How many records may wait in the producer's queue, by how many topics they are for.
//!
//! A request to a broker carries one batch of one partition. Few topics fill their batches with few records, and a queue that is
//! no longer than that is faster, because what waits in it is still in the processor's cache when it is sent. Hundreds of topics
//! share a queue in portions, and each portion is a request: only a long queue makes them worth sending.

use crate::event::TopicId;

/// Counts topics over the last records.
#[derive(Debug)]
pub(super) struct Spread {
    /// The window in which a topic was last seen.
    seen: Vec<u32>,
    window: u32,
    records: u32,
    /// Different topics in this window so far, and in the one before.
    topics: u64,
    topics_before: u64,
    most: u64,
}

impl Spread {
    /// Never more than `most` records.
    pub(super) fn new(most: u64) -> Self {
        Self { seen: Vec::new(), window: 1, records: 0, topics: 0, topics_before: 0, most }
    }

    /// A record was handed over.
    pub(super) fn add(&mut self, topic: TopicId) {
        let index = topic.0 as usize;
        if self.seen.len() <= index {
            self.seen.resize(index + 1, 0);
        }
        if let Some(seen) = self.seen.get_mut(index)
            && *seen != self.window
        {
            *seen = self.window;
            self.topics += 1;
        }
        self.records += 1;
        if self.records == WINDOW {
            self.records = 0;
            self.window = self.window.wrapping_add(1).max(1);
            self.topics_before = std::mem::take(&mut self.topics);
        }
    }

    /// How many records may wait.
    pub(super) fn limit(&self) -> u64 {
        let topics = self.topics.max(self.topics_before);
        (topics * RECORDS_OF_TOPIC).clamp(self.most / FEW_TOPICS_SHARE, self.most)
    }
}

/// Records in which topics are counted: a fraction of a second of a busy stream.
const WINDOW: u32 = 4096;
/// Beyond it a request costs little beside its records.
const RECORDS_OF_TOPIC: u64 = 128;
/// Of the queue that is enough for few topics.
const FEW_TOPICS_SHARE: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(topics: u32, records: u32) -> Spread {
        let mut spread = Spread::new(12_000);
        (0..records).for_each(|number| spread.add(TopicId(number % topics)));
        spread
    }

    #[test]
    fn few_topics_wait_in_a_short_queue() {
        assert_eq!(Spread::new(12_000).limit(), 3000);
        assert_eq!(fed(4, 100_000).limit(), 3000);
        assert_eq!(fed(23, 100_000).limit(), 3000);
    }

    #[test]
    fn many_topics_get_all_of_it() {
        assert_eq!(fed(50, 100_000).limit(), 6400);
        assert_eq!(fed(500, 100_000).limit(), 12_000);
        assert_eq!(fed(500, 500).limit(), 12_000, "at once");
    }

    #[test]
    fn forgets_topics_that_are_silent() {
        let mut spread = fed(500, WINDOW * 3);
        (0..WINDOW * 2).for_each(|_| spread.add(TopicId(7)));
        assert_eq!(spread.limit(), 3000);
    }
}
