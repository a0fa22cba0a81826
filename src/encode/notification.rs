//! Notifications: records of how a snapshot goes, as Debezium's `SinkNotificationChannel` writes them
//! (`io.debezium.pipeline.notification`). Like heartbeats they are no events of the database: their ids say nothing of its log, and a
//! snapshot that starts over tells of itself anew.

use super::envelope::{EncodeSettings, appended};
use super::records::Records;
use super::schema::fixed::{NOTIFICATION_KEY, NOTIFICATION_VALUE, framed};
use super::writer::{push_int, push_string};
use crate::event::TopicId;

/// A notification.
#[derive(Clone, Copy, Debug)]
pub struct Notification<'a> {
    pub topic: TopicId,
    /// A UUID.
    pub id: &'a str,
    pub status: SnapshotStatus<'a>,
    /// The wall clock in milliseconds since 1970.
    pub now_ms: i64,
}

/// The step of a snapshot that a notification tells of. A table is `schema.table`; several are parted by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotStatus<'a> {
    Started,
    /// The tables that will be read, in the order of their names.
    Resolved {
        tables: &'a str,
    },
    /// A table is read now; the tables of the snapshot in the order in which they are read.
    InProgress {
        table: &'a str,
        tables: &'a str,
    },
    /// A table was read.
    Scanned {
        table: &'a str,
        tables: &'a str,
        rows: u64,
    },
    /// The database refused to read a table.
    Refused {
        table: &'a str,
    },
    Completed,
    /// It did not get to its end.
    Aborted,
    /// Changes are captured without one.
    Skipped,
}

impl SnapshotStatus<'_> {
    /// `type`.
    fn name(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Resolved { .. } => "DATA_COLLECTIONS_RESOLVED",
            Self::InProgress { .. } => "IN_PROGRESS",
            Self::Scanned { .. } | Self::Refused { .. } => "TABLE_SCAN_COMPLETED",
            Self::Completed => "COMPLETED",
            Self::Aborted => "ABORTED",
            Self::Skipped => "SKIPPED",
        }
    }
}

impl Notification<'_> {
    /// Appends the record.
    pub fn push(&self, settings: &EncodeSettings, out: &mut Records) {
        let schemas = settings.modes.schemas;
        let buffer = out.buffer();
        let key = appended(buffer, |buffer| {
            framed(schemas.key().then_some(NOTIFICATION_KEY), buffer, |buffer| {
                push_text(b"{\"id\":", self.id, buffer);
                buffer.push(b'}');
            });
        });
        let value = appended(buffer, |buffer| {
            framed(schemas.value().then_some(NOTIFICATION_VALUE), buffer, |buffer| {
                push_text(b"{\"id\":", self.id, buffer);
                push_text(b",\"type\":", self.status.name(), buffer);
                buffer.extend_from_slice(b",\"aggregate_type\":\"Initial Snapshot\",\"additional_data\":{");
                self.push_data(&settings.name, buffer);
                buffer.extend_from_slice(b"},\"timestamp\":");
                push_int(buffer, self.now_ms);
                buffer.push(b'}');
            });
        });
        let end = buffer.len();
        out.push(self.topic, false, Some(key), Some(value), end..end);
    }

    /// A map of texts, numbers too. In Debezium their order is another in each process.
    fn push_data(&self, name: &str, out: &mut Vec<u8>) {
        match self.status {
            SnapshotStatus::InProgress { table, .. } => {
                push_text(b"\"current_collection_in_progress\":", table, out);
                out.push(b',');
            }
            SnapshotStatus::Scanned { table, .. } | SnapshotStatus::Refused { table } => {
                push_text(b"\"scanned_collection\":", table, out);
                out.push(b',');
            }
            _ => {}
        }
        push_text(b"\"connector_name\":", name, out);
        match self.status {
            SnapshotStatus::Resolved { tables } | SnapshotStatus::InProgress { tables, .. } => {
                push_text(b",\"data_collections\":", tables, out);
            }
            SnapshotStatus::Scanned { tables, rows, .. } => {
                out.extend_from_slice(b",\"total_rows_scanned\":\"");
                push_int(out, rows);
                push_text(b"\",\"data_collections\":", tables, out);
                out.extend_from_slice(b",\"status\":\"SUCCEEDED\"");
            }
            SnapshotStatus::Refused { .. } => out.extend_from_slice(b",\"status\":\"SQL_EXCEPTION\""),
            _ => {}
        }
    }
}

