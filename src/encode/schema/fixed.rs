//! The schemas of whole records, or of the part of them that all tables share. They are in the binary.

use super::structs::{field, fields};
use crate::modes::BinaryMode;

/// What `source.snapshot` may be.
macro_rules! snapshots {
    () => {
        "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"
    };
}

pub(in crate::encode) const SNAPSHOTS: &str = snapshots!();

/// The `source` block.
macro_rules! source {
    () => {
        concat!(
            "{",
            fields!(
                field!("string", false, "version"),
                field!("string", false, "connector"),
                field!("string", false, "name"),
                field!("int64", false, "ts_ms"),
                concat!(
                    "{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Enum\",\"version\":1",
                    ",\"parameters\":{\"allowed\":\"",
                    snapshots!(),
                    "\"}",
                    ",\"default\":\"false\",\"field\":\"snapshot\"}"
                ),
                field!("string", false, "db"),
                field!("string", true, "sequence"),
                field!("int64", true, "ts_us"),
                field!("int64", true, "ts_ns"),
                field!("string", false, "schema"),
                field!("string", false, "table"),
                field!("int64", true, "txId"),
                field!("int64", true, "lsn"),
                field!("int64", true, "xmin"),
                field!("string", true, "origin"),
                field!("int64", true, "origin_lsn"),
            ),
            ",\"optional\":false,\"name\":\"io.debezium.connector.postgresql.Source\",\"version\":1",
            ",\"field\":\"source\"}"
        )
    };
}

/// The `transaction` block, which the schema has whether or not it is written.
macro_rules! block {
    () => {
        concat!(
            "{",
            fields!(
                field!("string", false, "id"),
                field!("int64", false, "total_order"),
                field!("int64", false, "data_collection_order"),
            ),
            ",\"optional\":true,\"name\":\"event.block\",\"version\":1,\"field\":\"transaction\"}"
        )
    };
}

/// A struct by itself, with version 1 of its name.
macro_rules! record {
    ($name:literal, $($field:expr),+ $(,)?) => {
        concat!("{", fields!($($field),+), ",\"optional\":false,\"name\":\"", $name, "\",\"version\":1}")
    };
}

/// The logical message inside of its event.
macro_rules! message {
    ($content:literal) => {
        record!(
            "io.debezium.connector.postgresql.MessageValue",
            field!("string", false, "op"),
            field!("int64", true, "ts_ms"),
            source!(),
            block!(),
            concat!(
                "{",
                fields!(field!("string", true, "prefix"), field!($content, true, "content")),
                ",\"optional\":false,\"name\":\"io.debezium.connector.postgresql.Message\",\"version\":1",
                ",\"field\":\"message\"}"
            ),
        )
    };
}

/// The fields of an envelope behind `before` and `after`.
pub(in crate::encode) const ENVELOPE: &str = concat!(
    source!(),
    ",",
    block!(),
    ",",
    field!("string", false, "op"),
    ",",
    field!("int64", true, "ts_ms"),
    ",",
    field!("int64", true, "ts_us"),
    ",",
    field!("int64", true, "ts_ns")
);

/// The key of a record of the transaction topic.
pub(in crate::encode) const TRANSACTION_KEY: &str =
    record!("io.debezium.connector.common.TransactionMetadataKey", field!("string", false, "id"));

/// BEGIN and END.
pub(in crate::encode) const TRANSACTION_VALUE: &str = record!(
    "io.debezium.connector.common.TransactionMetadataValue",
    field!("string", false, "status"),
    field!("string", false, "id"),
    field!("int64", true, "event_count"),
    concat!(
        "{\"type\":\"array\",\"items\":{",
        fields!(field!("string", false, "data_collection"), field!("int64", false, "event_count")),
        ",\"optional\":true,\"name\":\"event.collection\",\"version\":1}",
        ",\"optional\":true,\"field\":\"data_collections\"}"
    ),
    field!("int64", false, "ts_ms"),
);

/// The key of a logical message.
pub(in crate::encode) const MESSAGE_KEY: &str =
    record!("io.debezium.connector.postgresql.MessageKey", field!("string", true, "prefix"));

/// A logical message, whose content is bytes or text.
pub(in crate::encode) const fn message_value(mode: BinaryMode) -> &'static str {
    match mode {
        BinaryMode::Bytes => message!("bytes"),
        BinaryMode::Base64 | BinaryMode::Base64UrlSafe | BinaryMode::Hex => message!("string"),
    }
}

/// The key of a heartbeat.
pub(in crate::encode) const HEARTBEAT_KEY: &str =
    record!("io.debezium.connector.common.ServerNameKey", field!("string", false, "serverName"));

/// A heartbeat.
pub(in crate::encode) const HEARTBEAT_VALUE: &str =
    record!("io.debezium.connector.common.Heartbeat", field!("int64", false, "ts_ms"));

/// The key of a notification.
pub(in crate::encode) const NOTIFICATION_KEY: &str =
    record!("io.debezium.connector.common.NotificationKey", field!("string", false, "id"));

/// A notification.
pub(in crate::encode) const NOTIFICATION_VALUE: &str = record!(
    "io.debezium.connector.common.Notification",
    field!("string", false, "id"),
    field!("string", false, "type"),
    field!("string", false, "aggregate_type"),
    concat!(
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":false}",
        ",\"values\":{\"type\":\"string\",\"optional\":false},\"optional\":true,\"field\":\"additional_data\"}"
    ),
    field!("int64", false, "timestamp"),
);

/// Appends what `payload` appends, behind its schema when there is one.
pub(in crate::encode) fn framed(schema: Option<&str>, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let Some(schema) = schema else { return payload(out) };
    for part in ["{\"schema\":", schema, ",\"payload\":"] {
        out.extend_from_slice(part.as_bytes());
    }
    payload(out);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_schema() {
        let whole = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        for (schema, name, fields) in [
            (TRANSACTION_KEY, "io.debezium.connector.common.TransactionMetadataKey", &["id"][..]),
            (
                TRANSACTION_VALUE,
                "io.debezium.connector.common.TransactionMetadataValue",
                &["status", "id", "event_count", "data_collections", "ts_ms"],
            ),
            (HEARTBEAT_KEY, "io.debezium.connector.common.ServerNameKey", &["serverName"]),
            (HEARTBEAT_VALUE, "io.debezium.connector.common.Heartbeat", &["ts_ms"]),
            (NOTIFICATION_KEY, "io.debezium.connector.common.NotificationKey", &["id"]),
            (
                NOTIFICATION_VALUE,
                "io.debezium.connector.common.Notification",
                &["id", "type", "aggregate_type", "additional_data", "timestamp"],
            ),
            (MESSAGE_KEY, "io.debezium.connector.postgresql.MessageKey", &["prefix"]),
            (
                message_value(BinaryMode::Hex),
                "io.debezium.connector.postgresql.MessageValue",
                &["op", "ts_ms", "source", "transaction", "message"],
            ),
        ] {
            let schema = whole(schema);
            assert_eq!((&schema["type"], &schema["name"]), (&"struct".into(), &name.into()));
            let written: Vec<_> =
                schema["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
            assert_eq!(written, fields, "{name}");
        }
        let content = |mode| whole(message_value(mode))["fields"][4]["fields"][1]["type"].clone();
        assert_eq!(
            (content(BinaryMode::Bytes), content(BinaryMode::Base64)),
            ("bytes".into(), "string".into())
        );
        assert_eq!(whole(&format!("[{ENVELOPE}]")).as_array().unwrap().len(), 6);
    }
}
