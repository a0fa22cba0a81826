//! What `/status` and `headwater status` show: one page for the person who was woken up. Numbers come from the metrics, so
//! that the two never disagree; names and the last error are kept here. No secret and no row value comes near it: errors
//! carry neither, and of the configuration only names are kept.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::metrics::{Metrics, VERSION};
use super::tables::TableTotals;
use crate::config::{Config, Delivery, Sink};
use crate::error::Error;
use crate::lsn::UnixMicros;

/// What is known of the pipeline beside its numbers. Shared; changed when a session starts or fails, never per batch.
#[derive(Debug)]
pub struct Status {
    metrics: Metrics,
    started: UnixMicros,
    pipeline: PipelineNames,
    changing: Mutex<Changing>,
}

impl Status {
    #[must_use]
    pub fn new(config: &Config, metrics: Metrics, started: UnixMicros) -> Self {
        let (sink, delivery) = match config.sink {
            Sink::Kafka => ("kafka", Some(delivery_name(config.kafka.delivery).to_owned())),
            Sink::Stdout => ("stdout", None),
            Sink::File { .. } => ("file", None),
        };
        Self {
            metrics,
            started,
            pipeline: PipelineNames {
                name: config.name.clone(),
                slot: config.source.slot.clone(),
                publication: config.source.publication.clone(),
                sink: sink.to_owned(),
                delivery,
            },
            changing: Mutex::default(),
        }
    }

    /// The name of the pipeline.
    pub fn name(&self) -> &str {
        &self.pipeline.name
    }

    /// A connection has told which server it is.
    pub fn connected(&self, server: Server) {
        self.change(|changing| changing.server = Some(server));
    }

    /// A session or the process ended with `error`, which is counted in `headwater_errors_total` too.
    pub fn failed(&self, error: &Error, now: UnixMicros) {
        self.metrics.error(error.kind());
        let last_error = LastError {
            kind: error.kind().name().to_owned(),
            message: error.to_string().chars().take(MAX_MESSAGE_CHARS).collect(),
            hint: error.hint().to_owned(),
            time: rfc3339(now),
        };
        self.change(|changing| changing.last_error = Some(last_error));
    }

    /// The page as of `now`.
    pub fn report(&self, now: UnixMicros) -> Report {
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let metrics = self.metrics.pipeline();
        let progress = metrics.last_progress();
        Report {
            pipeline: self.pipeline.clone(),
            state: metrics.state().name().to_owned(),
            version: VERSION.to_owned(),
            started: rfc3339(self.started),
            uptime_seconds: u64::try_from(now.0.saturating_sub(self.started.0) / 1_000_000).unwrap_or(0),
            server: changing.server,
            lsn: Positions {
                source: progress.source.to_string(),
                received: progress.received.to_string(),
                flushed: progress.flushed.to_string(),
                checkpoint: progress.checkpoint.to_string(),
                confirmed: progress.confirmed.to_string(),
            },
            lag_bytes: metrics.lag_bytes(),
            lag_seconds: metrics.lag_seconds(now),
            queue_bytes: progress.queue_bytes,
            queue_records: progress.queue_records,
            transactions_published: metrics.transactions_published(),
            restarts: self.metrics.restarts(),
            last_error: changing.last_error,
            tables: self.metrics.tables(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Changing)) {
        change(&mut self.changing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(flatten)]
    pub pipeline: PipelineNames,
    /// As in `headwater_state`.
    pub state: String,
    /// Of this program.
    pub version: String,
    pub started: String,
    pub uptime_seconds: u64,
    /// None before the first connection.
    pub server: Option<Server>,
    pub lsn: Positions,
    pub lag_bytes: u64,
    pub lag_seconds: f64,
    pub queue_bytes: u64,
    pub queue_records: u64,
    pub transactions_published: u64,
    pub restarts: u64,
    /// Stays after the pipeline has recovered; its time says how old it is.
    pub last_error: Option<LastError>,
    pub tables: Vec<TableTotals>,
}

/// Names out of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineNames {
    pub name: String,
    pub slot: String,
    pub publication: String,
    pub sink: String,
    /// None for a sink that is not Kafka.
    pub delivery: Option<String>,
}

/// What IDENTIFY_SYSTEM and `server_version` say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// As text: JSON readers lose digits of 64-bit numbers.
    pub system_id: String,
    pub timeline: u32,
    pub version: String,
}

/// Log positions as PostgreSQL prints them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Positions {
    pub source: String,
    pub received: String,
    pub flushed: String,
    pub checkpoint: String,
    pub confirmed: String,
}

/// The last failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    pub kind: String,
    pub message: String,
    pub hint: String,
    pub time: String,
}

#[derive(Clone, Debug, Default)]
struct Changing {
    server: Option<Server>,
    last_error: Option<LastError>,
}

const fn delivery_name(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::ExactlyOnce => "exactly_once",
        Delivery::AtLeastOnce => "at_least_once",
    }
}

