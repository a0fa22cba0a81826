//! Properties that take more than a key: worked out one by one, each with its comment.

use super::connector::Connector;
use super::draft::{Draft, list, text};
use super::{lists, unwrap};

/// What a property is worked out from and into.
pub(crate) struct Context<'a> {
    pub connector: &'a Connector,
    pub draft: &'a mut Draft,
}

impl<'a> Context<'a> {
    pub(crate) fn get(&self, property: &str) -> Option<&'a str> {
        self.connector.get(property).filter(|value| !value.is_empty())
    }

    /// Patterns of a list; what is wrong with them is told.
    fn patterns(&mut self, property: &str, names: usize) -> Vec<String> {
        let (patterns, refused) = lists::patterns(self.get(property).unwrap_or_default(), names);
        self.refuse(property, &refused);
        patterns
    }

    fn tables_of(&mut self, property: &str) -> Vec<String> {
        let (patterns, refused) = lists::tables_of(self.get(property).unwrap_or_default());
        self.refuse(property, &refused);
        patterns
    }

    pub(crate) fn refuse(&mut self, property: &str, reasons: &[String]) {
        for reason in reasons {
            self.draft.missing(property, reason);
        }
    }
}

pub(crate) fn converter(context: &mut Context<'_>, property: &str, class: &str) {
    if is_json(class) {
        context.draft.same(property, "events are JSON");
        return;
    }
    let what = match class.rsplit('.').next().unwrap_or_default() {
        "AvroConverter" => "Avro; this version writes JSON alone",
        "ProtobufConverter" => "Protobuf; this version writes JSON alone",
        "JsonSchemaConverter" => "JSON with schemas in a registry; this version writes JSON without schemas",
        "CloudEventsConverter" => "CloudEvents; this version writes Debezium's envelope alone",
        "ByteArrayConverter" | "BinaryDataConverter" | "StringConverter" => {
            "a converter without JSON, which goes with transformations; this version writes JSON alone"
        }
        _ => "this converter; this version writes what org.apache.kafka.connect.json.JsonConverter writes",
    };
    context.draft.missing(property, what);
}

fn is_json(class: &str) -> bool {
    class == "org.apache.kafka.connect.json.JsonConverter"
}

pub(crate) fn header_converter(context: &mut Context<'_>, property: &str, class: &str) {
    match class.rsplit('.').next() {
        Some("SimpleHeaderConverter" | "StringConverter") => context.draft.same(property, "headers are text"),
        _ => context.draft.missing(property, "headers are always text"),
    }
}

/// Which of the converters writes schemas; both do unless they are told not to.
pub(crate) fn schemas(context: &mut Context<'_>, property: &str, _: &str) {
    let on = |side: &str| {
        let enable = context.get(&format!("{side}.converter.schemas.enable"));
        let json = context.get(&format!("{side}.converter")).is_some_and(is_json);
        enable.map_or(json, |enable| enable != "false")
    };
    let schemas = match (on("key"), on("value")) {
        (true, true) => "true",
        (true, false) => "key",
        (false, true) => "value",
        (false, false) => "false",
    };
    let schemas = schemas.parse::<bool>().map_or_else(|_| text(schemas), |truth| truth.to_string());
    context.draft.set(("events", "schemas"), schemas, property);
}

pub(crate) fn key_decimal_format(context: &mut Context<'_>, property: &str, value: &str) {
    let values = context.get("value.converter.decimal.format").unwrap_or("BASE64");
    if value.eq_ignore_ascii_case(values) {
        context.draft.same(property, "events.decimal_format holds for keys too");
    } else {
        context.draft.missing(property, "decimals of keys in another form than those of values");
    }
}

pub(crate) fn of_converter(context: &mut Context<'_>, property: &str, _: &str) {
    context.draft.missing(property, "a setting of a converter that is not there");
}

