//! Topics before records: which exist, and creating those that do not, many in one request. Existing topics are never
//! changed. The clients live only for the length of a call, as a new table is rare and connections are not free.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tracing::info;

use super::client::Watch;
use super::cluster::{Cluster, connect_soon, missing};
use super::fault::{from_kafka, kind_of};
use super::settings;
use crate::config::Config;
use crate::error::{Error, Kind, Result};

/// How topics are made.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    settings: ClientConfig,
    create: bool,
    partitions: i32,
    replication_factor: i32,
    /// Settings of topics for events.
    events: Vec<(String, String)>,
}

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Events,
    Checkpoint,
}

impl Topics {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let mut events: Vec<_> =
            config.topics.settings.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        if !config.topics.settings.contains_key(MAX_MESSAGE_BYTES) {
            events.push((MAX_MESSAGE_BYTES.to_owned(), settings::message_max_bytes(config).to_string()));
        }
        let number =
            |value: Option<i64>| value.and_then(|value| i32::try_from(value).ok()).unwrap_or(BROKER_DEFAULT);
        Ok(Self {
            settings: settings::shared(config)?,
            create: config.topics.create,
            partitions: number(config.topics.partitions.map(i64::from)),
            replication_factor: number(config.topics.replication_factor.map(i64::from)),
            events,
        })
    }

    /// Makes sure that all `names` exist, creating what is absent if the configuration says so, and waits until every
    /// partition has a leader. The checkpoint topic is created in any case.
    pub(crate) fn ensure(&self, names: &[&str], purpose: Purpose) -> Result<()> {
        self.ensure_on(&Cluster::connect(&self.settings)?, names, purpose)
    }

    /// The same over a connection that is there.
    pub(crate) fn ensure_on(&self, cluster: &Cluster, names: &[&str], purpose: Purpose) -> Result<()> {
        names.iter().try_for_each(|name| check_name(name))?;
        let absent = cluster.absent(names)?;
        let Some(first) = absent.first() else { return Ok(()) };
        self.may_create(first, purpose)?;
        self.create(&absent, purpose, false)?;
        info!(topics = absent.len(), first, "created Kafka topics");
        let deadline = Instant::now() + CREATE_TIMEOUT;
        let mut pause = LEADER_PAUSE;
        loop {
            let waiting = cluster.absent(&absent)?;
            let Some(name) = waiting.first() else { return Ok(()) };
            if Instant::now() > deadline {
                let why = format!("created topic {name:?} has no leader after {CREATE_TIMEOUT:?}");
                return Err(Error::new(Kind::SinkUnreachable, why).context("create topics"));
            }
            thread::sleep(pause);
            // Many topics take brokers seconds, which asking does not shorten.
            pause = LONGEST_LEADER_PAUSE.min(pause * 2);
        }
    }

    /// Whether a topic exists or could be created, without creating it.
    pub(crate) fn validate(&self, name: &str, purpose: Purpose) -> Result<()> {
        check_name(name)?;
        if Cluster::connect(&self.settings)?.absent(&[name])?.is_empty() {
            return Ok(());
        }
        self.may_create(name, purpose)?;
        self.create(&[name], purpose, true)
    }

    /// A setting of each of these topics that exists.
    pub(crate) fn setting(&self, names: &[&str], key: &str) -> Result<Vec<(String, String)>> {
        let failed = |error: KafkaError| from_kafka(&error, Kind::Topic).context("read settings of topics");
        let admin: AdminClient<Watch> =
            self.settings.create_with_context(Watch::default()).map_err(failed)?;
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let options = AdminOptions::new().request_timeout(Some(CREATE_TIMEOUT));
        let described = block_on(admin.describe_configs(&resources, &options)).map_err(failed)?;
        let setting = |resource: &ConfigResource| match &resource.specifier {
            OwnedResourceSpecifier::Topic(name) => {
                Some((name.clone(), resource.get(key)?.value.clone().unwrap_or_default()))
            }
            _ => None,
        };
        // A topic that is absent or may not be described is the business of other checks.
        Ok(described.iter().flatten().filter_map(setting).collect())
    }

    fn may_create(&self, name: &str, purpose: Purpose) -> Result<()> {
        if self.create || purpose == Purpose::Checkpoint { Ok(()) } else { Err(missing(name)) }
    }

    fn create(&self, names: &[&str], purpose: Purpose, validate_only: bool) -> Result<()> {
        let failed = |error: KafkaError| from_kafka(&error, Kind::Topic).context("create topics");
        let mut settings = self.settings.clone();
        connect_soon(&mut settings);
        let admin: AdminClient<Watch> = settings.create_with_context(Watch::default()).map_err(failed)?;
        let topics: Vec<_> = names.iter().map(|name| self.new_topic(name, purpose)).collect();
        let options = AdminOptions::new()
            .request_timeout(Some(CREATE_TIMEOUT))
            .operation_timeout(Some(CREATE_TIMEOUT))
            .validate_only(validate_only);
        for result in block_on(admin.create_topics(&topics, &options)).map_err(failed)? {
            match result {
                Ok(_) | Err((_, Code::TopicAlreadyExists)) => {}
                Err((name, code)) => return Err(refused(&name, code)),
            }
        }
        Ok(())
    }

    fn new_topic<'a>(&'a self, name: &'a str, purpose: Purpose) -> NewTopic<'a> {
        let replication = TopicReplication::Fixed(self.replication_factor);
        match purpose {
            Purpose::Events => {
                let topic = NewTopic::new(name, self.partitions, replication);
                self.events.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
            }
            // One partition, so that its end is the newest checkpoint; small segments, as the active one is never
            // compacted and every start would read it.
            Purpose::Checkpoint => NewTopic::new(name, 1, replication)
                .set("cleanup.policy", "compact")
                .set("segment.bytes", "16777216")
                .set("min.cleanable.dirty.ratio", "0.1"),
        }
    }
}

