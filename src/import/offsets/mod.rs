//! What Kafka Connect keeps of a connector's progress: pairs of a partition, `["connector",{"server":"prefix"}]`, and an
//! offset map. They are in the worker's offsets topic, in the file of a standalone worker, or in what `GET
//! /connectors/NAME/offsets` answers.
//!
//! Meaning of the offset, by Debezium's `PostgresOffsetContext` and `PostgresStreamingChangeEventSource`. A record carries
//! the offset as it was when the record was made, and Connect stores that of the last record acknowledged, so after an
//! orderly stop it names the last row change, hardly ever a commit:
//!
//! - `lsn_commit`: end of the commit record of the transaction before, as the stream orders them; all up to there is written.
//! - `lsn`: the log record of the last change that was written; `lsn_events_processed` how many changes of that log record,
//!   since one COPY writes many rows with one. Without the latter (Debezium before 3.5) it is not known how many.
//! - `txId`: its transaction; `messageType`: what it was.
//! - `snapshot`, `last_snapshot_record`, `snapshot_completed`: it is of a snapshot, and whether of its end.

mod java;
pub mod topic;

use serde_json::{Map, Value};

use crate::error::{Error, Kind, Result};
use crate::lsn::{Lsn, Xid};

/// One stored offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// None where the source does not say, as the REST interface.
    pub connector: Option<String>,
    /// `topic.prefix`.
    pub server: String,
    pub offset: Offset,
}

/// How far Debezium came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// Everything that commits before this position is written, and nothing of what commits later.
    Whole {
        end_lsn: Lsn,
        /// End of the last transaction, when it is one.
        last_commit_end_lsn: Option<Lsn>,
    },
    /// The transaction behind `last_commit_end_lsn` is written in part, or in whole but for what ends it.
    Part(Part),
}

/// Where in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// End of the transaction before; none when there was none since the slot began.
    pub last_commit_end_lsn: Option<Lsn>,
    pub xid: Option<Xid>,
    /// Changes of log records before this one are written.
    pub lsn: Lsn,
    /// Changes of this log record that are written; none when that is not known, but at least one.
    pub processed: Option<u64>,
}

/// Reads a file: a standalone worker's, or JSON.
///
/// # Errors
/// [`Kind::Config`] when it is neither, or holds an offset that is none of Debezium's PostgreSQL connector.
pub fn read(origin: &str, bytes: &[u8]) -> Result<Vec<Stored>> {
    if bytes.starts_with(&java::MAGIC) {
        let pairs = java::byte_map(bytes).map_err(|java::Mistake { at, reason }| {
            bad(origin, format!("at byte {at}: {reason}")).with_hint(
                "name the file of offset.storage.file.filename, copied when the worker was stopped",
            )
        })?;
        let records = pairs.iter().filter_map(|(key, value)| Some((key.as_deref()?, value.as_deref()?)));
        return records.filter_map(|(key, value)| record(origin, key, value).transpose()).collect();
    }
    let json: Value = serde_json::from_slice(bytes).map_err(|error| {
        bad(origin, format!("neither a standalone worker's offsets nor JSON: {error}")).with_hint(
            "name the file of offset.storage.file.filename, or the answer of GET /connectors/NAME/offsets",
        )
    })?;
    of_rest(origin, &json)
}

/// `{"offsets":[{"partition":{…},"offset":{…}}]}`
fn of_rest(origin: &str, json: &Value) -> Result<Vec<Stored>> {
    let list = json["offsets"].as_array().ok_or_else(|| {
        bad(origin, "JSON without \"offsets\"").with_hint("name the answer of GET /connectors/NAME/offsets")
    })?;
    let entries = list.iter().filter(|entry| !entry["offset"].is_null());
    entries
        .map(|entry| {
            let server = entry["partition"]["server"].as_str().ok_or_else(|| foreign(origin))?;
            let offset = entry["offset"].as_object().ok_or_else(|| foreign(origin))?;
            Ok(Stored { connector: None, server: server.to_owned(), offset: Offset::of(origin, offset)? })
        })
        .collect()
}

/// A record of the offsets topic, or a pair of the file. None for one of another kind of connector.
pub(crate) fn record(origin: &str, key: &[u8], value: &[u8]) -> Result<Option<Stored>> {
    let Ok(Value::Array(key)) = serde_json::from_slice(key) else { return Ok(None) };
    let (Some(Value::String(connector)), Some(partition)) = (key.first(), key.get(1)) else {
        return Ok(None);
    };
    let Some(server) = partition["server"].as_str() else { return Ok(None) };
    let Ok(Value::Object(offset)) = serde_json::from_slice(value) else { return Ok(None) };
    // MySQL and others are partitioned by "server" too.
    if !offset.contains_key("lsn") {
        return Ok(None);
    }
    let offset =
        Offset::of(origin, &offset).map_err(|error| error.context(format!("connector {connector:?}")))?;
    Ok(Some(Stored { connector: Some(connector.clone()), server: server.to_owned(), offset }))
}

