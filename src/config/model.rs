//! The checked configuration. Field docs state unit, default and interaction; `config/headwater.toml` shows the same to users.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::flat::Flat;
use crate::masks::Mask;
use crate::modes::{Modes, TextEncoding};

pub use std::time::Duration;

/// Everything that one pipeline is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Topic prefix; also the default of slot, publication and transactional id. `[A-Za-z0-9._-]`, 1 to 63 characters.
    pub name: String,
    pub source: Source,
    pub snapshot: Snapshot,
    pub events: Events,
    pub topics: Topics,
    pub sink: Sink,
    pub kafka: Kafka,
    pub checkpoint: Checkpoint,
    pub retry: Retry,
    pub limits: Limits,
}

/// What concerns the process as a whole, however many pipelines run in it.
#[derive(Clone, Debug)]
pub struct Process {
    pub admin: Admin,
    pub log: Log,
    /// Resident memory of the process in bytes: `limits.memory` at the top of the file.
    pub memory: u64,
    /// The file has `[[pipeline]]` tables, so that logs and pages must say which one is meant; also when it is one alone.
    pub several: bool,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Source {
    /// Host name or address; a path that begins with `/` is the directory of a Unix socket. Default `127.0.0.1`.
    pub host: String,
    /// Default 5432.
    pub port: u16,
    /// Default: the user's name, as libpq does.
    pub database: String,
    /// Required.
    pub user: String,
    /// From `password`, `password_file`, `password_env` or the URL; none for `trust` and client certificates.
    pub password: Option<SecretString>,
    /// Default `verify-full` for a remote host, `disable` for loopback and Unix sockets.
    pub sslmode: SslMode,
    /// PEM file of authorities; default: the system's.
    pub sslrootcert: Option<PathBuf>,
    /// PEM file of the client certificate chain; with `sslkey`.
    pub sslcert: Option<PathBuf>,
    /// PEM file of the client key.
    pub sslkey: Option<PathBuf>,
    /// Default `headwater_<name>`, made to fit `[a-z0-9_]{1,63}`.
    pub slot: String,
    /// Default `headwater_<name>`, made to fit as the slot is.
    pub publication: String,
    /// Default [`PublicationMode::Tables`].
    pub publication_mode: PublicationMode,
    /// `schema.table` patterns and what such tables are to log of old rows, the first that matches; default none, and then nothing
    /// is altered.
    pub replica_identity: Vec<(String, ReplicaIdentityRule)>,
    /// Changes of partitions are published as those of their root; default false, which leaves the publication as it is.
    pub publish_via_partition_root: bool,
    /// `schema.table` patterns, `*` and `?` as in a shell; default `["public.*"]`.
    pub tables: Vec<String>,
    /// Taken away from `tables`; default none.
    pub exclude_tables: Vec<String>,
    /// `schema.table.column` patterns; when not empty, a table that one of them names keeps only the columns named.
    pub columns: Vec<String>,
    /// `schema.table.column` patterns of columns left out of `before` and `after`; the key keeps them.
    pub exclude_columns: Vec<String>,
    /// `schema.table:column,column`: columns that are the key in the place of the table's own; default none.
    pub key_columns: Vec<String>,
    /// `schema.table.column` patterns and how the texts of such columns are hidden; the first pattern that matches counts.
    pub mask_columns: Vec<(String, Mask)>,
    /// Patterns of prefixes of logical decoding messages; default `["*"]`.
    pub messages: Vec<String>,
    /// Taken away from `messages`; default none.
    pub exclude_messages: Vec<String>,
    /// Run as often as there are heartbeats; default none.
    pub heartbeat_query: Option<String>,
    /// How often new tables are looked for; zero: never. Default 10 s.
    pub discover_interval: Duration,
    /// What texts are when the database is in SQL_ASCII; default UTF-8.
    pub sql_ascii: TextEncoding,
    /// What to do when changes between the checkpoint and the slot are gone; default `stop`.
    pub on_gap: OnGap,
    /// Default 10 s; for connecting, TLS and authentication together.
    pub connect_timeout: Duration,
    /// Longest time between two standby status updates; default 10 s, at most a third of `wal_sender_timeout`.
    pub status_interval: Duration,
    /// `wal_sender_timeout` of our own session; default 60 s; ignored by servers before 12.
    pub wal_sender_timeout: Duration,
}

/// libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The words behind REPLICA IDENTITY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaIdentityRule {
    Default,
    Full,
    Nothing,
    /// The name of an index of the table.
    Index(String),
}

/// How the publication comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicationMode {
    /// Created for exactly the captured tables when absent, and kept so by adding and dropping tables. (`tables`)
    Tables,
    /// Created FOR ALL TABLES when absent; needs a superuser. (`all_tables`)
    AllTables,
    /// Never created nor altered. (`disabled`)
    Disabled,
}

/// When the slot is ahead of the checkpoint, missing, invalidated, or of another cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnGap {
    /// End with an error that says what is missing.
    Stop,
    /// Go on from where the slot is, or create it anew; logged as an error and counted in `headwater_gaps_total`.
    Continue,
}

/// The first copy of the tables.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub mode: SnapshotMode,
    /// `schema.table` patterns: which of the captured tables are read; default `*.*`.
    pub tables: Vec<String>,
    /// Connections that read tables at the same time; default 1.
    pub threads: usize,
    /// From `schema.table` to the SELECT that is read in its place.
    pub select_statement_overrides: BTreeMap<String, String>,
    /// Longest wait for the lock of a table; default 10 s.
    pub lock_timeout: Duration,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            mode: SnapshotMode::Initial,
            tables: vec!["*.*".to_owned()],
            threads: 1,
            select_statement_overrides: BTreeMap::new(),
            lock_timeout: Duration::from_secs(10),
        }
    }
}