/// Kafka's rule for names.
fn check_name(name: &str) -> Result<()> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let why = match name {
        "" | "." | ".." => "is no legal name",
        _ if name.len() > MAX_NAME_BYTES => "is longer than 249 characters",
        _ if !name.bytes().all(legal) => "has characters beside letters, digits, \".\", \"_\" and \"-\"",
        _ => return Ok(()),
    };
    Err(Error::new(Kind::Topic, format!("topic {name:?} {why}")).with_hint("change name or topics.pattern"))
}

fn refused(name: &str, code: Code) -> Error {
    let error = Error::new(kind_of(code, Kind::Topic), format!("topic {name:?} cannot be created: {code}"));
    match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => error
            .with_hint(format!("grant the user Create on topic {name:?}, or create the topic beforehand")),
        Code::InvalidReplicationFactor => {
            error.with_hint("set topics.replication_factor to at most the number of brokers")
        }
        Code::InvalidConfig => error.with_hint("check topics.settings"),
        _ => error.with_hint(format!("create topic {name:?} beforehand")),
    }
}

/// Drives one future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// The largest batch of records that a topic takes.
pub(super) const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// The broker chooses the number of partitions or replicas.
const BROKER_DEFAULT: i32 = -1;
const MAX_NAME_BYTES: usize = 249;
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);
const LEADER_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_LEADER_PAUSE: Duration = Duration::from_millis(320);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_before_a_broker_sees_them() {
        for name in ["shop.public.orders", "_", "a-b", &"x".repeat(249)] {
            check_name(name).unwrap();
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert_eq!(check_name(name).unwrap_err().kind(), Kind::Topic, "{name}");
        }
    }

    #[test]
    fn a_refusal_names_the_topic() {
        let error = refused("shop.t", Code::TopicAuthorizationFailed);
        assert_eq!(error.kind(), Kind::SinkPrivilege);
        assert!(error.hint().contains("shop.t"));
    }
}
