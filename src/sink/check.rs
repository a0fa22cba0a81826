//! What `headwater check` finds out about Kafka without changing anything there: brokers, credentials, topics, and rights.
//!
//! The right to the transactional id cannot be asked for: the one request that tells is the one that fences a running
//! instance. So another id with the same prefix is tried; where that is refused the check says that it could not tell,
//! for the user may have been granted the exact id only. The trial leaves an unused producer id behind, which brokers
//! forget after a week.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use secrecy::ExposeSecret as _;

use super::client::Watch;
use super::cluster::Cluster;
use super::producer::Producer;
use super::settings;
use super::topics::{MAX_MESSAGE_BYTES, Purpose, Topics};
use crate::config::{Config, Delivery, Operation};
use crate::error::{Error, Kind, Result};
use crate::obstacle::Obstacle;

/// Looks at everything the Kafka sink needs; `topics` are those that every start asks for, as far as they are known. Blocks
/// for up to a minute when brokers do not answer.
pub fn preflight(config: &Config, topics: &[&str]) -> Vec<Obstacle> {
    let mut obstacles = plaintext(config).into_iter().collect::<Vec<_>>();
    let registry = match reach(config) {
        Ok(registry) => registry,
        Err(error) => {
            let what = format!("Kafka brokers {}", config.kafka.brokers.join(","));
            obstacles.push(fatal(what, &error));
            return obstacles;
        }
    };
    let checkpoint = (config.checkpoint.topic.as_str(), Purpose::Checkpoint);
    let events = topics.iter().map(|name| (*name, Purpose::Events));
    for (name, purpose) in std::iter::once(checkpoint).chain(events) {
        if let Err(error) = registry.validate(name, purpose) {
            obstacles.push(fatal(format!("topic {name}"), &error));
            if error.kind() == Kind::SinkUnreachable {
                return obstacles;
            }
        }
    }
    obstacles.extend(no_messages(config, &registry));
    obstacles.extend(not_compacted(config, &registry));
    obstacles.extend(too_small(config, &registry, topics));
    if config.kafka.delivery == Delivery::ExactlyOnce {
        obstacles.extend(transactional_id(config));
    }
    obstacles
}

/// Settings that librdkafka takes, and a broker that answers.
fn reach(config: &Config) -> Result<Topics> {
    drop(Producer::new(&settings::producer(config, PROBE_QUEUE_BYTES)?, Watch::default())?);
    Cluster::connect(&settings::shared(config)?)?.metadata(Some(&config.checkpoint.topic))?;
    Topics::new(config)
}

/// The topic of logical messages, which is asked for when the first one comes.
fn no_messages(config: &Config, registry: &Topics) -> Option<Obstacle> {
    if config.events.skipped_operations.contains(&Operation::Message) {
        return None;
    }
    let topic = config.topics.message.as_str();
    let error = registry.validate(topic, Purpose::Events).err()?;
    Some(Obstacle {
        what: format!("topic {topic}"),
        why: format!("{error}; the first message of pg_logical_emit_message would end the pipeline"),
        repair: format!("{}; or leave them out: events.skipped_operations = [\"m\"]", error.hint()),
        fatal: false,
    })
}

/// A checkpoint topic that forgets by age: after a quiet week there would be no checkpoint.
fn not_compacted(config: &Config, registry: &Topics) -> Option<Obstacle> {
    let topic = config.checkpoint.topic.as_str();
    let (_, policy) = registry.setting(&[topic], "cleanup.policy").ok()?.pop()?;
    (policy != "compact").then(|| Obstacle {
        what: format!("topic {topic}"),
        why: format!("its cleanup.policy is {policy:?}: a checkpoint that grows old is deleted"),
        repair: format!("kafka-configs.sh --alter --topic {topic} --add-config cleanup.policy=compact"),
        fatal: false,
    })
}

/// Topics that refuse the largest records that the producer takes.
fn too_small(config: &Config, registry: &Topics, topics: &[&str]) -> Vec<Obstacle> {
    let largest = settings::message_max_bytes(config);
    let limits = if topics.is_empty() { Ok(Vec::new()) } else { registry.setting(topics, MAX_MESSAGE_BYTES) };
    let small = |(topic, limit): (String, String)| {
        limit.parse::<u64>().is_ok_and(|limit| limit < largest).then(|| Obstacle {
            what: format!("topic {topic}"),
            why: format!("its max.message.bytes is {limit}: a row beyond that would stop the pipeline"),
            repair: format!(
                "kafka-configs.sh --alter --topic {topic} --add-config max.message.bytes={largest}"
            ),
            fatal: false,
        })
    };
    limits.unwrap_or_default().into_iter().filter_map(small).collect()
}