/// `snapshot.mode`: when the tables are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotMode {
    /// When there is no checkpoint.
    Initial,
    /// Never: changes alone, from the creation of the slot on.
    Never,
    /// Once, and nothing is streamed.
    Only,
    /// As [`SnapshotMode::Initial`], and in the place of an error when changes since the checkpoint are lost.
    WhenNeeded,
    /// As [`SnapshotMode::WhenNeeded`], and at each start of the process.
    Always,
}

/// The shape of the events.
#[derive(Clone, Debug)]
pub struct Events {
    /// Default true: block in each event, and BEGIN and END records.
    pub transaction_metadata: TransactionMetadata,
    /// A record with a null value behind each delete; default true.
    pub tombstones: bool,
    /// Operations that give no events; default none.
    pub skipped_operations: Vec<Operation>,
    /// Updates that change nothing of what is written give no events; default false.
    pub skip_unchanged: bool,
    /// Stands in for a TOASTed value that the update did not change; default `__debezium_unavailable_value`.
    pub unavailable_value_placeholder: String,
    /// A heartbeat so often; none (the default): no heartbeats.
    pub heartbeat_interval: Option<Duration>,
    /// The four `__debezium.context.*` headers on each record of a table; default true.
    pub context_headers: bool,
    /// `schema.table.column` patterns of columns whose type is in the parameters of their schema; default none.
    pub column_propagate_source_type: Vec<String>,
    /// The same, as schema.table.type.
    pub datatype_propagate_source_type: Vec<String>,
    /// The forms of values; default Debezium's.
    pub modes: Modes,
    /// Rows without their envelope; none (the default): events have it.
    pub flat: Option<Flat>,
}

/// `events.transaction_metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMetadata {
    /// Block in each event, BEGIN and END records in the transaction topic. (`true`)
    Full,
    /// Block in each event only. (`"block"`)
    Block,
    /// Neither. (`false`)
    Off,
}

/// Operations as Debezium letters them, for `events.skipped_operations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `c`
    Create,
    /// `u`
    Update,
    /// `d`
    Delete,
    /// `t`
    Truncate,
    /// `m`, a logical decoding message
    Message,
}

/// Where records go.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Default `{name}.{schema}.{table}`.
    pub pattern: String,
    /// Default `{name}.transaction`, already filled in.
    pub transaction: String,
    /// Of logical decoding messages; default `{name}.message`, already filled in.
    pub message: String,
    /// Of heartbeats; default `__debezium-heartbeat.{name}`, already filled in.
    pub heartbeat: String,
    /// Of notifications, filled in; none: none are written.
    pub notification: Option<String>,
    /// Create topics that are absent; default true.
    pub create: bool,
    /// Partitions of created topics; none: the broker's default.
    pub partitions: Option<u32>,
    /// Replication factor of created topics; none: the broker's default.
    pub replication_factor: Option<u16>,
    /// Settings of created topics, for example `retention.ms`.
    pub settings: BTreeMap<String, String>,
}

/// `sink.type` and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    Kafka,
    /// JSON lines on standard output.
    Stdout,
    /// JSON lines appended to a file.
    File {
        path: PathBuf,
    },
}

/// The brokers.
#[derive(Clone, Debug)]
pub struct Kafka {
    /// `host:port`; at least one when the sink is Kafka.
    pub brokers: Vec<String>,
    /// Default exactly once.
    pub delivery: Delivery,
    /// Longest time a Kafka transaction stays open while changes flow; default 100 ms.
    pub commit_interval: Duration,
    /// Bytes of records after which a Kafka transaction is committed, in the middle of a source transaction if need be; default 64 MiB.
    pub commit_max_bytes: u64,
    /// Default: `name`.
    pub transactional_id: String,
    /// librdkafka properties, secrets resolved: `[kafka.properties]`, and `security.protocol`, `sasl.*` and
    /// `ssl.ca.location` of the typed keys. They never contain a property that the fields above or the sink set.
    pub properties: BTreeMap<String, SecretString>,
}

/// `kafka.delivery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

/// Where the position is kept.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Compacted topic for the Kafka sink; default `__headwater_checkpoints`.
    pub topic: String,
    /// File for the other sinks; default `<name>.checkpoint` in the working directory.
    pub file: PathBuf,
    /// Longest time that an idle stream's progress stays unwritten; default 10 s.
    pub interval: Duration,
}

/// Pauses between attempts.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Default 500 ms.
    pub initial: Duration,
    /// Default 30 s.
    pub max: Duration,
    /// Give up, with exit code 75, when nothing has succeeded for so long; none (the default): never.
    pub give_up_after: Option<Duration>,
}

/// Bounds.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The pipeline's part of the process's resident memory, in bytes: all of it, 64 MiB by default, or its share.
    pub memory: u64,
    /// What of it is taken before any buffer, in bytes: threads and libraries, and the program where it counts here.
    pub fixed: u64,
    /// Largest message of the stream in bytes; default a quarter of `memory`.
    pub max_message: u64,
    /// Time for draining after SIGTERM; default 10 s.
    pub drain_timeout: Duration,
    /// Directory for rows of transactions in progress; none (the default): they are not streamed.
    pub spool_dir: Option<PathBuf>,
    /// Bytes that those may take there; default 1 GiB.
    pub spool: u64,
}

/// The admin server.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Default `127.0.0.1:8642`; an empty text turns it off.
    pub listen: Option<SocketAddr>,
    /// `/healthz` fails after so long without progress although there is work; default 60 s.
    pub stall_timeout: Duration,
}

/// Logs, on standard error.
#[derive(Clone, Debug)]
pub struct Log {
    /// Default text.
    pub format: LogFormat,
    /// A `tracing` filter; default `info`.
    pub level: String,
}

/// `log.format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}
