//! An independent consumer: what a user of the topics sees. It has no group and reads from the beginning.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;

use super::{DEADLINE, wait_for, wait_until};

/// Whether records of open and aborted transactions are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadCommitted,
    ReadUncommitted,
}

/// A record as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumedRecord {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, String)>,
}

impl ConsumedRecord {
    /// The value as JSON; null for a tombstone.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        parse(self.value.as_deref())
    }

    /// The key as JSON; null when there is none.
    #[track_caller]
    pub(crate) fn key_json(&self) -> Value {
        parse(self.key.as_deref())
    }

    /// `op` of a change event; empty for other records.
    #[track_caller]
    pub(crate) fn op(&self) -> String {
        self.json()["op"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) const fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[track_caller]
fn parse(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| {
        serde_json::from_slice(bytes)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(bytes)))
    })
}

/// Reads all topics of a prefix, also those that are created later.
pub(crate) struct Consumer {
    client: BaseConsumer,
    /// Knows where the partitions really end.
    uncommitted: BaseConsumer,
    prefix: String,
    /// The next offset to read, by topic and partition.
    next: BTreeMap<(String, i32), i64>,
    records: Vec<ConsumedRecord>,
}

impl Consumer {
    pub(crate) fn new(config: &ClientConfig, prefix: &str, isolation: Isolation) -> Self {
        let client = |isolation| {
            let mut config = config.clone();
            config
                .set("group.id", "none")
                .set("enable.auto.commit", "false")
                .set("isolation.level", isolation);
            config.set("auto.offset.reset", "error").set("enable.partition.eof", "true");
            config.set("fetch.wait.max.ms", "10").create().unwrap()
        };
        let uncommitted = "read_uncommitted";
        Self {
            client: client(if isolation == Isolation::ReadCommitted {
                "read_committed"
            } else {
                uncommitted
            }),
            uncommitted: client(uncommitted),
            prefix: prefix.to_owned(),
            next: BTreeMap::new(),
            records: Vec::new(),
        }
    }

    /// Everything read so far, in the order it came.
    pub(crate) fn records(&self) -> &[ConsumedRecord] {
        &self.records
    }

    /// Reads on until `enough` of all records read so far; fails the test when it is not after a minute.
    #[track_caller]
    pub(crate) fn until(
        &mut self,
        what: &str,
        enough: impl FnMut(&[ConsumedRecord]) -> bool,
    ) -> &[ConsumedRecord] {
        self.until_within(DEADLINE, what, enough)
    }

    #[track_caller]
    pub(crate) fn until_within(
        &mut self,
        deadline: Duration,
        what: &str,
        mut enough: impl FnMut(&[ConsumedRecord]) -> bool,
    ) -> &[ConsumedRecord] {
        const LOOK_FOR_TOPICS: Duration = Duration::from_millis(200);
        let start = Instant::now();
        self.discover();
        self.assign(|_| true);
        let mut looked = Instant::now();
        while !enough(&self.records) {
            assert!(start.elapsed() < deadline, "no {what} within {deadline:?}, but {}", self.summary());
            let read = self.poll(Duration::from_millis(20));
            if matches!(read, Read::Nothing | Read::End(_)) && looked.elapsed() > LOOK_FOR_TOPICS {
                if self.discover() {
                    self.assign(|_| true);
                }
                looked = Instant::now();
            }
        }
        &self.records
    }

    /// [`Consumer::until`] there are `count` records in all.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> &[ConsumedRecord] {
        self.until(&format!("{count} records"), |records| records.len() >= count)
    }

    /// Reads what is there now, to the end of every partition. With `read_committed` it waits for the end of the
    /// transactions that are open now: a commit is answered before the broker has written its markers.
    #[track_caller]
    pub(crate) fn read_to_end(&mut self) -> &[ConsumedRecord] {
        self.discover();
        let mut topics: Vec<String> = self.next.keys().map(|(topic, _)| topic.clone()).collect();
        topics.dedup();
        // One topic at a time: the client says which partition ended, but not of which topic.
        for topic in topics {
            let mut open: Vec<i32> = self
                .next
                .keys()
                .filter(|(name, _)| *name == topic)
                .map(|(_, partition)| *partition)
                .collect();
            for partition in &open {
                self.wait_stable(&topic, *partition);
            }
            self.assign(|name| name == topic);
            let start = Instant::now();
            while !open.is_empty() {
                assert!(start.elapsed() < DEADLINE, "no end of {topic}, but {}", self.summary());
                if let Read::End(ended) = self.poll(Duration::from_millis(100)) {
                    open.retain(|partition| *partition != ended);
                }
            }
        }
        &self.records
    }

    /// Takes the records read so far out, so that the next call counts from zero.
    pub(crate) fn drain(&mut self) -> Vec<ConsumedRecord> {
        std::mem::take(&mut self.records)
    }

    /// Number of records by topic, for messages.
    pub(crate) fn summary(&self) -> String {
        let mut counts = BTreeMap::<&str, usize>::new();
        for record in &self.records {
            *counts.entry(&record.topic).or_default() += 1;
        }
        format!("{} records: {counts:?}", self.records.len())
    }

    /// Waits until all that is in a partition now belongs to ended transactions.
    #[track_caller]
    fn wait_stable(&self, topic: &str, partition: i32) {
        let end =
            |client: &BaseConsumer| client.fetch_watermarks(topic, partition, DEADLINE).map(|(_, end)| end);
        let last = wait_for(DEADLINE, "answer of the broker", || end(&self.uncommitted).ok());
        wait_until(DEADLINE, &format!("end of the open transaction in {topic}"), || {
            end(&self.client).is_ok_and(|stable| stable >= last)
        });
    }

    fn poll(&mut self, timeout: Duration) -> Read {
        match self.client.poll(timeout) {
            None => Read::Nothing,
            Some(Ok(message)) => {
                let record = consumed(&message);
                self.next.insert((record.topic.clone(), record.partition), record.offset + 1);
                self.records.push(record);
                Read::Record
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => Read::End(partition),
            Some(Err(error)) if is_passing(&error) => Read::Nothing,
            Some(Err(error)) => panic!("consumer: {error}"),
        }
    }

    /// Looks for new topics and partitions; true when there are some.
    fn discover(&mut self) -> bool {
        let before = self.next.len();
        // A broker that is down right now is not an answer.
        if let Ok(metadata) = self.client.fetch_metadata(None, Duration::from_secs(5)) {
            for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with(&self.prefix)) {
                for partition in topic.partitions() {
                    self.next.entry((topic.name().to_owned(), partition.id())).or_insert(0);
                }
            }
        }
        self.next.len() > before
    }

    fn assign(&self, wanted: impl Fn(&str) -> bool) {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in self.next.iter().filter(|((topic, _), _)| wanted(topic)) {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).unwrap();
        }
        self.client.assign(&list).unwrap();
    }
}

enum Read {
    Record,
    End(i32),
    Nothing,
}

/// Errors that librdkafka reports and gets over by itself.
fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::OperationTimedOut
                | Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
        )
    )
}

fn consumed(message: &BorrowedMessage<'_>) -> ConsumedRecord {
    let shown = |bytes: Option<&[u8]>| bytes.map_or("(null)".into(), String::from_utf8_lossy).into_owned();
    ConsumedRecord {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: message
            .headers()
            .map(|headers| {
                headers.iter().map(|header| (header.key.to_owned(), shown(header.value))).collect()
            })
            .unwrap_or_default(),
    }
}