fn transactional_id(config: &Config) -> Option<Obstacle> {
    let mut settings = match settings::producer(config, PROBE_QUEUE_BYTES) {
        Ok(settings) => settings,
        Err(error) => return Some(fatal("kafka.properties".into(), &error)),
    };
    let id = &config.kafka.transactional_id;
    settings.set("transactional.id", format!("{id}-check"));
    let producer = match Producer::new(&settings, Watch::default()) {
        Ok(producer) => producer,
        Err(error) => return Some(fatal("kafka.properties".into(), &error)),
    };
    let deadline = Instant::now() + PROBE_TIMEOUT;
    let failure = loop {
        match producer.init_transactions(PROBE_TIMEOUT) {
            Ok(()) => return None,
            Err(failure) if failure.retriable && Instant::now() < deadline => {}
            Err(failure) => break failure,
        }
    };
    let code = producer.fatal_error().map_or(failure.code, |(code, _)| code);
    let what = format!("transactional id {id}");
    Some(match code {
        Code::TransactionalIdAuthorizationFailed => Obstacle {
            what,
            why: format!("the user may not use ids that begin with {id:?}; whether it may use this very one cannot be seen"),
            repair: format!("grant the user Write and Describe on transactional id {id:?}"),
            fatal: false,
        },
        Code::InvalidTransactionTimeout => Obstacle {
            what: "kafka.properties.\"transaction.timeout.ms\"".into(),
            why: "it is longer than the brokers' transaction.max.timeout.ms".into(),
            repair: "lower it".into(),
            fatal: true,
        },
        _ => Obstacle {
            what,
            why: format!("no transaction can be prepared: {}", failure.text),
            repair: "check that the cluster's transaction state topic is available (transaction.state.log.replication.factor, min.isr)".into(),
            fatal: true,
        },
    })
}

/// Rows and passwords in the clear across a network.
fn plaintext(config: &Config) -> Option<Obstacle> {
    let protocol = config.kafka.properties.get("security.protocol");
    let protocol =
        protocol.map_or_else(|| "plaintext".to_owned(), |value| value.expose_secret().to_lowercase());
    let remote = config.kafka.brokers.iter().find(|broker| !is_local(broker))?;
    protocol.ends_with("plaintext").then(|| Obstacle {
        what: format!("Kafka broker {remote}"),
        why: "rows travel to it unencrypted".into(),
        repair: "set kafka.properties.\"security.protocol\" to ssl or sasl_ssl".into(),
        fatal: false,
    })
}

fn is_local(broker: &str) -> bool {
    let host = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn fatal(what: String, error: &Error) -> Obstacle {
    Obstacle { what, why: error.to_string(), repair: error.hint().to_owned(), fatal: true }
}

const PROBE_TIMEOUT: Duration = Duration::from_secs(15);
const PROBE_QUEUE_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn local_brokers_need_no_encryption() {
        for broker in ["localhost:9092", "127.0.0.1:9092", "[::1]:9092", "PLAINTEXT://127.0.0.1:9092"] {
            assert!(is_local(broker), "{broker}");
        }
        for broker in ["kafka:9092", "10.0.0.1:9092", "localhost.example.com:9092"] {
            assert!(!is_local(broker), "{broker}");
        }
        let mut config = sample::config("kafka:9092");
        assert!(plaintext(&config).is_some_and(|obstacle| !obstacle.fatal));
        config.kafka.properties.insert("security.protocol".into(), "SASL_SSL".into());
        assert_eq!(plaintext(&config), None);
    }

    #[test]
    fn a_wrong_property_is_named() {
        let mut config = sample::config("127.0.0.1:1");
        config.kafka.properties.insert("linger.mss".into(), "5".into());
        let obstacles = preflight(&config, &[]);
        assert_eq!(obstacles.len(), 1);
        assert!(obstacles[0].fatal && obstacles[0].why.contains("linger.mss"), "{obstacles:?}");
    }
}
