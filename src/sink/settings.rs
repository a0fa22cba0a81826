//! The settings of our Kafka clients: defaults, then what the user wrote under `kafka.properties`, then what the promises
//! need and nobody may change. The only place where the values of those properties leave their wrapper.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::ExposeSecret as _;

use super::InFlight;
use crate::config::{Config, Delivery};
use crate::error::{Error, Kind, Result};

/// The producer. `queue_bytes` is all the memory that records waiting in librdkafka may take.
pub(super) fn producer(config: &Config, queue_bytes: u64) -> Result<ClientConfig> {
    let exactly_once = config.kafka.delivery == Delivery::ExactlyOnce;
    let largest = message_max_bytes(config);
    let mut settings = ClientConfig::new();
    settings
        .set_log_level(RDKafkaLogLevel::Info)
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        // With transactions a commit flushes at once. A pause is for the batches of a backlog: 20 ms let the queue run full before
        // they left (157,000 changes/s instead of 202,000 over four topics), 2 ms are no better than 5.
        .set("linger.ms", if exactly_once { "5" } else { "1" })
        .set("message.max.bytes", largest.to_string())
        // Counted are the values alone; a record with seven headers costs about 1 KiB beside its value.
        .set("queue.buffering.max.kbytes", queue_kbytes(largest, queue_bytes).to_string())
        .set("queue.buffering.max.messages", queue_records(queue_bytes).to_string());
    common(config, &mut settings)?;
    settings.set("enable.idempotence", "true").set("acks", "all");
    if exactly_once {
        settings
            .set("transactional.id", &config.kafka.transactional_id)
            .set("transaction.timeout.ms", transaction_timeout(config).as_millis().to_string())
            // What is not reported as failed is durable when the commit is.
            .set("delivery.report.only.error", "true");
    } else {
        settings.set("message.timeout.ms", "0");
    }
    Ok(settings)
}

/// The bound of what the producer holds and is not durable. With exactly once that is the open Kafka transaction too, which is
/// closed at `kafka.commit_max_bytes`.
pub(super) fn capacity(config: &Config, queue_bytes: u64) -> InFlight {
    let queue = queue_kbytes(message_max_bytes(config), queue_bytes) * 1024;
    let bytes = match config.kafka.delivery {
        Delivery::ExactlyOnce => queue.max(config.kafka.commit_max_bytes),
        Delivery::AtLeastOnce => queue,
    };
    InFlight { bytes, records: queue_records(queue_bytes) }
}

fn queue_kbytes(largest: u64, queue_bytes: u64) -> u64 {
    (queue_bytes / 2).max(largest + 1024 * 1024).div_ceil(1024)
}

fn queue_records(queue_bytes: u64) -> u64 {
    (queue_bytes / RECORD_OVERHEAD_BYTES).max(MIN_RECORDS)
}

/// A client that asks for metadata or creates topics.
pub(super) fn shared(config: &Config) -> Result<ClientConfig> {
    let mut all = ClientConfig::new();
    common(config, &mut all)?;
    let mut settings = ClientConfig::new();
    settings.set_log_level(RDKafkaLogLevel::Info);
    for (key, value) in settings_of(config) {
        if SHARED_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            settings.set(key, value);
        }
    }
    fixed(config, &mut settings);
    Ok(settings)
}

/// A client that reads the checkpoint topic. It commits no offset and joins no group.
pub(crate) fn reader(config: &Config, isolation: Isolation) -> Result<ClientConfig> {
    let mut settings = shared(config)?;
    settings
        .set("group.id", format!("headwater-{}", config.name))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "4096")
        .set(
            "isolation.level",
            match isolation {
                Isolation::Committed => "read_committed",
                Isolation::Uncommitted => "read_uncommitted",
            },
        );
    Ok(settings)
}

/// `isolation.level` of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    Committed,
    Uncommitted,
}

/// Largest record the producer takes, in bytes with its headers; `message.max.bytes`, or 8 MiB.
pub(super) fn message_max_bytes(config: &Config) -> u64 {
    number(config, "message.max.bytes").unwrap_or(MESSAGE_MAX_BYTES)
}

/// How long the coordinator keeps an open transaction; `transaction.timeout.ms`, or 60 s.
pub(crate) fn transaction_timeout(config: &Config) -> Duration {
    number(config, "transaction.timeout.ms").map_or(TRANSACTION_TIMEOUT, Duration::from_millis)
}

