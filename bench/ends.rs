//! How many records topics hold, asked of the broker without reading them: the sum of the ends of their partitions. True for
//! a producer without transactions, whose markers would count.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::Kafka;

/// The topics whose names begin with a prefix, those to come included.
pub(crate) struct Ends {
    reader: BaseConsumer,
    prefix: String,
    partitions: TopicPartitionList,
    listed: Option<Instant>,
}

impl Ends {
    pub(crate) fn new(kafka: &Kafka, prefix: &str) -> Result<Self> {
        let reader = kafka.client_config().set("group.id", "none").create()?;
        let (prefix, partitions) = (format!("{prefix}."), TopicPartitionList::new());
        Ok(Self { reader, prefix, partitions, listed: None })
    }

    /// Records so far, as far as the broker tells: while topics are being made it may know nothing of them for a moment.
    /// Topics that are new are noticed within [`BETWEEN_LISTS`].
    pub(crate) fn records(&mut self) -> Result<u64> {
        if self.listed.is_none_or(|listed| listed.elapsed() > BETWEEN_LISTS) {
            self.list()?;
        }
        if self.partitions.count() == 0 {
            return Ok(0);
        }
        let Ok(ends) = self.reader.offsets_for_times(self.partitions.clone(), DEADLINE) else {
            self.listed = None;
            return Ok(0);
        };
        let ends = ends.elements();
        Ok(ends
            .iter()
            .map(|end| end.offset().to_raw().and_then(|end| u64::try_from(end).ok()).unwrap_or(0))
            .sum())
    }

    fn list(&mut self) -> Result<()> {
        let metadata = self.reader.fetch_metadata(None, DEADLINE).context("list topics")?;
        self.partitions = TopicPartitionList::new();
        for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with(&self.prefix)) {
            for partition in topic.partitions() {
                // As a time, the end means the end.
                self.partitions.add_partition_offset(topic.name(), partition.id(), Offset::End)?;
            }
        }
        self.listed = Some(Instant::now());
        Ok(())
    }
}

const BETWEEN_LISTS: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(30);
