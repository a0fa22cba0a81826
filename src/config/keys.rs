//! The table of all keys: path, form, default and meaning. It is the one place where a key is declared: the check of
//! types and ranges, the suggestions, `config defaults`, the JSON Schema, `config/headwater.toml` and the table in
//! `docs/configuration.md` are all made from it. What one key means for another is in `build`.

use std::time::Duration;

use super::share::SMALLEST_SHARE;
use crate::modes::{
    BinaryMode, DecimalFormat, DecimalMode, DeleteHandling, FieldNames, HstoreMode, IntervalMode,
    MOST_MONEY_DIGITS, Quirks, Schemas, TextEncoding, TimeMode,
};

/// One key.
pub(super) struct Key {
    /// `section.key`, or the key alone at the top.
    pub(super) path: &'static str,
    pub(super) form: Form,
    /// In TOML; [`UNSET`] when there is none, or when it follows from other keys.
    pub(super) default: &'static str,
    /// One paragraph for the operator: meaning, unit, interplay.
    pub(super) doc: &'static str,
}

/// What a key takes.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Text,
    /// A text that is never shown.
    Secret,
    Bool,
    /// Within bounds, both included.
    Integer(i64, i64),
    Duration(Duration, Duration),
    /// In bytes.
    Size(u64, u64),
    /// Words that this version takes, and words that it knows to come in a later one.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// Texts.
    List,
    /// Names of somebody else's, with texts, numbers or truths as values.
    Map,
}

/// An empty text leaves a key without a fixed default as it is when left out.
pub(super) const UNSET: &str = "\"\"";

/// The sections in the order of the sample, each with a line about it.
pub(super) const SECTIONS: [(&str, &str); 11] = [
    ("source", "The PostgreSQL database whose changes are captured."),
    ("snapshot", "The first copy of the tables."),
    ("events", "The shape of the events."),
    ("topics", "Where the records go."),
    ("sink", "What the records are written to."),
    ("kafka", "The Kafka cluster, when sink.type is \"kafka\"."),
    ("checkpoint", "Where the position in the log is kept."),
    ("retry", "Pauses after a failure that may pass."),
    ("limits", "What the process may use."),
    ("admin", "HTTP: /metrics, /healthz, /readyz and /status."),
    ("log", "Logs, on standard error."),
];

/// Names that other tools have for keys, with underscores for their dots, for suggestions.
pub(super) const SYNONYMS: [(&str, &str); 30] = [
    ("topic_prefix", "name"),
    ("prefix", "name"),
    ("database_server_name", "name"),
    ("hostname", "source.host"),
    ("database_hostname", "source.host"),
    ("database_port", "source.port"),
    ("db", "source.database"),
    ("dbname", "source.database"),
    ("database_dbname", "source.database"),
    ("username", "source.user"),
    ("database_user", "source.user"),
    ("database_password", "source.password"),
    ("ssl_mode", "source.sslmode"),
    ("slot_name", "source.slot"),
    ("publication_name", "source.publication"),
    ("table", "source.tables"),
    ("table_include_list", "source.tables"),
    ("table_exclude_list", "source.exclude_tables"),
    ("column_include_list", "source.columns"),
    ("column_exclude_list", "source.exclude_columns"),
    ("message_key_columns", "source.key_columns"),
    ("message_prefix_include_list", "source.messages"),
    ("message_prefix_exclude_list", "source.exclude_messages"),
    ("bootstrap_servers", "kafka.brokers"),
    ("replication_factor", "topics.replication_factor"),
    ("heartbeat_action_query", "source.heartbeat_query"),
    ("heartbeat_interval_ms", "events.heartbeat_interval"),
    ("topic_heartbeat_name", "topics.heartbeat"),
    ("tombstones_on_delete", "events.tombstones"),
    ("skip_messages_without_change", "events.skip_unchanged"),
];

/// The key at `path`.
pub(super) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The section of a path, empty for the top, and the name within it.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.split_once('.').unwrap_or(("", path))
}

