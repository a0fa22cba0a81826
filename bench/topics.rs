//! What is in the topics, counted by a reader that keeps nothing and shares no code with the daemon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use crate::support::{Kafka, wait_until};

/// Committed records by topic, for all topics whose names begin with `prefix`.
pub(crate) fn count(kafka: &Kafka, prefix: &str) -> Result<BTreeMap<String, u64>> {
    let (committed, all) = (reader(kafka, "read_committed")?, reader(kafka, "read_uncommitted")?);
    let mut counts = BTreeMap::new();
    // One topic at a time: the client says which partition ended, but not of which topic.
    for (topic, partitions) in kafka.topics(prefix) {
        let mut list = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions)? {
            let end = |reader: &BaseConsumer| reader.fetch_watermarks(&topic, partition, DEADLINE);
            let (_, written) = end(&all)?;
            // A commit is answered before its markers are written.
            wait_until(DEADLINE, "end of the last Kafka transaction", || {
                end(&committed).is_ok_and(|(_, stable)| stable >= written)
            });
            list.add_partition_offset(&topic, partition, Offset::Beginning)?;
        }
        committed.assign(&list)?;
        let count = read_to_end(&committed, partitions)?;
        counts.insert(topic, count);
    }
    Ok(counts)
}

/// Makes room for the next contender.
pub(crate) fn delete<'a>(kafka: &Kafka, topics: impl Iterator<Item = &'a String>) {
    topics.for_each(|topic| kafka.delete_topic(topic));
}

fn read_to_end(reader: &BaseConsumer, mut open: usize) -> Result<u64> {
    let (mut count, mut last) = (0, Instant::now());
    while open > 0 {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(_)) => {
                count += 1;
                last = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
            None => ensure!(last.elapsed() < DEADLINE, "no end of a topic after {count} records"),
        }
    }
    Ok(count)
}

/// A reader of whole topics, without a group.
fn reader(kafka: &Kafka, isolation: &str) -> Result<BaseConsumer> {
    let mut config = kafka.client_config();
    config
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .set("fetch.wait.max.ms", "10")
        .set("queued.max.messages.kbytes", "32768");
    Ok(config.create()?)
}

const DEADLINE: Duration = Duration::from_secs(60);
