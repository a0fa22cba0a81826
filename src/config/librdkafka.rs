//! Names of librdkafka's properties, as far as the configuration must know them: those that Headwater owns, other names of
//! the same property, those that people usually set, and those that are secrets. librdkafka itself knows the rest.

use super::report::closest;

/// Properties that are never taken: their names, or the beginning of their names with a star, and what to do instead.
pub(super) const OWNED: [(&str, &str); 24] = [
    ("bootstrap.servers", "use kafka.brokers"),
    ("metadata.broker.list", "use kafka.brokers"),
    ("transactional.id", "use kafka.transactional_id"),
    ("enable.idempotence", "remove it: it is always on; kafka.delivery chooses the delivery"),
    ("enable.gapless.guarantee", "remove it: order is kept by the checkpoint"),
    ("message.timeout.ms", "remove it: a record given up would be a gap; use retry.give_up_after"),
    ("delivery.timeout.ms", "remove it: a record given up would be a gap; use retry.give_up_after"),
    ("queue.buffering.max.ms", "use \"linger.ms\""),
    ("queue.buffering.max.*", "use limits.memory"),
    ("queue.buffering.backpressure.threshold", "remove it: the queue is sized from limits.memory"),
    ("delivery.report.only.error", "remove it: every delivery is counted"),
    ("dr_*", "remove it: Headwater reads the deliveries itself"),
    ("group.*", "remove it: Headwater is no consumer; it reads its checkpoint itself"),
    ("enable.auto.*", "remove it: Headwater is no consumer; it reads its checkpoint itself"),
    ("auto.commit.*", "remove it: Headwater is no consumer; it reads its checkpoint itself"),
    ("auto.offset.*", "remove it: Headwater is no consumer; it reads its checkpoint itself"),
    ("isolation.level", "remove it: the checkpoint is always read committed"),
    ("log_cb", "remove it: use log.level"),
    ("log.queue", "remove it: use log.level"),
    ("error_cb", "remove it: errors are logged"),
    ("stats_cb", "remove it: statistics are at admin.listen under /metrics"),
    ("throttle_cb", "remove it: it is a function of the C interface"),
    ("events", "remove it: it belongs to the C interface"),
    ("opaque", "remove it: it belongs to the C interface"),
];

/// Names under which librdkafka knows the same property; the first is the one that a typed key sets.
pub(super) const ALIASES: [(&str, &str); 2] =
    [("sasl.mechanisms", "sasl.mechanism"), ("request.required.acks", "acks")];

/// The properties that people set, for suggestions.
const USUAL: [&str; 34] = [
    "acks",
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "connections.max.idle.ms",
    "debug",
    "linger.ms",
    "max.in.flight.requests.per.connection",
    "message.max.bytes",
    "metadata.max.age.ms",
    "partitioner",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.ms",
    "sasl.mechanism",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.keepalive.enable",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.keystore.location",
    "transaction.timeout.ms",
];

/// Whether the value of a property must not be shown.
pub(super) fn is_secret(property: &str) -> bool {
    // `ssl.key.pem`, `sasl.password`, `sasl.oauthbearer.client.secret`, `sasl.oauthbearer.config` and the like; what a
    // person mistypes is taken for a secret too when it looks like one.
    let property = property.to_ascii_lowercase();
    ["passw", "secret", "pem", "token", "oauthbearer", "jaas", "assertion", "credential"]
        .iter()
        .any(|word| property.contains(word))
}

/// The usual property that `name` was most probably meant to be.
pub(super) fn usual(name: &str) -> Option<&'static str> {
    closest(&name.to_ascii_lowercase().replace('_', "."), USUAL.into_iter())
}