impl Offset {
    fn of(origin: &str, map: &Map<String, Value>) -> Result<Self> {
        let lsn = |key: &str| -> Option<Lsn> {
            // A signed number of 64 bits in Java.
            let value = map.get(key)?;
            let bits = |number: i64| u64::from_ne_bytes(number.to_ne_bytes());
            value.as_u64().or_else(|| value.as_i64().map(bits)).map(Lsn)
        };
        let is = |key: &str| map.get(key).is_some_and(|value| value == &Value::Bool(true));
        let position = lsn("lsn").ok_or_else(|| foreign(origin))?;
        let committed = lsn("lsn_commit");
        let of_snapshot = map.get("snapshot").is_some_and(|value| !value.is_null() && value != "INCREMENTAL");
        if of_snapshot && !is("last_snapshot_record") && !is("snapshot_completed") {
            return Err(bad(origin, "the connector's snapshot is not complete").with_hint(
                "let the connector finish its snapshot and stream, then stop it and take its offsets again",
            ));
        }
        let kind = map.get("messageType").and_then(Value::as_str);
        if of_snapshot || kind.is_none() && lsn("lsn_proc").is_none() {
            // A later snapshot, while streaming paused, may be ahead of the stream.
            let end_lsn = committed.map_or(position, |committed| committed.min(position));
            return Ok(Self::Whole { end_lsn, last_commit_end_lsn: committed });
        }
        let whole = committed.filter(|committed| *committed == position);
        // A message outside of transactions is as good as one, and named by its end.
        let is_whole = |kind: Option<&str>| matches!(kind, None | Some("COMMIT" | "MESSAGE"));
        if let Some(end) = whole.filter(|_| is_whole(kind)) {
            return Ok(Self::Whole { end_lsn: end, last_commit_end_lsn: Some(end) });
        }
        let processed = match kind {
            // The first change has the position of its BEGIN.
            Some("BEGIN") => Some(0),
            // It has a log record of its own.
            Some("MESSAGE") => Some(1),
            _ => map.get("lsn_events_processed").and_then(Value::as_u64).filter(|count| *count > 0),
        };
        let xid = map.get("txId").and_then(Value::as_u64);
        Ok(Self::Part(Part {
            last_commit_end_lsn: committed,
            // The log has the lower half.
            xid: xid.and_then(|xid| u32::try_from(xid & 0xFFFF_FFFF).ok()).map(Xid),
            lsn: position,
            processed,
        }))
    }
}

/// The one offset of `server`, and of `connector` if one is named.
///
/// # Errors
/// [`Kind::Config`], with what there is instead.
pub fn choose(origin: &str, stored: Vec<Stored>, server: &str, connector: Option<&str>) -> Result<Offset> {
    let shown = |entry: &Stored| match &entry.connector {
        Some(connector) => format!("{:?} of connector {connector:?}", entry.server),
        None => format!("{:?}", entry.server),
    };
    let there: Vec<String> = stored.iter().map(shown).collect();
    let mut meant: Vec<Stored> = stored
        .into_iter()
        .filter(|entry| entry.server == server)
        .filter(|entry| {
            connector.is_none_or(|name| entry.connector.as_deref().is_none_or(|other| other == name))
        })
        .collect();
    match (meant.pop(), meant.is_empty()) {
        (Some(entry), true) => Ok(entry.offset),
        (Some(_), false) => {
            Err(bad(origin, format!("more than one connector has offsets of topic.prefix {server:?}"))
                .with_hint(format!("choose with --connector NAME; there are {}", there.join(", "))))
        }
        (None, _) => {
            let there = if there.is_empty() { "none at all".to_owned() } else { there.join(", ") };
            Err(bad(origin, format!("no offset of topic.prefix {server:?} is there")).with_hint(format!(
                "name it with --server PREFIX if it is not the pipeline's name; there are {there}"
            )))
        }
    }
}

fn foreign(origin: &str) -> Error {
    bad(origin, "an offset that is not of Debezium's PostgreSQL connector")
        .with_hint("name the offsets of an io.debezium.connector.postgresql.PostgresConnector")
}