fn number(config: &Config, key: &str) -> Option<u64> {
    config.kafka.properties.get(key)?.expose_secret().trim().parse().ok()
}

fn settings_of(config: &Config) -> Vec<(&str, &str)> {
    config.kafka.properties.iter().map(|(key, value)| (key.as_str(), value.expose_secret())).collect()
}

fn common(config: &Config, settings: &mut ClientConfig) -> Result<()> {
    for (key, value) in settings_of(config) {
        if OWNED.contains(&key) {
            return Err(Error::new(
                Kind::Config,
                format!("kafka.properties.\"{key}\" is Headwater's to set"),
            )
            .with_hint(format!("remove kafka.properties.\"{key}\"")));
        }
        settings.set(key, value);
    }
    fixed(config, settings);
    Ok(())
}

fn fixed(config: &Config, settings: &mut ClientConfig) {
    settings.set("bootstrap.servers", config.kafka.brokers.join(","));
    for (key, value) in [
        ("client.id", format!("headwater/{}", config.name)),
        // The default of 10 s would be most of a short outage.
        ("reconnect.backoff.max.ms", "2000".to_owned()),
        ("socket.keepalive.enable", "true".to_owned()),
        // Its last push may hold up the end of a client whose brokers are gone.
        ("enable.metrics.push", "false".to_owned()),
    ] {
        if !config.kafka.properties.contains_key(key) {
            settings.set(key, value);
        }
    }
}

/// Settings that a promise rests on: a local timeout would be a gap, a second name for the same thing a contradiction.
pub(crate) const OWNED: [&str; 16] = [
    "acks",
    "bootstrap.servers",
    "delivery.report.only.error",
    "delivery.timeout.ms",
    "dr_cb",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "isolation.level",
    "log.queue",
    "message.timeout.ms",
    "metadata.broker.list",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "request.required.acks",
    "transactional.id",
];

/// Properties that every kind of client has; the others would only make it warn.
const SHARED_PREFIXES: [&str; 14] = [
    "api.version",
    "broker.",
    "client.",
    "connections.",
    "debug",
    "https.",
    "log.",
    "metadata.",
    "reconnect.",
    "retry.",
    "sasl.",
    "security.",
    "socket.",
    "ssl.",
];

const MESSAGE_MAX_BYTES: u64 = 8 * 1024 * 1024;
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// librdkafka's own structures for one record with key and seven headers, as measured, with a margin.
const RECORD_OVERHEAD_BYTES: u64 = 2048;
const MIN_RECORDS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn the_user_overrides_defaults_only() {
        let mut config = sample::config("b1:9092");
        config.kafka.properties.insert("linger.ms".into(), "50".into());
        config.kafka.properties.insert("sasl.username".into(), "u".into());
        let settings = producer(&config, 16 * 1024 * 1024).unwrap();
        assert_eq!(settings.get("linger.ms"), Some("50"));
        assert_eq!(settings.get("acks"), Some("all"));
        assert_eq!(settings.get("transactional.id"), Some("shop"));
        let reader = reader(&config, Isolation::Committed).unwrap();
        assert_eq!((reader.get("linger.ms"), reader.get("sasl.username")), (None, Some("u")));
        for key in OWNED {
            let mut config = sample::config("b1:9092");
            config.kafka.properties.insert(key.into(), "1".into());
            assert_eq!(producer(&config, 0).unwrap_err().kind(), Kind::Config, "{key}");
        }
    }

    #[test]
    fn a_local_timeout_is_never_a_gap() {
        let mut config = sample::config("b1:9092");
        config.kafka.delivery = Delivery::AtLeastOnce;
        let settings = producer(&config, 0).unwrap();
        assert_eq!(settings.get("message.timeout.ms"), Some("0"));
        assert_eq!(settings.get("transactional.id"), None);
    }

    #[test]
    fn the_largest_record_fits_the_queue() {
        let mut config = sample::config("b1:9092");
        config.kafka.properties.insert("message.max.bytes".into(), "33554432".into());
        let settings = producer(&config, 1024 * 1024).unwrap();
        let kbytes: u64 = settings.get("queue.buffering.max.kbytes").unwrap().parse().unwrap();
        assert!(kbytes * 1024 > 33_554_432);
    }
}