/// UTC, to the second; a time that no calendar holds reads as empty.
fn rfc3339(time: UnixMicros) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time.0.div_euclid(1_000_000)).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// A server's message can be long; the log has it whole.
const MAX_MESSAGE_CHARS: usize = 2000;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config;
    use crate::error::Kind;
    use crate::event::Op;
    use crate::lsn::Lsn;
    use crate::observe::{About, Progress, State};

    /// A configuration with secrets in every place that takes one.
    pub(in crate::observe) fn config() -> Config {
        use std::collections::BTreeMap;
        use std::time::Duration;
        let pause = Duration::from_secs(1);
        Config {
            name: "shop".into(),
            source: config::Source {
                host: "db.example".into(),
                port: 5432,
                database: "shop".into(),
                user: "headwater".into(),
                password: Some("s3cret".to_owned().into()),
                sslmode: config::SslMode::Disable,
                sslrootcert: None,
                sslcert: None,
                sslkey: None,
                slot: "headwater_shop".into(),
                publication: "headwater_pub".into(),
                publication_mode: config::PublicationMode::Tables,
                replica_identity: vec![],
                publish_via_partition_root: false,
                tables: vec!["public.*".into()],
                exclude_tables: vec![],
                columns: vec![],
                exclude_columns: vec![],
                key_columns: vec![],
                mask_columns: vec![],
                messages: vec![],
                exclude_messages: vec![],
                heartbeat_query: None,
                discover_interval: pause,
                sql_ascii: crate::modes::TextEncoding::default(),
                on_gap: config::OnGap::Stop,
                connect_timeout: pause,
                status_interval: pause,
                wal_sender_timeout: pause,
            },
            snapshot: config::Snapshot { mode: config::SnapshotMode::Never, ..config::Snapshot::default() },
            events: config::Events {
                transaction_metadata: config::TransactionMetadata::Full,
                tombstones: true,
                skipped_operations: vec![],
                skip_unchanged: false,
                unavailable_value_placeholder: String::new(),
                heartbeat_interval: None,
                context_headers: true,
                column_propagate_source_type: vec![],
                datatype_propagate_source_type: vec![],
                flat: None,
                modes: crate::modes::Modes::default(),
            },
            topics: config::Topics {
                pattern: String::new(),
                transaction: String::new(),
                message: String::new(),
                heartbeat: String::new(),
                notification: None,
                create: true,
                partitions: None,
                replication_factor: None,
                settings: BTreeMap::new(),
            },
            sink: Sink::Kafka,
            kafka: config::Kafka {
                brokers: vec![],
                delivery: Delivery::ExactlyOnce,
                commit_interval: pause,
                commit_max_bytes: 1,
                transactional_id: String::new(),
                properties: [("sasl.password".to_owned(), "s3cret".to_owned().into())].into(),
            },
            checkpoint: config::Checkpoint { topic: String::new(), file: "x".into(), interval: pause },
            retry: config::Retry { initial: pause, max: pause, give_up_after: None },
            limits: config::Limits {
                memory: 1,
                fixed: 0,
                max_message: 1,
                drain_timeout: pause,
                spool_dir: None,
                spool: 1,
            },
        }
    }

    #[test]
    fn the_page_reads_like_this() {
        let metrics = Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap();
        let status = Status::new(&config(), metrics.clone(), UnixMicros(1_700_000_000_000_000));
        metrics.table("public", "orders").inc(Op::Create, 10);
        metrics.pipeline().set_state(State::Streaming);
        let position = |lsn: u64| Lsn(0x16_0000_0000 + lsn);
        let progress = Progress {
            source: position(5),
            received: position(4),
            flushed: position(3),
            checkpoint: position(2),
            confirmed: position(1),
            ..Progress::default()
        };
        metrics.pipeline().progress(&progress, UnixMicros(1_700_000_060_000_000));
        status.connected(Server { system_id: "7".into(), timeline: 1, version: "18.1".into() });
        let error = Error::new(Kind::SlotBusy, "slot \"headwater_shop\" is active for PID 12");
        status.failed(&error, UnixMicros(1_700_000_059_000_000));
        let page = serde_json::to_string_pretty(&status.report(UnixMicros(1_700_000_060_500_000))).unwrap();
        let expected = r#"{
  "name": "shop",
  "slot": "headwater_shop",
  "publication": "headwater_pub",
  "sink": "kafka",
  "delivery": "exactly_once",
  "state": "streaming",
  "version": "VERSION",
  "started": "2023-11-14T22:13:20Z",
  "uptime_seconds": 60,
  "server": {
    "system_id": "7",
    "timeline": 1,
    "version": "18.1"
  },
  "lsn": {
    "source": "16/5",
    "received": "16/4",
    "flushed": "16/3",
    "checkpoint": "16/2",
    "confirmed": "16/1"
  },
  "lag_bytes": 4,
  "lag_seconds": 0.0,
  "queue_bytes": 0,
  "queue_records": 0,
  "transactions_published": 0,
  "restarts": 0,
  "last_error": {
    "kind": "slot_busy",
    "message": "slot \"headwater_shop\" is active for PID 12",
    "hint": "stop the other client of the slot; it is taken over as soon as it is free",
    "time": "2023-11-14T22:14:19Z"
  },
  "tables": [
    {
      "schema": "public",
      "table": "orders",
      "create": 1,
      "update": 0,
      "delete": 0,
      "truncate": 0,
      "read": 0
    }
  ]
}"#;
        assert_eq!(page, expected.replace("VERSION", VERSION));
        assert_eq!(metrics.errors(Kind::SlotBusy), 1);
    }

    #[test]
    fn no_secret_comes_near_it() {
        let metrics = Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap();
        let status = Status::new(&config(), metrics, UnixMicros(0));
        let everything =
            format!("{:?} {}", status, serde_json::to_string(&status.report(UnixMicros(0))).unwrap());
        assert!(!everything.contains("s3cret"), "{everything}");
    }
}
