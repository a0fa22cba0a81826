//! The servers that all contenders share: PostgreSQL 18 and one Kafka broker, as a default installation has them but for
//! what is listed here.

use crate::arguments::Socket;
use crate::support::{Kafka, Postgres};

/// The running servers.
pub(crate) struct Ground {
    pub(crate) postgres: Postgres,
    pub(crate) kafka: Kafka,
}

impl Ground {
    pub(crate) fn start() -> Self {
        Self { postgres: Postgres::start(18, &POSTGRES_SETTINGS), kafka: Kafka::start_with(&KAFKA_JVM) }
    }

    /// `host` of a connection.
    pub(crate) fn host(&self, socket: Socket) -> String {
        match socket {
            Socket::Tcp => "127.0.0.1".to_owned(),
            Socket::Unix => self.postgres.socket_directory().display().to_string(),
        }
    }
}

/// A slot for each contender of each round; no work of the server's own while somebody is measured.
pub(crate) const POSTGRES_SETTINGS: [(&str, &str); 7] = [
    ("shared_buffers", "128MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("synchronous_commit", "off"),
    ("max_replication_slots", "200"),
    ("track_io_timing", "off"),
];

/// As Kafka's start script has it, with a heap for a machine that is shared.
pub(crate) const KAFKA_JVM: [&str; 3] = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"];
