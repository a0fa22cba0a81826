//! The one table of Debezium's properties and what becomes of each. A property that Headwater learns changes its line here
//! from [`Missing`] to [`Key`] or [`Work`], and nothing else.

use super::work::Context;
use super::{notification, rules, snapshot, work};

/// What becomes of a property.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// The value at this key.
    Key(&'static str, As),
    /// More than that: worked out by a function, which says it all.
    Work(fn(&mut Context<'_>, &str, &str)),
    /// No key is needed; why.
    Same(&'static str),
    /// Not to be had; what, and what to do instead. Nothing is missed when the value is one of the first list.
    Missing(&'static [&'static str], &'static str),
}
use Answer::{Key, Missing, Same, Work};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// As a text.
    Text,
    /// As a text in lower case.
    Lower,
    /// As true or false.
    Truth,
    /// As a number.
    Number,
    /// As a secret: at the key, or where a placeholder of Connect says.
    Secret,
}
use As::{Lower, Number, Secret, Text, Truth};

/// The answer for a property; none for one that is not known.
pub(crate) fn answer(property: &str) -> Option<Answer> {
    TABLE.iter().find(|(pattern, _)| is(pattern, property)).map(|(_, answer)| *answer)
}

/// `*` in a pattern stands for any text.
fn is(pattern: &str, property: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == property,
        Some((before, after)) => {
            property.len() >= before.len() + after.len()
                && property.starts_with(before)
                && property.ends_with(after)
        }
    }
}

const ONCE: &[&str] = &[];
const OFF: &[&str] = &["false", ""];
const ON: &[&str] = &["true"];
const ZERO: &[&str] = &["0", ""];

const COPY: &str = "rows come as the server sends them (COPY), within limits.memory";
const WHOLE: &str = "each table is read by one connection (snapshot.threads)";
const INCREMENTAL: &str = "incremental snapshots; take over when none is running";
const SIGNALS: &str = "signals; `headwater status` and the admin server tell how it goes, and a restart reads the configuration anew";
const NOTIFICATIONS: &str = "a setting of another channel of notifications than sink and log";
const MEMORY: &str = "limits.memory bounds all queues";
const TASK: &str = "the pipeline stops at a value that it cannot write, and loses nothing";
const RETRY: &str = "failures that may pass are retried for ever, with pauses that grow (retry.*)";
const JDBC: &str = "a setting of the JDBC driver, which is not there";

/// First match counts.
#[rustfmt::skip]
pub(crate) const TABLE: &[(&str, Answer)] = &[
    // Connect.
    ("name", Same("the connector's name; topic.prefix names the pipeline")),
    ("connector.class", Same("this is its successor")),
    ("tasks.max", Same("a pipeline is one task")),
    ("config.action.reload", Same("secrets are read at the start")),
    ("key.converter", Work(work::converter)),
    ("value.converter", Work(work::converter)),
    ("header.converter", Work(work::header_converter)),
    ("key.converter.schemas.enable", Work(work::schemas)),
    ("value.converter.schemas.enable", Work(work::schemas)),
    ("key.converter.replace.null.with.default", Same("keys hold no NULL that has a default; the value's converter decides")),
    ("value.converter.replace.null.with.default", Key("events.replace_null_with_default", Text)),
    ("key.converter.decimal.format", Work(work::key_decimal_format)),
    ("value.converter.decimal.format", Key("events.decimal_format", Lower)),
    ("*.converter.schemas.cache.size", Same("schemas are kept per table")),
    ("key.converter.*", Work(work::of_converter)),
    ("value.converter.*", Work(work::of_converter)),
    ("header.converter.*", Same("headers are text")),
    ("transforms", Work(work::transforms)),
    ("transforms.*", Work(work::of_transform)),
    ("predicates", Missing(&[""], "predicates of transformations, which are not there")),
    ("predicates.*", Missing(ONCE, "predicates of transformations, which are not there")),
    ("errors.max.retries", Same("attempts are not counted; retry.give_up_after bounds their time")),
    ("errors.retry.*", Same(RETRY)),
    ("errors.tolerance", Missing(&["none"], "a record that cannot be written stops the pipeline; nothing is left out silently")),
    ("errors.log.*", Same("errors are always logged, without values of rows")),
    ("exactly.once.support", Same("kafka.delivery = \"exactly_once\" is the default")),
    ("transaction.boundary*", Same("kafka.commit_interval and kafka.commit_max_bytes bound a Kafka transaction")),
    ("offsets.storage.topic", Same("the position is in checkpoint.topic; `headwater import debezium-offsets --topic` reads this one")),
    ("topic.creation.enable", Work(work::topic_creation)),
    ("topic.creation.default.partitions", Work(work::topic_default)),
    ("topic.creation.default.replication.factor", Work(work::topic_default)),
    ("topic.creation.default.*", Work(work::topic_setting)),
    ("topic.creation.groups", Missing(&[""], "groups of topics with settings of their own: create those topics beforehand")),
    ("topic.creation.*", Missing(ONCE, "groups of topics with settings of their own: create those topics beforehand")),
    ("bootstrap.servers", Work(work::brokers)),
    ("producer.override.*", Work(work::producer)),
    ("consumer.override.*", Same("a source has no consumer")),
    ("admin.override.*", Missing(ONCE, "one set of client properties serves all: put it under kafka")),

    // The database.
    ("topic.prefix", Key("name", Text)),
    ("database.server.name", Work(work::server_name)),
    ("database.hostname", Key("source.host", Text)),
    ("database.port", Key("source.port", Number)),
    ("database.user", Key("source.user", Text)),
    ("database.password", Key("source.password", Secret)),
    ("database.dbname", Key("source.database", Text)),
    ("database.sslmode", Work(work::sslmode)),
    ("database.sslcert", Key("source.sslcert", Text)),
    ("database.sslkey", Work(work::sslkey)),
    ("database.sslpassword", Missing(&[""], "keys with a passphrase: `openssl pkey -in KEY -out PEM` writes one without")),
    ("database.sslrootcert", Key("source.sslrootcert", Text)),
    ("database.sslfactory", Missing(&[""], JDBC)),
    ("database.tcpKeepAlive", Same("keepalives are always on")),
    ("database.initial.statements", Missing(&[""], "statements at log-in: ALTER ROLE … SET gives the user its settings")),
    ("database.query.timeout.ms", Same("queries of the catalog have limits of their own")),
    ("query.timeout.ms", Same("queries of the catalog have limits of their own")),
    ("database.include.list", Same("the PostgreSQL connector has one database")),
    ("database.*", Missing(ONCE, JDBC)),
    ("driver.*", Missing(ONCE, JDBC)),
    ("connection.factory.class", Missing(&[""], JDBC)),
    ("connection.validation.timeout.ms", Same("connections have a limit of their own (source.connect_timeout)")),
    ("executor.shutdown.timeout.ms", Same("limits.drain_timeout bounds the end")),
    ("read.only", Same("nothing is written to the database but what the file asks for: publication, replica identities, the heartbeat query")),

    // Slot and stream.
    ("plugin.name", Work(work::plugin)),
    ("slot.name", Key("source.slot", Text)),
    ("slot.drop.on.stop", Missing(OFF, "the slot stays; drop it yourself when nothing reads it any more")),
    ("slot.failover", Missing(OFF, "a slot that Headwater creates is no failover slot; one that is there keeps what it is")),
    ("slot.stream.params", Missing(&[""], "parameters of the output plugin; Headwater chooses those of pgoutput by the server's version")),
    ("slot.max.retries", Same(RETRY)),
    ("slot.retry.delay.ms", Same(RETRY)),
    ("create.slot.command.timeout", Same("creating a slot waits for transactions in progress, and can be stopped")),
    ("status.update.interval.ms", Work(work::status_interval)),
    ("xmin.fetch.interval.ms", Missing(ZERO, "source.xmin is always null")),
    ("lsn.flush.mode", Work(work::lsn_flush_mode)),
    ("lsn.flush.timeout.*", Same("progress is reported beside the stream and cannot hold it up")),
    ("flush.lsn.source", Missing(ON, "the slot is always confirmed, as it would retain log for ever")),
    ("offset.mismatch.strategy", Work(work::offset_mismatch)),
    ("offset.activity.monitor.interval.ms", Same("/healthz fails when there is work and nothing moves (admin.stall_timeout)")),
    ("internal.slot.seek.to.known.offset.on.start", Same("the checkpoint is always held against the slot")),
    ("slot.seek.to.known.offset.on.start", Same("the checkpoint is always held against the slot")),

    // Publication and replica identity.
    ("publication.name", Key("source.publication", Text)),
    ("publication.autocreate.mode", Work(work::publication_mode)),
    ("publish.via.partition.root", Key("source.publish_via_partition_root", Truth)),
    ("replica.identity.autoset.values", Work(rules::replica_identity)),

    // Filters.
    ("schema.include.list", Work(work::schema_include)),
    ("schema.exclude.list", Work(work::schema_exclude)),
    ("table.include.list", Work(work::table_include)),
    ("table.exclude.list", Work(work::table_exclude)),
    ("column.include.list", Work(work::columns)),
    ("column.exclude.list", Work(work::columns)),
    ("table.ignore.builtin", Missing(ON, "tables of the system are never captured")),
    ("message.prefix.include.list", Work(rules::prefixes)),
    ("message.prefix.exclude.list", Work(rules::prefixes)),
    ("skipped.operations", Work(work::skipped_operations)),
    ("skip.messages.without.change", Key("events.skip_unchanged", Truth)),
    ("guardrail.collections.max", Same("tables cost little; there is no bound")),
    ("guardrail.collections.limit.action", Same("tables cost little; there is no bound")),

    // Values.
    ("decimal.handling.mode", Key("events.decimal_handling_mode", Lower)),
    ("time.precision.mode", Key("events.time_precision_mode", Lower)),
    ("interval.handling.mode", Key("events.interval_handling_mode", Lower)),
    ("hstore.handling.mode", Key("events.hstore_handling_mode", Lower)),
    ("binary.handling.mode", Key("events.binary_handling_mode", Lower)),
    ("money.fraction.digits", Key("events.money_fraction_digits", Number)),
    ("include.unknown.datatypes", Key("events.include_unknown_datatypes", Truth)),
    ("unavailable.value.placeholder", Key("events.unavailable_value_placeholder", Text)),
    ("converters", Work(work::custom_converters)),
    ("post.processors", Missing(&[""], "post-processors are Java: do their work in a consumer")),
    ("column.truncate.to.*.chars", Work(rules::mask)),
    ("column.mask.with.*.chars", Work(rules::mask)),
    ("column.mask.hash.*", Work(rules::mask)),
    ("column.propagate.source.type", Work(rules::source_types)),
    ("datatype.propagate.source.type", Work(rules::source_types)),
    ("message.key.columns", Work(rules::key_columns)),
    ("schema.refresh.mode", Same("tables are described by what the stream says of them")),
    ("include.schema.comments", Same("comments only stand in schemas")),
    ("include.schema.changes", Same("the PostgreSQL connector writes none")),

    // Events.
    ("topic.naming.strategy", Work(work::naming_strategy)),
    ("topic.delimiter", Work(work::topic_names)),
    ("topic.transaction", Work(work::topic_names)),
    ("topic.cache.size", Same("the names of topics are kept per table")),
    ("topic.heartbeat.prefix", Work(work::heartbeat_topic)),
    ("topic.heartbeat.name", Work(work::heartbeat_topic)),
    ("topic.regex.*", Missing(ONCE, "topics by regular expressions: write topics.pattern")),
    ("topic.key.*", Missing(ONCE, "topics by regular expressions: write topics.pattern")),
    ("tombstones.on.delete", Key("events.tombstones", Truth)),
    ("provide.transaction.metadata", Key("events.transaction_metadata", Truth)),
    ("transaction.metadata.factory", Missing(&["", "io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory"], "another form of transaction metadata")),
    ("schema.name.adjustment.mode", Key("events.schema_name_adjustment_mode", Lower)),
    ("field.name.adjustment.mode", Key("events.field_name_adjustment_mode", Lower)),
    ("sourceinfo.struct.maker", Missing(&["", "io.debezium.connector.postgresql.PostgresSourceInfoStructMaker"], "another form of the source block")),
    ("extended.headers.enabled", Key("events.context_headers", Truth)),
    ("event.processing.failure.handling.mode", Missing(&["fail", ""], TASK)),
    ("event.converting.failure.handling.mode", Missing(&["fail", "warn", ""], TASK)),

    // Snapshots.
    ("snapshot.mode", Work(snapshot::mode)),
    ("snapshot.mode.custom.name", Missing(&[""], "snapshotters are Java: choose one of snapshot.mode")),
    ("snapshot.mode.configuration.based.*", Missing(OFF, "a mode put together of parts: choose one of snapshot.mode")),
    ("snapshot.include.collection.list", Work(snapshot::tables)),
    ("snapshot.select.statement.overrides", Work(snapshot::statements)),
    ("snapshot.select.statement.overrides.*", Work(snapshot::statement)),
    ("snapshot.max.threads", Work(snapshot::threads)),
    ("snapshot.max.threads.multiplier", Same(WHOLE)),
    ("legacy.snapshot.max.threads", Same(WHOLE)),
    ("snapshot.lock.timeout.ms", Work(snapshot::lock_timeout)),
    ("snapshot.locking.mode", Missing(&["none", "shared", ""], "locks of one's own: a table is locked as by any SELECT, until the snapshot is through")),
    ("snapshot.locking.mode.custom.name", Missing(&[""], "locks of one's own: a table is locked as by any SELECT, until the snapshot is through")),
    ("snapshot.isolation.mode", Same("all tables are read as they were at one moment, that of the slot")),
    ("snapshot.query.mode", Missing(&["select_all", ""], "queries of one's own: see snapshot.select_statement_overrides")),
    ("snapshot.query.mode.custom.name", Missing(&[""], "queries of one's own: see snapshot.select_statement_overrides")),
    ("snapshot.fetch.size", Same(COPY)),
    ("query.fetch.size", Same(COPY)),
    ("snapshot.tables.order.by.row.count", Missing(&["disabled", ""], "an order of tables by their size")),
    ("snapshot.delay.ms", Missing(ZERO, "a delay: start it later")),
    ("streaming.delay.ms", Missing(ZERO, "a delay: the stream follows the snapshot at once")),
    ("snapshot.*", Missing(ONCE, "see snapshot.* in the manual for what there is")),
    ("incremental.snapshot.*", Missing(&["1024", "insert_insert", "insert_delete", "false"], INCREMENTAL)),

    // Signals and notifications.
    ("signal.data.collection", Missing(&[""], SIGNALS)),
    ("signal.enabled.channels", Missing(&["", "source"], SIGNALS)),
    ("signal.poll.interval.ms", Same("there are no signals to poll for")),
    ("signal.*", Missing(ONCE, SIGNALS)),
    ("notification.enabled.channels", Work(notification::channels)),
    ("notification.sink.topic.name", Work(notification::topic)),
    ("notification.*", Missing(&[""], NOTIFICATIONS)),

    // Heartbeats, queues, errors, metrics.
    ("heartbeat.interval.ms", Work(work::heartbeat_interval)),
    ("heartbeat.action.query", Work(work::heartbeat_query)),
    ("max.batch.size", Same(MEMORY)),
    ("max.queue.size", Same(MEMORY)),
    ("max.queue.size.in.bytes", Same(MEMORY)),
    ("queue.provider.type", Same(MEMORY)),
    ("poll.interval.ms", Same("the stream is read when there is something to read")),
    ("poll.dispatch.interval.ms", Same("the stream is read when there is something to read")),
    ("retriable.restart.connector.wait.ms", Same(RETRY)),
    ("custom.retriable.exception", Same(RETRY)),
    ("custom.metric.tags", Missing(&[""], "labels of metrics: add them where Prometheus scrapes")),
    ("custom.sanitize.pattern", Same("secrets are never shown")),
    ("statistics.metrics.enabled", Same("latencies are always measured")),
    ("advanced.metrics.enable", Same("everything is always measured")),
    ("openlineage.integration.enabled", Missing(OFF, "OpenLineage")),
    ("openlineage.*", Missing(ONCE, "OpenLineage")),
    ("log.position.check.enable", Same("the checkpoint is always held against the slot")),
    ("internal.*", Same("an internal property of Debezium")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_hides_behind_another() {
        for (index, (pattern, _)) in TABLE.iter().enumerate() {
            let example = pattern.replace('*', "x");
            let first = TABLE.iter().position(|(pattern, _)| is(pattern, &example));
            assert_eq!(first, Some(index), "{pattern}");
        }
    }

    #[test]
    fn keys_of_the_table_exist() {
        let known: Vec<&str> = crate::config::key_paths().collect();
        for (property, answer) in TABLE {
            if let Key(path, _) = answer {
                assert!(known.contains(path), "{property}: {path}");
            }
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        assert!(is("column.truncate.to.*.chars", "column.truncate.to.5.chars"));
        assert!(!is("a.*.a", "a.a") && is("a*", "a") && !is("a", "ab"));
    }
}
