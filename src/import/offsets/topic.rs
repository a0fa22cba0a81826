//! The offsets topic of a Connect worker (`offset.storage.topic`, or a connector's own `offsets.storage.topic`): compacted,
//! so the last committed record of a key counts, and one without a value means that there is none any more. It is read as a
//! whole, once: it has a few records for each connector.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::{Stored, record};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::sink::{Cluster, Isolation, cluster_error, reader_settings};

/// Reads the topic from the brokers of `config`.
///
/// # Errors
/// [`Kind::Config`] when there is no such topic; what the brokers say.
pub fn read(config: &Config, topic: &str) -> Result<Vec<Stored>> {
    let latest = records(config, topic)
        .map_err(|error| error.context(format!("read offsets from topic {topic:?}")))?;
    let origin = format!("topic {topic}");
    let present = latest.iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    present.filter_map(|(key, value)| record(&origin, key, value).transpose()).collect()
}

fn records(config: &Config, topic: &str) -> Result<HashMap<Vec<u8>, Option<Vec<u8>>>> {
    let cluster = Cluster::connect(&reader_settings(config, Isolation::Committed)?)?;
    if !cluster.absent(&[topic])?.is_empty() {
        return Err(Error::new(Kind::Config, "there is no such topic")
            .with_hint("name the worker's offset.storage.topic; a standalone worker has a file instead"));
    }
    let metadata = cluster.metadata(Some(topic))?;
    let partitions = metadata.topics().iter().find(|entry| entry.name() == topic);
    let partitions = partitions.map(|entry| entry.partitions().len()).unwrap_or_default();
    let failed = |error: &KafkaError| cluster_error(error, Kind::SinkUnreachable);
    let mut assignment = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap_or(i32::MAX) {
        assignment
            .add_partition_offset(topic, partition, Offset::Beginning)
            .map_err(|error| failed(&error))?;
    }
    let consumer = cluster.consumer();
    consumer.assign(&assignment).map_err(|error| failed(&error))?;
    let (mut latest, mut ended) = (HashMap::new(), HashSet::new());
    let mut deadline = Instant::now() + PATIENCE;
    while ended.len() < partitions {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                deadline = Instant::now() + PATIENCE;
                let key = message.key().unwrap_or_default().to_vec();
                latest.insert(key, message.payload().map(<[u8]>::to_vec));
            }
            // It may be told more than once.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                ended.insert(partition);
            }
            // Repeated inside librdkafka, or of the consumer group that is not used here.
            Some(Err(error)) if failed(&error).kind() == Kind::SinkUnreachable || is_of_group(&error) => {}
            Some(Err(error)) => return Err(failed(&error)),
            None => {}
        }
        if Instant::now() >= deadline {
            return Err(Error::new(Kind::SinkUnreachable, format!("nothing arrived within {PATIENCE:?}")));
        }
    }
    Ok(latest)
}

fn is_of_group(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::GroupAuthorizationFailed | Code::CoordinatorNotAvailable))
}

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(500);