/// Appends `text` as a JSON string behind `label`. Names of a database are UTF-8 here.
fn push_text(label: &[u8], text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(label);
    let _ = push_string(out, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Modes;
    use crate::modes::{Schemas, TextEncoding};

    fn written(status: SnapshotStatus<'_>, schemas: Schemas) -> [String; 2] {
        let settings = EncodeSettings {
            name: "shop".into(),
            database: "db".into(),
            version: "1".into(),
            system_id: 7,
            transaction_block: true,
            context_headers: true,
            placeholder: String::new(),
            texts: TextEncoding::Utf8,
            modes: Modes { schemas, ..Modes::default() },
            flat: None,
        };
        let mut out = Records::default();
        Notification { topic: TopicId(3), id: "u-1", status, now_ms: 5 }.push(&settings, &mut out);
        let record = out.get(0).unwrap();
        assert_eq!(
            (out.len(), record.topic, record.context, record.headers().count()),
            (1, TopicId(3), false, 0)
        );
        [record.key, record.value].map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap())
    }

    /// `type` and what is in `additional_data` beside the name of the connector.
    fn told(status: SnapshotStatus<'_>) -> (String, String) {
        let [key, value] = written(status, Schemas::None);
        assert_eq!(key, r#"{"id":"u-1"}"#);
        let mut value: serde_json::Value = serde_json::from_str(&value).unwrap();
        assert!(value.as_object().unwrap().keys().eq([
            "id",
            "type",
            "aggregate_type",
            "additional_data",
            "timestamp"
        ]));
        assert_eq!((&value["id"], &value["timestamp"]), (&"u-1".into(), &5.into()));
        assert_eq!(value["aggregate_type"], "Initial Snapshot");
        let data = value["additional_data"].as_object_mut().unwrap();
        assert_eq!(data.shift_remove("connector_name").unwrap(), "shop");
        (value["type"].as_str().unwrap().to_owned(), value["additional_data"].to_string())
    }

    #[test]
    fn each_step_says_what_debezium_says() {
        let (table, tables) = ("s.\"a", "s.\"a,s.b");
        for (status, name, data) in [
            (SnapshotStatus::Started, "STARTED", "{}"),
            (
                SnapshotStatus::Resolved { tables },
                "DATA_COLLECTIONS_RESOLVED",
                r#"{"data_collections":"s.\"a,s.b"}"#,
            ),
            (
                SnapshotStatus::InProgress { table, tables },
                "IN_PROGRESS",
                r#"{"current_collection_in_progress":"s.\"a","data_collections":"s.\"a,s.b"}"#,
            ),
            (
                SnapshotStatus::Scanned { table, tables, rows: 12 },
                "TABLE_SCAN_COMPLETED",
                r#"{"scanned_collection":"s.\"a","total_rows_scanned":"12","data_collections":"s.\"a,s.b","status":"SUCCEEDED"}"#,
            ),
            (
                SnapshotStatus::Refused { table },
                "TABLE_SCAN_COMPLETED",
                r#"{"scanned_collection":"s.\"a","status":"SQL_EXCEPTION"}"#,
            ),
            (SnapshotStatus::Completed, "COMPLETED", "{}"),
            (SnapshotStatus::Aborted, "ABORTED", "{}"),
            (SnapshotStatus::Skipped, "SKIPPED", "{}"),
        ] {
            assert_eq!(told(status), (name.to_owned(), data.to_owned()));
        }
    }

    #[test]
    fn schemas_stand_in_front_of_both_when_there_are_any() {
        for part in written(SnapshotStatus::Started, Schemas::Both) {
            let part: serde_json::Value = serde_json::from_str(&part).unwrap();
            assert_eq!(part["payload"]["id"], "u-1");
            assert!(part["schema"]["name"].as_str().unwrap().contains(".Notification"), "{part}");
        }
    }
}