impl Key {
    /// Whether an empty text is the same as leaving the key out.
    pub(super) fn may_be_empty(&self) -> bool {
        self.default == UNSET
    }
}

const MS: Duration = Duration::from_millis(1);
const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
const DAY: Duration = seconds(86_400);
const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

const fn entry(path: &'static str, form: Form, default: &'static str, doc: &'static str) -> Key {
    Key { path, form, default, doc }
}

/// All keys, in the order of the sample.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    entry("name", Form::Text, UNSET,
        "Name of the pipeline: the prefix of its topics, and part of its slot, publication and transactional id. Required. Letters, digits, '.', '_' and '-', at most 63. Two pipelines with the same name on one Kafka cluster push each other out."),

    entry("source.url", Form::Text, UNSET,
        "postgres://user@host:port/database?sslmode=verify-full; the user is required here or in source.user. Percent-encode special characters. A Unix socket is ?host=/var/run/postgresql. What the URL says may not be said otherwise by the keys below."),
    entry("source.host", Form::Text, "\"127.0.0.1\"",
        "Host name or address of the server itself, not of a pooler; a path that begins with / is the directory of a Unix socket."),
    entry("source.port", Form::Integer(1, 65_535), "5432", "Port of the server."),
    entry("source.database", Form::Text, UNSET, "Database whose changes are captured. Without it: the name of the user, as in psql."),
    entry("source.user", Form::Text, UNSET, "User with the REPLICATION attribute and SELECT on the captured tables. Required here or in source.url."),
    entry("source.password", Form::Secret, UNSET,
        "Password of the user. Better in a file or variable: at most one of source.password, source.password_file, source.password_env and the URL may give it."),
    entry("source.password_file", Form::Text, UNSET, "File that holds the password; a newline at its end is cut off."),
    entry("source.password_env", Form::Text, UNSET, "Environment variable that holds the password."),
    entry("source.sslmode", Form::Choice(&["disable", "prefer", "require", "verify-ca", "verify-full"], &[]), UNSET,
        "disable, prefer, require, verify-ca or verify-full, as in libpq. Without it: verify-full for a remote host, disable for a loopback address or Unix socket."),
    entry("source.sslrootcert", Form::Text, UNSET, "PEM file of the authorities that may sign the server's certificate. Without it: those of the system."),
    entry("source.sslcert", Form::Text, UNSET, "PEM file of the client's certificate chain; together with source.sslkey."),
    entry("source.sslkey", Form::Text, UNSET, "PEM file of the client's private key; together with source.sslcert."),
    entry("source.slot", Form::Text, "\"headwater_{name}\"",
        "Replication slot, created when absent; a-z, 0-9 and _, at most 63. {name} is the name made to fit: lower case, other characters as _."),
    entry("source.publication", Form::Text, "\"headwater_{name}\"", "Publication that the slot reads; {name} as in source.slot."),
    entry("source.publication_mode", Form::Choice(&["tables", "all_tables", "disabled"], &[]), "\"tables\"",
        "tables: create the publication for exactly the captured tables and keep it so. all_tables: create it FOR ALL TABLES, which needs a superuser. disabled: never create nor alter it."),
    entry("source.replica_identity", Form::Map, "{}",
        "Replica identity of captured tables, by schema.table pattern: \"FULL\", \"DEFAULT\", \"NOTHING\" or \"INDEX name\". Tables that have another are altered at each start, and new ones before they join the publication, which takes their owner; the first pattern in the order of letters that matches counts. Without it no table is altered."),
    entry("source.publish_via_partition_root", Form::Bool, "false",
        "true: changes of partitions are those of their partitioned table (PostgreSQL 13 and newer); a publication that exists is altered unless source.publication_mode is \"disabled\". false: a publication that exists stays as it is, and one that is created publishes the partitions."),
    entry("source.tables", Form::List, "[\"public.*\"]", "Tables to capture: schema.table patterns, in which * stands for any text and ? for one character, and neither reaches over the dot. Between slashes, a regular expression for schema.table as a whole, in any case, as in Debezium's lists: \"/public\\\\.orders_[0-9]+/\". So in all patterns of tables, columns and messages."),
    entry("source.exclude_tables", Form::List, "[]", "schema.table patterns taken away from source.tables."),
    entry("source.columns", Form::List, "[]", "schema.table.column patterns; a table that one of them names keeps only the columns named. Other tables keep all, with events.quirks = \"debezium\" none."),
    entry("source.exclude_columns", Form::List, "[]", "schema.table.column patterns of columns that are left out of before and after. The key keeps its columns."),
    entry("source.key_columns", Form::List, "[]",
        "Columns that make the key of a record in the place of the table's own key, as \"schema.table:column,column\"; the table may be a pattern as in source.tables. Several entries for one table add up. A table that has none of the columns keeps its own key."),
    entry("source.mask_columns", Form::Map, "{}",
        "How texts are hidden, by schema.table.column pattern, in the words of Debezium's column properties: \"mask.with.8.chars\" (asterisks, for NULL too), \"truncate.to.20.chars\", \"mask.hash.v2.SHA-256.with.salt_env.VARIABLE\" (or with.salt_file.PATH, or with.salt.SALT; without v2. the value is hashed as a Java object). MD5, SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512; a digest is cut to the length of the column. Of several patterns that match, asterisks count before hashes and these before cutting. Keys are not hidden, and columns that are no texts neither: the log names those."),
    entry("source.messages", Form::List, "[\"*\"]", "Prefixes of the logical decoding messages (pg_logical_emit_message, PostgreSQL 14 and newer) to capture: patterns in which * stands for any text and ? for one character. [] captures none."),
    entry("source.exclude_messages", Form::List, "[]", "Patterns of prefixes taken away from source.messages."),
    entry("source.heartbeat_query", Form::Text, UNSET,
        "A statement that is run in the database every events.heartbeat_interval, on a connection of its own, for those who watch its events. The slot does not need it. A failure is counted and logged, and nothing else."),
    entry("source.discover_interval", Form::Duration(Duration::ZERO, DAY), "\"10s\"",
        "How often tables are looked for that were made since the start, with source.publication_mode = \"tables\". They join the publication when they have a replica identity, or source.replica_identity gives them one; what was written to them before is not captured. 0s: they join at the next start."),
    entry("source.sql_ascii", Form::Choice(TextEncoding::WORDS, &[]), "\"utf8\"",
        "In which encoding the texts of a database in SQL_ASCII are, which PostgreSQL does not know: utf8, latin1, latin9 or win1252. A text that does not fit it is written whole as \\x and its bytes in hexadecimal, counted, and its column is named in the header headwater.undecoded. Databases of every other encoding are converted by PostgreSQL and do not need it."),
    entry("source.on_gap", Form::Choice(&["stop", "continue"], &["snapshot"]), "\"stop\"",
        "When changes between the checkpoint and the slot cannot be read any more. stop: end with exit code 69 and say what is missing. continue: go on from where the slot is, and count the gap."),
    entry("source.connect_timeout", Form::Duration(MS, seconds(600)), "\"10s\"", "Longest time for connecting, TLS and authentication together."),
    entry("source.status_interval", Form::Duration(MS, seconds(3_600)), "\"10s\"",
        "Longest time between two reports of progress to the server; at most a third of source.wal_sender_timeout."),
    entry("source.wal_sender_timeout", Form::Duration(seconds(1), DAY), "\"60s\"",
        "The server ends the session when it hears nothing for so long; set for our own session. Servers before 12 keep their own setting."),

    entry("snapshot.mode", Form::Choice(&["initial", "never", "only", "when_needed", "always"], &[]), "\"initial\"",
        "initial: when there is no checkpoint, the captured tables are read first (op r), and then changes are captured from that very moment on. never: changes alone, from the creation of the slot on. only: the tables are read, and the process ends with 0. when_needed: as initial, and also instead of an error when changes since the checkpoint are lost (docs/operations.md). always: as when_needed, and also at each start of the process: what changed since the checkpoint follows behind the rows."),
    entry("snapshot.tables", Form::List, "[\"*.*\"]",
        "Which of the captured tables are read by a snapshot: schema.table patterns as in source.tables. Changes of the others are captured all the same."),
    entry("snapshot.threads", Form::Integer(1, 16), "1",
        "Connections that read tables at the same time, beside the two that each pipeline has. Rows of one table keep their order; each connection takes up to limits.max_message of memory for a large row."),
    entry("snapshot.select_statement_overrides", Form::Map, "{}",
        "Statements that are read in the place of whole tables: \"public.orders\" = \"SELECT * FROM public.orders WHERE NOT deleted\". They must give all captured columns of the table."),
    entry("snapshot.lock_timeout", Form::Duration(MS, DAY), "\"10s\"",
        "Longest wait for the lock of a table, ACCESS SHARE as of any SELECT, which is held until the end of the snapshot. When it cannot be had, the snapshot starts over after a pause."),

    entry("events.format", Form::Choice(&["json"], &["avro", "protobuf", "json_schema"]), "\"json\"", "Serialisation of keys and values. This version takes json alone."),
    entry("events.envelope", Form::Choice(&["debezium", "flat"], &["cloudevents"]), "\"debezium\"",
        "Shape of the value. debezium: the event with before, after and what is known of the change. flat: the row alone, as Debezium's transformation ExtractNewRecordState has it; truncates give no record, and the four keys below say what else there is."),
    entry("events.delete_tombstone_handling_mode", Form::Choice(DeleteHandling::WORDS, &[]), "\"tombstone\"",
        "Deletes in the flat form. tombstone: one record without a value; with events.quirks = \"debezium\" its value is the text null, as Connect writes it, which log compaction keeps. delete-to-tombstone: one tombstone. drop: nothing. rewrite: the old row with __deleted = \"true\", and every other row with \"false\". rewrite-with-tombstone: the same, and the tombstone behind it."),
    entry("events.add_fields", Form::List, "[]",
        "Fields of the event that the flat form adds behind the columns: \"op\", \"table\", \"source.ts_ms\", \"transaction.id\", \"before.status\". source.ts_ms is called __source_ts_ms, unless \":NAME\" stands behind it."),
    entry("events.add_fields_prefix", Form::Text, "\"__\"", "What the names of those fields begin with."),
    entry("events.add_headers", Form::List, "[]", "Fields of the event that the flat form makes headers of; columns cannot be."),
    entry("events.add_headers_prefix", Form::Text, "\"__\"", "What the names of those headers begin with."),
    entry("events.schemas", Form::Choice(Schemas::WORDS, &[]), "false",
        "true: {\"schema\":…,\"payload\":…} with the Kafka Connect schemas of Debezium, on keys and values. \"key\", \"value\": on one of them. false: the payloads alone. The schemas.enable of Connect's JsonConverters."),
    entry("events.column_propagate_source_type", Form::List, "[]",
        "schema.table.column patterns of columns whose schema in values has the parameters __debezium.source.column.type, length, scale and name. Without events.schemas it does nothing."),
    entry("events.datatype_propagate_source_type", Form::List, "[]",
        "The same for schema.table.type patterns, the type as Debezium's driver names it, in small letters: int4, varchar, _text, bigserial."),
    entry("events.transaction_metadata", Form::Choice(&["true", "block", "false"], &[]), "true",
        "true: a transaction block in each event, and BEGIN and END records in topics.transaction. \"block\": only the block. false: neither."),
    entry("events.tombstones", Form::Bool, "true", "A record with a null value after each delete, so that log compaction drops the key."),
    entry("events.skipped_operations", Form::List, "[]", "Operations that give no events: \"c\" create, \"u\" update, \"d\" delete, \"t\" truncate, \"m\" message."),
    entry("events.skip_unchanged", Form::Bool, "false",
        "true: an update that changes none of the columns that are written gives no event. Only a table with REPLICA IDENTITY FULL says what an update changed."),
    entry("events.unavailable_value_placeholder", Form::Text, "\"__debezium_unavailable_value\"",
        "Stands in for a large (TOASTed) value that an update did not change and that the log therefore does not hold."),
    entry("events.decimal_handling_mode", Form::Choice(DecimalMode::WORDS, &[]), "\"precise\"",
        "numeric and money. precise: exact bytes, which hold no NaN and no infinity. double: a number, rounded. string: the digits, and NAN, POSITIVE_INFINITY and NEGATIVE_INFINITY."),
    entry("events.decimal_format", Form::Choice(DecimalFormat::WORDS, &[]), "\"base64\"",
        "How precise decimals of a fixed scale stand in JSON: base64 of the unscaled number, or numeric, a number with all its digits; the converter's decimal.format."),
    entry("events.time_precision_mode", Form::Choice(TimeMode::WORDS, &[]), "\"adaptive\"",
        "date, time and timestamp. adaptive: milliseconds up to three digits of a second, else microseconds. adaptive_time_microseconds: the same, but time always in microseconds. connect: milliseconds. microseconds, nanoseconds. isostring: ISO 8601 text. structured: an object of year, month and so on, also for timestamptz, timetz and interval."),
    entry("events.interval_handling_mode", Form::Choice(IntervalMode::WORDS, &[]), "\"numeric\"",
        "interval. numeric: microseconds, a month as 30.4375 days. string: P1Y2M3DT4H5M6.789S."),
    entry("events.hstore_handling_mode", Form::Choice(HstoreMode::WORDS, &[]), "\"json\"", "hstore. json: a string that holds a JSON object. map: the object."),
    entry("events.binary_handling_mode", Form::Choice(BinaryMode::WORDS, &[]), "\"bytes\"",
        "bytea. bytes: bytes, base64 in JSON. base64, base64-url-safe, hex: strings."),
    entry("events.money_fraction_digits", Form::Integer(0, MOST_MONEY_DIGITS as i64), "2", "Digits behind the point of a precise money; fewer than it has are rounded half up."),
    entry("events.include_unknown_datatypes", Form::Bool, "false",
        "true: columns of a type that Debezium has no form for (composites, multiranges, pg_lsn, tsquery, …) are the bytes of their text, in the form of events.binary_handling_mode. false: they are left out, and the log says so once."),
    entry("events.include_unmapped_arrays", Form::Bool, "false",
        "true: arrays that Debezium leaves out, of money, name, interval, varbit, xml, point and of domains, are arrays of their element's form. Debezium has no such form."),
    entry("events.field_name_adjustment_mode", Form::Choice(FieldNames::WORDS, &[]), "\"none\"",
        "Names of fields. none: those of the columns. avro: characters that Avro does not take become _. avro_unicode: they become _uXXXX, the underscore too."),
    entry("events.schema_name_adjustment_mode", Form::Choice(FieldNames::WORDS, &[]), "\"none\"",
        "Names of schemas, which are made of the topic's; the words are those of events.field_name_adjustment_mode. Without events.schemas it does nothing."),
    entry("events.quirks", Form::Choice(Quirks::WORDS, &[]), "\"none\"",
        "debezium: write what Debezium writes also where that says something else than the row (names as null, a lost microsecond, broken arrays, …: docs/compatibility.md has all). none: write what the row says."),
    entry("events.replace_null_with_default", Form::Choice(&["true", "false"], &[]), UNSET,
        "true: a NULL in a column with a default is written as the default, as Connect's JsonConverter does by default. Without it: true with events.quirks = \"debezium\", else false."),
    entry("events.heartbeat_interval", Form::Duration(MS, DAY), UNSET,
        "A heartbeat so often, between transactions: a record in topics.heartbeat with nothing but the time, for those who watch the topics. The slot does not need it. Without it: none."),
    entry("events.context_headers", Form::Bool, "true", "The __debezium.context.* headers on each record of a table."),

    entry("topics.pattern", Form::Text, "\"{name}.{schema}.{table}\"",
        "Topic of a table; {table} must occur, {name} and {schema} may. Characters that Kafka does not take become _."),
    entry("topics.transaction", Form::Text, "\"{name}.transaction\"", "Topic of the BEGIN and END records; {name} may occur."),
    entry("topics.message", Form::Text, "\"{name}.message\"", "Topic of logical decoding messages; {name} may occur. It is created with the first message."),
    entry("topics.heartbeat", Form::Text, "\"__debezium-heartbeat.{name}\"", "Topic of heartbeats; {name} may occur."),
    entry("topics.notification", Form::Text, UNSET, "Topic of notifications, a record for each step of a snapshot and one for each start without one, as Debezium's sink channel writes them; {name} may occur. Without it: none."),
    entry("topics.create", Form::Bool, "true", "Create topics that are absent. With false, a missing topic ends the pipeline with exit code 69."),
    entry("topics.partitions", Form::Integer(1, 100_000), UNSET, "Partitions of topics that Headwater creates. Without it: the broker's num.partitions."),
    entry("topics.replication_factor", Form::Integer(1, 1_000), UNSET, "Replicas of topics that Headwater creates. Without it: the broker's default.replication.factor."),
    entry("topics.settings", Form::Map, "{}", "Settings of topics that Headwater creates, for example \"retention.ms\" = 604800000 or \"cleanup.policy\" = \"compact\"."),

    entry("sink.type", Form::Choice(&["kafka", "stdout", "file"], &[]), "\"kafka\"", "kafka; stdout: JSON lines on standard output; file: JSON lines appended to sink.path."),
    entry("sink.path", Form::Text, UNSET, "File for sink.type = \"file\", which requires it; the other sinks ignore it."),

    entry("kafka.brokers", Form::List, "[]", "Brokers to ask first, as host:port. Required for sink.type = \"kafka\"."),
    entry("kafka.delivery", Form::Choice(&["exactly_once", "at_least_once"], &[]), "\"exactly_once\"",
        "exactly_once: events and checkpoint in one Kafka transaction, for read_committed consumers. at_least_once: no transactions, lower latency, repeats after a crash."),
    entry("kafka.commit_interval", Form::Duration(MS, seconds(10)), "\"100ms\"",
        "Longest time that a Kafka transaction stays open while changes flow; it is committed at once when the stream goes quiet. While the newest change is older than two seconds, five times as long. 1ms to 10s."),
    entry("kafka.commit_max_bytes", Form::Size(64 * KIB, 64 * GIB), "\"64MiB\"",
        "Bytes of records after which a Kafka transaction is committed, in the middle of a source transaction if need be."),
    entry("kafka.transactional_id", Form::Text, "\"{name}\"", "transactional.id of the producer; {name} may occur. Exactly one running process may use it."),
    entry("kafka.security_protocol", Form::Choice(&["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"], &[]), UNSET,
        "plaintext, ssl, sasl_plaintext or sasl_ssl. Without it: plaintext, which takes none of the sasl and ssl keys below."),
    entry("kafka.sasl_mechanism", Form::Choice(&["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"], &["GSSAPI"]), UNSET,
        "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; required when kafka.security_protocol is sasl_plaintext or sasl_ssl."),
    entry("kafka.sasl_username", Form::Text, UNSET, "User for SASL."),
    entry("kafka.sasl_password", Form::Secret, UNSET, "Password for SASL; at most one of kafka.sasl_password, kafka.sasl_password_file and kafka.sasl_password_env."),
    entry("kafka.sasl_password_file", Form::Text, UNSET, "File that holds the password for SASL; a newline at its end is cut off."),
    entry("kafka.sasl_password_env", Form::Text, UNSET, "Environment variable that holds the password for SASL."),
    entry("kafka.ssl_ca_location", Form::Text, UNSET, "PEM file of the authorities that may sign the brokers' certificates. Without it: those of the system."),
    entry("kafka.properties", Form::Map, "{}",
        "Any other property of librdkafka, for example \"compression.type\" = \"zstd\" or \"linger.ms\" = 5. Put _file or _env behind a name to read the value from there: \"ssl.key.password_file\". A property that a key above sets, or that Headwater needs for its promises, is refused."),

    entry("checkpoint.topic", Form::Text, "\"__headwater_checkpoints\"", "Compacted topic that keeps the position, for the Kafka sink; several pipelines may share it."),
    entry("checkpoint.file", Form::Text, "\"{name}.checkpoint\"", "File that keeps the position, for the other sinks; {name} may occur."),
    entry("checkpoint.interval", Form::Duration(MS, seconds(3_600)), "\"10s\"",
        "Longest time that progress without events stays unwritten. The server keeps its log at least so long."),

    entry("retry.initial", Form::Duration(MS, seconds(3_600)), "\"500ms\"", "Pause before the second attempt; it doubles each time, up to retry.max."),
    entry("retry.max", Form::Duration(MS, DAY), "\"30s\"", "Longest pause between two attempts; at least retry.initial."),
    entry("retry.give_up_after", Form::Duration(MS, Duration::from_secs(366 * 86_400)), UNSET,
        "End with exit code 75 when nothing has succeeded for so long. Without it: never, since the process that waits loses nothing."),

    entry("limits.memory", Form::Size(SMALLEST_SHARE, 1_024 * GIB), "\"64MiB\"",
        "Resident memory that the process may use; at least 32MiB. Buffers and the producer's queue are sized from it. Several pipelines share it evenly; in a [[pipeline]], the part of it that this one gets."),
    entry("limits.max_message", Form::Size(64 * KIB, GIB), UNSET,
        "Largest single change that is taken, at most half of limits.memory. Without it: a quarter of limits.memory, at most 1GiB. A larger one ends the pipeline with exit code 69."),
    entry("limits.drain_timeout", Form::Duration(Duration::ZERO, seconds(3_600)), "\"10s\"",
        "Time for delivering what is under way after SIGTERM. What is not delivered in time is sent after the next start."),
    entry("limits.spool_dir", Form::Text, UNSET,
        "Existing directory of a local disk, for the rows of large transactions in progress: PostgreSQL 14 and newer then sends them before their commit, and they are published that much sooner after it. Nothing in it outlives the process. Without it: transactions are sent at their commit."),
    entry("limits.spool", Form::Size(1_024 * KIB, 64 * 1_024 * GIB), "\"1GiB\"",
        "Disk that those rows may take. When they need more, or the disk fails, transactions are sent at their commit again: nothing is lost, and streaming is taken up by a later session, after ten minutes at least."),

    entry("admin.listen", Form::Text, "\"127.0.0.1:8642\"", "Address and port of the admin server, without authentication; an empty text turns it off."),
    entry("admin.stall_timeout", Form::Duration(MS, DAY), "\"60s\"", "/healthz fails when there is work and nothing has moved for so long."),

    entry("log.format", Form::Choice(&["text", "json"], &[]), "\"text\"", "text for people, json for machines: one object a line."),
    entry("log.level", Form::Text, "\"info\"", "error, warn, info, debug or trace, or a filter by module such as \"info,headwater::source=debug\"."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique_and_in_known_sections() {
        for (index, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..index].iter().all(|other| other.path != key.path), "{}", key.path);
            let (section, _) = split(key.path);
            assert!(section.is_empty() || SECTIONS.iter().any(|(name, _)| *name == section), "{}", key.path);
        }
    }
}
