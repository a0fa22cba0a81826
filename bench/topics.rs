//! What is in the topics, counted by a reader that keeps nothing and shares no code with the daemon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use crate::equality::Counted;
use crate::support::{Kafka, wait_until};

/// Committed records by topic, for all topics whose names begin with `prefix`. Nobody may write to them any more.
fn count(kafka: &Kafka, prefix: &str) -> Result<BTreeMap<String, u64>> {
    let (committed, all) = (reader(kafka, "read_committed")?, reader(kafka, "read_uncommitted")?);
    let mut counts = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for (topic, partitions) in kafka.topics(prefix) {
        for partition in 0..i32::try_from(partitions)? {
            let end = |reader: &BaseConsumer| reader.fetch_watermarks(&topic, partition, DEADLINE);
            let (_, written) = end(&all)?;
            // A commit is answered before its markers are written.
            wait_until(DEADLINE, "end of the last Kafka transaction", || {
                end(&committed).is_ok_and(|(_, stable)| stable >= written)
            });
            list.add_partition_offset(&topic, partition, Offset::Beginning)?;
        }
        counts.insert(topic, 0);
    }
    committed.assign(&list)?;
    read_to_end(&committed, list.count(), &mut counts)?;
    Ok(counts)
}

/// Counts what a contender has written under `prefix`, and makes room for the next one.
pub(crate) fn count_and_delete(kafka: &Kafka, prefix: &str, counted: &mut Counted) -> Result<()> {
    let found = count(kafka, &format!("{prefix}."))?;
    if found.is_empty() {
        return Ok(());
    }
    let transactions = found.get(&format!("{prefix}.transaction")).copied().unwrap_or(0);
    counted.transaction_records = Some(transactions);
    counted.change_records = Some(found.values().sum::<u64>() - transactions);
    kafka.delete_topics(&found.keys().map(String::as_str).collect::<Vec<_>>());
    Ok(())
}

/// Every partition says once that it ended.
fn read_to_end(reader: &BaseConsumer, mut open: usize, counts: &mut BTreeMap<String, u64>) -> Result<()> {
    let mut last = Instant::now();
    while open > 0 {
        match reader.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                if let Some(count) = counts.get_mut(message.topic()) {
                    *count += 1;
                }
                last = Instant::now();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
            None => ensure!(last.elapsed() < DEADLINE, "{open} partitions do not end"),
        }
    }
    Ok(())
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
