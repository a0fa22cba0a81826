//! Questions to the cluster that change nothing: does a broker answer, which topics exist. A consumer asks them, as the
//! questions of a producer make brokers create the topics asked for.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;

use super::client::Watch;
use super::fault::from_kafka;
use super::interest::Interest;
use crate::error::{Error, Kind, Result};

/// A connection for questions.
pub(crate) struct Cluster {
    consumer: BaseConsumer<Watch>,
    watch: Watch,
    interest: Interest,
}

impl ConsumerContext for Watch {}

impl Cluster {
    /// Creates the client; the first question connects it.
    pub(crate) fn connect(settings: &ClientConfig) -> Result<Self> {
        let watch = Watch::default();
        let mut settings = settings.clone();
        connect_soon(&mut settings);
        let consumer = settings
            .create_with_context(watch.clone())
            .map_err(|error| from_kafka(&error, Kind::Config).context("create Kafka client"))?;
        Ok(Self { consumer, watch, interest: Interest::default() })
    }

    /// The same, and questions end when nobody waits for them any more.
    pub(crate) fn while_wanted(self, interest: &Interest) -> Self {
        Self { interest: interest.clone(), ..self }
    }

    pub(crate) fn consumer(&self) -> &BaseConsumer<Watch> {
        &self.consumer
    }

    /// The names that no usable topic has, in their order.
    pub(crate) fn absent<'a>(&self, names: &[&'a str]) -> Result<Vec<&'a str>> {
        let usable = |topic: &MetadataTopic| {
            topic.error().is_none()
                && !topic.partitions().is_empty()
                && topic.partitions().iter().all(|partition| partition.leader() >= 0)
        };
        if names.len() <= ASK_EACH {
            let mut absent = Vec::new();
            for name in names {
                let metadata = self.metadata(Some(name))?;
                let topic = metadata.topics().iter().find(|topic| topic.name() == *name);
                if let Some(error) = topic.and_then(MetadataTopic::error) {
                    check_access(name, error)?;
                }
                if !topic.is_some_and(usable) {
                    absent.push(*name);
                }
            }
            return Ok(absent);
        }
        let metadata = self.metadata(None)?;
        let present: HashSet<_> =
            metadata.topics().iter().filter(|topic| usable(topic)).map(MetadataTopic::name).collect();
        Ok(names.iter().copied().filter(|name| !present.contains(name)).collect())
    }

    /// Asks in slices, so that a refused password is not waited out.
    pub(crate) fn metadata(&self, topic: Option<&str>) -> Result<Metadata> {
        let begun = Instant::now();
        loop {
            match self.consumer.fetch_metadata(topic, SLICE) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => self.may_ask_again(&error, begun)?,
            }
        }
    }

    /// Low and high watermark of a partition, the latter as this client's isolation sees it.
    pub(crate) fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64)> {
        let begun = Instant::now();
        loop {
            match self.consumer.fetch_watermarks(topic, partition, SLICE) {
                Ok(watermarks) => return Ok(watermarks),
                Err(error) => self.may_ask_again(&error, begun)?,
            }
        }
    }

    /// Fails when the cause is known or the time is up.
    fn may_ask_again(&self, error: &KafkaError, begun: Instant) -> Result<()> {
        for _ in 0..EVENTS {
            let _ = self.consumer.poll(Duration::ZERO);
        }
        let asked = from_kafka(error, Kind::SinkUnreachable);
        if asked.kind() != Kind::SinkUnreachable {
            return Err(asked.context("ask Kafka brokers"));
        }
        let known = self.watch.unreachable(TIMEOUT);
        let limit = if self.watch.last_error().is_some() { CONNECT_TIMEOUT } else { TIMEOUT };
        if known.kind() == Kind::SinkAuth || begun.elapsed() >= limit || self.interest.is_lost() {
            return Err(known.context("ask Kafka brokers"));
        }
        Ok(())
    }
}

/// librdkafka pauses for half of `reconnect.backoff.ms` between its first connections, to the bootstrap address and then to
/// the broker behind it: 50 ms of every start. Repeated failures back off all the same.
pub(super) fn connect_soon(settings: &mut ClientConfig) {
    if settings.get(RECONNECT_BACKOFF).is_none() {
        settings.set(RECONNECT_BACKOFF, "20");
    }
}

/// A topic that is not there and may not be made.
pub(crate) fn missing(name: &str) -> Error {
    Error::new(Kind::Topic, format!("topic {name:?} does not exist and topics.create is false"))
        .with_hint(format!("create topic {name:?}, or set topics.create = true"))
}

fn check_access(name: &str, error: RDKafkaRespErr) -> Result<()> {
    match error {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED => {
            Err(Error::new(Kind::SinkPrivilege, format!("topic {name:?} may not be described"))
                .with_hint(format!("grant the user Describe, Write and Create on topic {name:?}")))
        }
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION => {
            Err(Error::new(Kind::Topic, format!("the brokers do not take {name:?} for a topic name")))
        }
        _ => Ok(()),
    }
}

const RECONNECT_BACKOFF: &str = "reconnect.backoff.ms";
/// Up to so many topics are asked for by name, more by listing the cluster's.
const ASK_EACH: usize = 8;
const SLICE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);
/// The same while connections fail.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Queued errors and log lines that one failed question may leave.
const EVENTS: usize = 64;
