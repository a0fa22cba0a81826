//! The checkpoint in Kafka: the last record with the pipeline's key in the checkpoint topic. The topic is read from its
//! end, in steps that grow, since a busy neighbour may have written far more than us. What counts is what is committed
//! before our high watermark: transactions of other pipelines that are open on the topic are waited for, as the broker
//! shows a reader nothing behind the first of them.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::Position;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::sink::{Cluster, Interest, Isolation, cluster_error, reader_settings};

/// Connects and reads: [`Reader::read`].
pub fn read(config: &Config) -> Result<Option<Position>> {
    Reader::connect(config, &Interest::default())
        .map_err(|error| error.context(format!("read checkpoint from topic {:?}", config.checkpoint.topic)))?
        .read(config)
}

/// Connections to read the checkpoint with. There are two, as a client sees either what is committed or all there is.
pub(crate) struct Reader {
    /// What was written, committed or not.
    all: Cluster,
    committed: Cluster,
}

impl Reader {
    /// Connects both. To that end it asks what [`Reader::read`] will ask again; a refusal counts then, not now.
    pub(crate) fn connect(config: &Config, interest: &Interest) -> Result<Self> {
        let open = |isolation| -> Result<Cluster> {
            let mut settings = reader_settings(config, isolation)?;
            // The end of the partition is told by an answer without records, which brokers hold back for so long.
            settings.set("fetch.wait.max.ms", "5");
            let cluster = Cluster::connect(&settings)?.while_wanted(interest);
            let topic = config.checkpoint.topic.as_str();
            let asked = cluster.absent(&[topic]).and_then(|absent| match absent.first() {
                // Opens the connection to the partition's leader too.
                None => cluster.watermarks(topic, PARTITION).map(|_| ()),
                Some(_) => Ok(()),
            });
            match asked {
                Err(error) if matches!(error.kind(), Kind::SinkUnreachable | Kind::SinkAuth) => Err(error),
                _ => Ok(cluster),
            }
        };
        std::thread::scope(|scope| {
            let all = scope.spawn(|| open(Isolation::Uncommitted));
            let committed = open(Isolation::Committed)?;
            let gone = |_| Err(Error::new(Kind::Internal, "a thread panicked while it connected to Kafka"));
            Ok(Self { all: all.join().unwrap_or_else(gone)?, committed })
        })
    }

    /// For questions about topics.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.all
    }

    /// The position of this pipeline; none when the topic is absent or has none. Call it when the sink has taken over the
    /// transactional id: earlier, another instance may still be writing.
    pub(crate) fn read(&self, config: &Config) -> Result<Option<Position>> {
        read_all(self, config).map_err(|error| {
            error.context(format!("read checkpoint from topic {:?}", config.checkpoint.topic))
        })
    }

    /// Closes the connections in the background: a consumer that leaves takes a tenth of a second.
    pub(crate) fn leave(self) {
        std::thread::spawn(move || drop(self));
    }
}

fn read_all(Reader { all, committed }: &Reader, config: &Config) -> Result<Option<Position>> {
    let topic = config.checkpoint.topic.as_str();
    if !all.absent(&[topic])?.is_empty() {
        return Ok(None);
    }
    let (low, high) = all.watermarks(topic, PARTITION)?;
    wait_for(committed, topic, high)?;
    let tail = Tail { cluster: committed, topic, key: config.name.as_bytes() };
    let mut end = high;
    let mut step = FIRST_STEP;
    while end > low {
        let start = low.max(end - step);
        if let Some(found) = tail.last_between(start, end)? {
            let Some(json) = found.json else { return Ok(None) };
            let position = Position::from_json(&json).map_err(|error| {
                error
                    .context(format!("topic {topic:?}, partition {PARTITION}, offset {}", found.offset))
                    .with_hint("set checkpoint.topic to a topic that only Headwater writes to")
            })?;
            return Ok(Some(position));
        }
        end = start;
        step = step.saturating_mul(STEP_FACTOR);
    }
    Ok(None)
}

/// Waits until all transactions that began before `high` have ended.
fn wait_for(committed: &Cluster, topic: &str, high: i64) -> Result<()> {
    let deadline = Instant::now() + STABLE_TIMEOUT;
    loop {
        let (_, stable) = committed.watermarks(topic, PARTITION)?;
        if stable >= high {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let why = format!(
                "a transaction that is open at offset {stable} hides what follows, up to {high}, for more than {STABLE_TIMEOUT:?}"
            );
            return Err(Error::new(Kind::Checkpoint, why).with_hint(
                "find it with `kafka-transactions.sh find-hanging`, or use a checkpoint.topic of its own",
            ));
        }
        std::thread::sleep(STABLE_PAUSE);
    }
}

struct Tail<'a> {
    cluster: &'a Cluster,
    topic: &'a str,
    key: &'a [u8],
}

struct Found {
    /// None is a tombstone: somebody forgot the checkpoint on purpose.
    json: Option<Vec<u8>>,
    offset: i64,
}

impl Tail<'_> {
    /// The last record of our key from `start` on and before `end`.
    fn last_between(&self, start: i64, end: i64) -> Result<Option<Found>> {
        let consumer = self.cluster.consumer();
        let failed = |error: &KafkaError| cluster_error(error, Kind::Checkpoint);
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(self.topic, PARTITION, Offset::Offset(start))
            .map_err(|error| failed(&error))?;
        rdkafka::consumer::Consumer::assign(consumer, &assignment).map_err(|error| failed(&error))?;
        let mut last = None;
        let mut deadline = Instant::now() + READ_TIMEOUT;
        loop {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    deadline = Instant::now() + READ_TIMEOUT;
                    if message.offset() >= end {
                        return Ok(last);
                    }
                    if message.key() == Some(self.key) {
                        let json = message.payload().map(<[u8]>::to_vec);
                        last = Some(Found { json, offset: message.offset() });
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(last),
                // Repeated inside librdkafka, or of the consumer group that is not used here.
                Some(Err(error)) if failed(&error).kind() == Kind::SinkUnreachable || is_of_group(&error) => {
                }
                Some(Err(error)) => return Err(failed(&error)),
                None => {}
            }
            if Instant::now() >= deadline {
                let why = format!("nothing arrived from offset {start} within {READ_TIMEOUT:?}");
                return Err(Error::new(Kind::SinkUnreachable, why));
            }
        }
    }
}

fn is_of_group(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(error.rdkafka_error_code(), Some(Code::GroupAuthorizationFailed | Code::CoordinatorNotAvailable))
}

/// The topic has one partition.
const PARTITION: i32 = 0;
const FIRST_STEP: i64 = 256;
const STEP_FACTOR: i64 = 8;
/// Longer than the 60 s after which brokers end the transaction of a client that is gone.
const STABLE_TIMEOUT: Duration = Duration::from_secs(90);
const STABLE_PAUSE: Duration = Duration::from_millis(50);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(500);