/// What the converters do when nothing is said of schemas, or of them at all.
pub(crate) fn finish_converters(context: &mut Context<'_>) {
    for side in ["key", "value"] {
        let (class, enable) = (format!("{side}.converter"), format!("{side}.converter.schemas.enable"));
        match context.get(&class) {
            Some(name) if is_json(name) && context.get(&enable).is_none() => {
                schemas(context, &format!("{enable}: Connect's default"), "");
            }
            Some(_) => {}
            None => context.draft.warn(
                &class,
                "is the worker's, whose file was not named (--worker FILE): JSON without schemas is assumed",
            ),
        }
    }
}

pub(crate) fn transforms(context: &mut Context<'_>, property: &str, value: &str) {
    let names = lists::split(value);
    let alone = names.first().map(|name| format!("transforms.{name}.type"));
    if alone.is_some_and(|of_type| unwrap::option(context, &of_type).is_some()) {
        return unwrap::chain(context, property);
    }
    for name in names {
        let class = context.get(&format!("transforms.{name}.type")).unwrap_or_default();
        let short = class.rsplit('.').next().unwrap_or_default();
        let instead = match short.split('$').next().unwrap_or_default() {
            "ExtractNewRecordState" => {
                "beside others, or with a predicate; by itself and for all records it is events.envelope = \"flat\""
            }
            "RegexRouter" | "ByLogicalTableRouter" => "other names of topics: write topics.pattern",
            "EventRouter" => "the outbox; keep a connector for its table",
            "Filter" | "ContentBasedRouter" => {
                "scripts; let consumers choose, or use a row filter of the publication"
            }
            "PartitionRouting" => "records are spread by their keys; see source.key_columns",
            "MaskField" | "ReplaceField" => {
                "columns are left out by source.exclude_columns, and hidden by source.mask_columns"
            }
            _ => "transformations are Java; do their work in a consumer",
        };
        context.draft.missing(&format!("{property} {name}"), &format!("{short}: {instead}"));
    }
}

pub(crate) fn of_transform(context: &mut Context<'_>, property: &str, value: &str) {
    match unwrap::option(context, property) {
        Some(option) => unwrap::set(context, (property, option), value),
        None => context.draft.same(property, "belongs to a transformation, which is not there"),
    }
}

pub(crate) fn custom_converters(context: &mut Context<'_>, property: &str, _: &str) {
    context
        .draft
        .missing(property, "converters of columns are Java; see the modes of events.* for other forms");
}

pub(crate) fn server_name(context: &mut Context<'_>, property: &str, value: &str) {
    if context.get("topic.prefix").is_some() {
        context.draft.same(property, "topic.prefix has taken its place");
    } else {
        context.draft.set(("", "name"), text(value), property);
    }
}

pub(crate) fn sslmode(context: &mut Context<'_>, property: &str, value: &str) {
    let mode = value.to_ascii_lowercase();
    let (mode, comment) = match mode.as_str() {
        "allow" => ("prefer", format!("{property} = allow; prefer tries encryption first")),
        mode => (mode, property.to_owned()),
    };
    context.draft.set(("source", "sslmode"), text(mode), &comment);
}

pub(crate) fn sslkey(context: &mut Context<'_>, property: &str, value: &str) {
    let comment = format!(
        "{property}: as PEM; the JDBC driver wants PKCS-8 in DER: openssl pkey -inform DER -in FILE -out PEM"
    );
    context.draft.set(("source", "sslkey"), text(value), &comment);
}

pub(crate) fn plugin(context: &mut Context<'_>, property: &str, value: &str) {
    match value {
        "pgoutput" => context.draft.same(property, "pgoutput is the only one"),
        _ => context.draft.missing(
            property,
            "slots of another output plugin than pgoutput: let the connector read its slot to the end, then let Headwater create one",
        ),
    }
}

pub(crate) fn finish_plugin(context: &mut Context<'_>) {
    if context.get("plugin.name").is_none() {
        plugin(context, "plugin.name", "decoderbufs");
    }
}