fn bad(origin: &str, reason: impl std::fmt::Display) -> Error {
    Error::new(Kind::Config, format!("{origin}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(json: &str) -> Result<Offset> {
        Offset::of("o", serde_json::from_str::<Value>(json).unwrap().as_object().unwrap())
    }

    fn part(last_commit: Option<u64>, lsn: u64, processed: Option<u64>) -> Offset {
        let last_commit_end_lsn = last_commit.map(Lsn);
        Offset::Part(Part { last_commit_end_lsn, xid: Some(Xid(7)), lsn: Lsn(lsn), processed })
    }

    #[test]
    fn a_commit_is_whole_and_a_change_is_not() {
        let whole =
            |end, last: Option<u64>| Offset::Whole { end_lsn: Lsn(end), last_commit_end_lsn: last.map(Lsn) };
        for (json, expected) in [
            (
                r#"{"lsn_proc":90,"lsn_commit":90,"lsn":90,"txId":7,"messageType":"COMMIT","ts_usec":1}"#,
                whole(90, Some(90)),
            ),
            (r#"{"lsn_proc":90,"lsn_commit":90,"lsn":90,"messageType":"MESSAGE"}"#, whole(90, Some(90))),
            (
                r#"{"lsn_proc":95,"lsn_commit":90,"lsn":95,"txId":7,"messageType":"INSERT","lsn_events_processed":2}"#,
                part(Some(90), 95, Some(2)),
            ),
            (
                r#"{"lsn_proc":95,"lsn_commit":90,"lsn":95,"txId":7,"messageType":"INSERT"}"#,
                part(Some(90), 95, None),
            ),
            (
                r#"{"lsn_proc":95,"lsn":95,"txId":7,"messageType":"UPDATE","lsn_events_processed":1}"#,
                part(None, 95, Some(1)),
            ),
            (
                r#"{"lsn_proc":90,"lsn_commit":90,"lsn":95,"txId":7,"messageType":"BEGIN"}"#,
                part(Some(90), 95, Some(0)),
            ),
            (
                r#"{"lsn_proc":90,"lsn_commit":90,"lsn":90,"txId":7,"messageType":"BEGIN"}"#,
                part(Some(90), 90, Some(0)),
            ),
            // The first change of a transaction may lie where the transaction before ends.
            (
                r#"{"lsn_proc":90,"lsn_commit":90,"lsn":90,"txId":7,"messageType":"INSERT","lsn_events_processed":1}"#,
                part(Some(90), 90, Some(1)),
            ),
            (
                r#"{"lsn_proc":95,"lsn_commit":90,"lsn":95,"txId":4294967303,"messageType":"DELETE","lsn_events_processed":1}"#,
                part(Some(90), 95, Some(1)),
            ),
            (
                r#"{"lsn":90,"txId":7,"snapshot":"INITIAL","last_snapshot_record":true,"snapshot_completed":true}"#,
                whole(90, None),
            ),
            (r#"{"lsn":90,"txId":7,"ts_usec":1}"#, whole(90, None)),
        ] {
            assert_eq!(offset(json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn half_a_snapshot_is_refused() {
        let json = r#"{"lsn":90,"txId":7,"snapshot":"INITIAL","last_snapshot_record":false,"snapshot_completed":false}"#;
        let error = offset(json).unwrap_err();
        assert!(error.to_string().contains("not complete") && error.kind().exit_code() == 64, "{error}");
        assert!(offset(r#"{"file":"binlog.1","pos":4}"#).is_err());
    }

    #[test]
    fn every_source_gives_the_same() {
        let json = r#"{"lsn_proc":90,"lsn_commit":90,"lsn":90,"messageType":"COMMIT"}"#;
        let rest = format!(
            r#"{{"offsets":[{{"partition":{{"server":"shop"}},"offset":{json}}},{{"partition":{{"server":"gone"}},"offset":null}}]}}"#
        );
        let of_rest = read("o", rest.as_bytes()).unwrap();
        let of_topic = record("o", br#"["c1",{"server":"shop"}]"#, json.as_bytes()).unwrap().unwrap();
        assert_eq!((of_rest.len(), of_rest[0].offset), (1, of_topic.offset));
        assert_eq!(record("o", br#"["c2",{"server":"m"}]"#, br#"{"file":"b","pos":4}"#).unwrap(), None);
        assert_eq!(record("o", b"{}", b"{}").unwrap(), None);
        for text in ["", "{}", "[1]", r#"{"offsets":[{"partition":{},"offset":{"lsn":1}}]}"#] {
            assert_eq!(read("o", text.as_bytes()).unwrap_err().kind().exit_code(), 64, "{text}");
        }
    }

    #[test]
    fn one_is_chosen_by_name() {
        let stored = |connector: &str, server: &str, end| Stored {
            connector: Some(connector.into()),
            server: server.into(),
            offset: Offset::Whole { end_lsn: Lsn(end), last_commit_end_lsn: None },
        };
        let all = || vec![stored("a", "shop", 1), stored("b", "shop", 2), stored("c", "crm", 3)];
        let end = |server, connector| match choose("o", all(), server, connector) {
            Ok(Offset::Whole { end_lsn, .. }) => Ok(end_lsn.0),
            other => Err(other.unwrap_err()),
        };
        assert_eq!(end("crm", None).unwrap(), 3);
        assert_eq!(end("shop", Some("b")).unwrap(), 2);
        assert!(end("shop", None).unwrap_err().hint().contains("\"shop\" of connector \"a\""));
        assert!(end("x", None).unwrap_err().hint().contains("--server"));
        assert!(end("shop", Some("z")).is_err());
    }
}
