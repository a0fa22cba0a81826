//! Values for the tests of this module.

use std::time::Duration;

use crate::config::{
    Checkpoint, Config, Delivery, Events, Kafka, Limits, OnGap, PublicationMode, Retry, Sink, Snapshot,
    SnapshotMode, Source, SslMode, Topics, TransactionMetadata,
};
use crate::encode::Records;
use crate::event::TopicId;

/// One record of topic 0 with the key `{"id":1}`.
pub(crate) fn records(context: bool, headers: &[(&str, &str)], value: &[u8]) -> Records {
    let mut records = Records::default();
    push(&mut records, context, headers, value);
    records
}

pub(crate) fn push(records: &mut Records, context: bool, headers: &[(&str, &str)], value: &[u8]) {
    let buffer = records.buffer();
    let start = buffer.len();
    buffer.extend_from_slice(b"{\"id\":1}");
    let key = start..buffer.len();
    buffer.extend_from_slice(value);
    let value = key.end..buffer.len();
    for part in headers.iter().flat_map(|(name, value)| [name, value]) {
        buffer.extend_from_slice(&u32::try_from(part.len()).unwrap().to_le_bytes());
        buffer.extend_from_slice(part.as_bytes());
    }
    let headers = value.end..buffer.len();
    records.push(TopicId(0), context, Some(key), Some(value), headers);
}

/// The defaults, for the brokers at `brokers`.
pub(crate) fn config(brokers: &str) -> Config {
    Config {
        name: "shop".into(),
        source: source(),
        snapshot: Snapshot { mode: SnapshotMode::Never, ..Snapshot::default() },
        events: Events {
            transaction_metadata: TransactionMetadata::Full,
            tombstones: true,
            skipped_operations: Vec::new(),
            skip_unchanged: false,
            unavailable_value_placeholder: "__debezium_unavailable_value".into(),
            heartbeat_interval: None,
            context_headers: true,
            column_propagate_source_type: vec![],
            datatype_propagate_source_type: vec![],
            modes: crate::modes::Modes::default(),
            flat: None,
        },
        topics: Topics {
            pattern: "{name}.{schema}.{table}".into(),
            transaction: "shop.transaction".into(),
            message: "shop.message".into(),
            heartbeat: "__debezium-heartbeat.shop".into(),
            notification: None,
            create: true,
            partitions: None,
            replication_factor: None,
            settings: [].into(),
        },
        sink: Sink::Kafka,
        kafka: Kafka {
            brokers: vec![brokers.into()],
            delivery: Delivery::ExactlyOnce,
            commit_interval: Duration::from_millis(100),
            commit_max_bytes: 64 * 1024 * 1024,
            transactional_id: "shop".into(),
            properties: [].into(),
        },
        checkpoint: Checkpoint {
            topic: "__headwater_checkpoints".into(),
            file: "shop.checkpoint".into(),
            interval: Duration::from_secs(10),
        },
        retry: Retry {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            give_up_after: None,
        },
        limits: Limits {
            memory: 64 * 1024 * 1024,
            fixed: 20 * 1024 * 1024,
            max_message: 16 * 1024 * 1024,
            drain_timeout: Duration::from_secs(10),
            spool_dir: None,
            spool: 1024 * 1024 * 1024,
        },
    }
}

fn source() -> Source {
    Source {
        host: "127.0.0.1".into(),
        port: 5432,
        database: "shop".into(),
        user: "headwater".into(),
        password: None,
        sslmode: SslMode::Disable,
        sslrootcert: None,
        sslcert: None,
        sslkey: None,
        slot: "headwater_shop".into(),
        publication: "headwater_shop".into(),
        publication_mode: PublicationMode::Tables,
        replica_identity: Vec::new(),
        publish_via_partition_root: false,
        tables: vec!["public.*".into()],
        exclude_tables: Vec::new(),
        columns: Vec::new(),
        exclude_columns: Vec::new(),
        key_columns: Vec::new(),
        mask_columns: Vec::new(),
        messages: vec!["*".into()],
        exclude_messages: Vec::new(),
        heartbeat_query: None,
        discover_interval: Duration::ZERO,
        sql_ascii: crate::modes::TextEncoding::default(),
        on_gap: OnGap::Stop,
        connect_timeout: Duration::from_secs(10),
        status_interval: Duration::from_secs(10),
        wal_sender_timeout: Duration::from_secs(60),
    }
}