pub(crate) fn status_interval(context: &mut Context<'_>, property: &str, value: &str) {
    /// A third of the default of `source.wal_sender_timeout`.
    const LONGEST_MS: u64 = 20_000;
    match value.parse::<u64>() {
        Ok(0) => context.draft.same(property, "progress is always reported"),
        Ok(ms) => {
            context.draft.set(("source", "status_interval"), text(&format!("{ms}ms")), property);
            if ms > LONGEST_MS {
                let timeout = text(&format!("{}ms", ms * 3));
                context.draft.set(("source", "wal_sender_timeout"), timeout, &format!("to fit {property}"));
            }
        }
        Err(_) => context.draft.set(("source", "status_interval"), text(value), property),
    }
}

pub(crate) fn lsn_flush_mode(context: &mut Context<'_>, property: &str, value: &str) {
    match value {
        "manual" => context.draft.missing(property, "the slot is always confirmed, up to what Kafka holds"),
        _ => context
            .draft
            .same(property, "the slot is confirmed up to what Kafka holds, and advances when idle"),
    }
}

pub(crate) fn offset_mismatch(context: &mut Context<'_>, property: &str, value: &str) {
    match value {
        "trust_slot" | "trust_greater_lsn" => context.draft.missing(
            property,
            "a slot ahead of the checkpoint means missing changes, and stops the pipeline; source.on_gap = \"continue\" accepts that",
        ),
        _ => context.draft.same(property, "the checkpoint is always held against the slot (source.on_gap)"),
    }
}

pub(crate) fn publication_mode(context: &mut Context<'_>, property: &str, value: &str) {
    let (mode, comment) = match value {
        "filtered" => ("tables", property.to_owned()),
        "no_tables" => (
            "disabled",
            format!("{property} = no_tables: create the publication and give it tables yourself"),
        ),
        "all_tables" => (
            "all_tables",
            format!(
                "{property}: one that is there and not FOR ALL TABLES is refused; write \"disabled\" to take it as it is"
            ),
        ),
        mode => (mode, property.to_owned()),
    };
    context.draft.set(("source", "publication_mode"), text(mode), &comment);
}

pub(crate) fn schema_include(context: &mut Context<'_>, property: &str, _: &str) {
    if context.get("table.include.list").is_some() {
        context.draft.same(property, "taken into account in source.tables");
        return;
    }
    let tables = context.tables_of(property);
    context.draft.set(("source", "tables"), list(&tables), property);
}

pub(crate) fn table_include(context: &mut Context<'_>, property: &str, _: &str) {
    let mut tables = context.patterns(property, 2);
    if let Some(schemas) = context.get("schema.include.list") {
        let plain = |table: &String| !table.starts_with('/');
        let schema = |table: &String| table.split('.').next().unwrap_or_default().to_owned();
        if tables.iter().any(|table| !plain(table) || schema(table).contains(['*', '?'])) {
            context.draft.missing(
                "schema.include.list",
                "beside a table.include.list that leaves the schema open: source.tables is as wide as the latter",
            );
        }
        tables.retain(|table| {
            !plain(table) || schema(table).contains(['*', '?']) || lists::means(schemas, &schema(table))
        });
    }
    context.draft.set(("source", "tables"), list(&tables), property);
}

pub(crate) fn schema_exclude(context: &mut Context<'_>, property: &str, _: &str) {
    let mut tables = context.tables_of(property);
    tables.extend(lists::patterns(context.get("table.exclude.list").unwrap_or_default(), 2).0);
    context.draft.set(("source", "exclude_tables"), list(&tables), property);
}

pub(crate) fn table_exclude(context: &mut Context<'_>, property: &str, _: &str) {
    let mut tables = lists::tables_of(context.get("schema.exclude.list").unwrap_or_default()).0;
    tables.extend(context.patterns(property, 2));
    context.draft.set(("source", "exclude_tables"), list(&tables), property);
}

pub(crate) fn columns(context: &mut Context<'_>, property: &str, _: &str) {
    let columns = context.patterns(property, 3);
    let (name, comment) = match property {
        "column.include.list" => {
            ("columns", format!("{property}: a table that no pattern names keeps all its columns"))
        }
        _ => ("exclude_columns", property.to_owned()),
    };
    context.draft.set(("source", name), list(&columns), &comment);
}

pub(crate) fn skipped_operations(context: &mut Context<'_>, property: &str, value: &str) {
    let operations: Vec<String> = lists::split(value).into_iter().filter(|letter| letter != "none").collect();
    context.draft.set(("events", "skipped_operations"), list(&operations), property);
}

pub(crate) fn naming_strategy(context: &mut Context<'_>, property: &str, class: &str) {
    match class.rsplit('.').next() {
        Some("SchemaTopicNamingStrategy") => context.draft.same(property, "it is that of topics.pattern"),
        _ => context.draft.missing(property, "another way to name topics: write topics.pattern"),
    }
}

/// `topic.delimiter` and `topic.transaction` together.
pub(crate) fn topic_names(context: &mut Context<'_>, property: &str, _: &str) {
    let delimiter = context.get("topic.delimiter").unwrap_or(".");
    let transaction = context.get("topic.transaction").unwrap_or("transaction");
    let transaction = text(&format!("{{name}}{delimiter}{transaction}"));
    context.draft.set(("topics", "transaction"), transaction, property);
    if property == "topic.delimiter" {
        let pattern = text(&format!("{{name}}{delimiter}{{schema}}{delimiter}{{table}}"));
        context.draft.set(("topics", "pattern"), pattern, property);
        if heartbeats(context).is_some() {
            heartbeat_topic(context, property, delimiter);
        }
    }
}

/// How often there are heartbeats; none when there are none.
fn heartbeats<'a>(context: &Context<'a>) -> Option<&'a str> {
    context.get("heartbeat.interval.ms").filter(|ms| *ms != "0")
}

const NO_HEARTBEATS: &str = "heartbeats are off (heartbeat.interval.ms), and the slot advances without them";

pub(crate) fn heartbeat_interval(context: &mut Context<'_>, property: &str, ms: &str) {
    match heartbeats(context) {
        None => context.draft.same(property, "no heartbeats; the slot advances without them"),
        Some(_) => context.draft.set(("events", "heartbeat_interval"), text(&format!("{ms}ms")), property),
    }
}

pub(crate) fn heartbeat_query(context: &mut Context<'_>, property: &str, query: &str) {
    match heartbeats(context) {
        None => context.draft.same(property, NO_HEARTBEATS),
        Some(_) => context.draft.set(("source", "heartbeat_query"), text(query), property),
    }
}

/// `topic.heartbeat.name`, or else `topic.heartbeat.prefix` and `topic.delimiter`.
pub(crate) fn heartbeat_topic(context: &mut Context<'_>, property: &str, _: &str) {
    if heartbeats(context).is_none() {
        context.draft.same(property, NO_HEARTBEATS);
        return;
    }
    let prefix = context.get("topic.heartbeat.prefix").unwrap_or("__debezium-heartbeat");
    let delimiter = context.get("topic.delimiter").unwrap_or(".");
    let topic = match context.get("topic.heartbeat.name") {
        Some(name) => name.to_owned(),
        None => format!("{prefix}{delimiter}{{name}}"),
    };
    context.draft.set(("topics", "heartbeat"), text(&topic), property);
}

pub(crate) fn topic_creation(context: &mut Context<'_>, property: &str, _: &str) {
    context.draft.same(property, "topics.create is true; an existing topic is never altered");
}

pub(crate) fn topic_default(context: &mut Context<'_>, property: &str, value: &str) {
    let name = if property.ends_with("partitions") { "partitions" } else { "replication_factor" };
    match value {
        "-1" => context.draft.same(property, "the broker's default"),
        _ => context.draft.set(("topics", name), number(value), property),
    }
}

pub(crate) fn topic_setting(context: &mut Context<'_>, property: &str, value: &str) {
    let setting = property.strip_prefix("topic.creation.default.").unwrap_or(property);
    match setting {
        "include" | "exclude" => context.draft.same(property, "the default group is for every topic"),
        _ => context.draft.set(("topics.settings", &text(setting)), number(value), property),
    }
}

pub(crate) fn brokers(context: &mut Context<'_>, property: &str, value: &str) {
    let brokers: Vec<&str> = value
        .split(',')
        .map(|broker| broker.trim().rsplit("://").next().unwrap_or_default())
        .filter(|broker| !broker.is_empty())
        .collect();
    context.draft.set(("kafka", "brokers"), list(&brokers), property);
}

/// `producer.override.*`, and the worker's `producer.*`.
pub(crate) fn producer(context: &mut Context<'_>, property: &str, value: &str) {
    let name = property.strip_prefix("producer.override.").unwrap_or(property);
    let pem = context.get("producer.override.ssl.truststore.type") == Some("PEM");
    let draft = &mut *context.draft;
    match name {
        "bootstrap.servers" => brokers(context, property, value),
        "security.protocol" => {
            draft.set(("kafka", "security_protocol"), text(&value.to_ascii_lowercase()), property);
        }
        "sasl.mechanism" => draft.set(("kafka", "sasl_mechanism"), text(value), property),
        "sasl.jaas.config" => jaas(draft, property, value),
        "compression.type" | "linger.ms" | "batch.size" | "client.id" | "client.rack" | "request.timeout.ms"
        | "metadata.max.age.ms" | "reconnect.backoff.ms" | "reconnect.backoff.max.ms" | "retry.backoff.ms"
        | "connections.max.idle.ms" => {
            draft.set(("kafka.properties", &text(name)), number(value), property);
        }
        "max.request.size" => {
            draft.set(("kafka.properties", &text("message.max.bytes")), number(value), property);
        }
        "acks" | "enable.idempotence" | "transactional.id" | "retries" | "delivery.timeout.ms"
        | "max.in.flight.requests.per.connection" | "key.serializer" | "value.serializer" => {
            draft.same(property, "every record is acknowledged by all in-sync replicas, in order and once");
        }
        "buffer.memory" | "max.block.ms" => draft.same(property, "limits.memory bounds the producer"),
        "ssl.truststore.location" if pem => {
            draft.set(("kafka", "ssl_ca_location"), text(value), property);
        }
        "ssl.truststore.type" if value == "PEM" => draft.same(property, "certificates are PEM"),
        _ if name.starts_with("ssl.truststore.") => draft.missing(
            property,
            "certificates in a Java keystore: write them as PEM (keytool -exportcert -rfc) and set kafka.ssl_ca_location",
        ),
        _ if name.starts_with("ssl.key") => draft.missing(
            property,
            "keys in a Java keystore: write them as PEM and set ssl.key.location and ssl.certificate.location under kafka.properties",
        ),
        _ => draft.missing(
            property,
            "not taken over: see which property of librdkafka does it, and set that under kafka.properties",
        ),
    }
}

/// Name and password of a JAAS entry for PLAIN or SCRAM.
fn jaas(draft: &mut Draft, property: &str, value: &str) {
    let quoted = |key: &str| {
        let (_, rest) = value.split_once(&format!("{key}=\""))?;
        rest.split('"').next()
    };
    let (Some(name), Some(password)) = (quoted("username"), quoted("password")) else {
        draft.missing(
            property,
            "this login module: set kafka.sasl_username and a password, or what OAUTHBEARER needs",
        );
        return;
    };
    draft.set(("kafka", "sasl_username"), text(name), property);
    super::secret(draft, ("kafka", "sasl_password"), property, password);
}

/// A number where it is one.
fn number(value: &str) -> String {
    if value.parse::<i64>().is_ok() { value.to_owned() } else { text(value) }
}
