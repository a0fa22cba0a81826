//! What the fuzz targets share. An input is a byte for the mode and a message; a target of one kind of message puts
//! that kind's tag in place of the message's first byte, so that every input gets past the tag.
//!
//! The pure stages are compiled from their sources rather than through the `headwater` library: its Kafka client and
//! TLS would take minutes to build with a sanitizer, for nothing.

#[path = "../../src/decode/mod.rs"]
pub mod decode;
#[allow(dead_code, unused_imports, reason = "what only the daemon uses")]
pub mod encode;
#[path = "../../src/error.rs"]
pub mod error;
#[path = "../../src/event/model.rs"]
pub mod event;
#[allow(dead_code, reason = "what only the daemon reads")]
mod import;
#[path = "../../src/lsn.rs"]
pub mod lsn;
#[path = "../../src/masks.rs"]
pub mod masks;
#[path = "../../src/modes.rs"]
pub mod modes;
pub mod source;

use decode::{Message, Mode, RelationCache, Tuple, Value, parse};

/// The kinds of message: the name of the target and the tag.
pub const KINDS: [(&str, u8); 19] = [
    ("pgoutput_begin", b'B'),
    ("pgoutput_commit", b'C'),
    ("pgoutput_origin", b'O'),
    ("pgoutput_relation", b'R'),
    ("pgoutput_type", b'Y'),
    ("pgoutput_insert", b'I'),
    ("pgoutput_update", b'U'),
    ("pgoutput_delete", b'D'),
    ("pgoutput_truncate", b'T'),
    ("pgoutput_logical", b'M'),
    ("pgoutput_stream_start", b'S'),
    ("pgoutput_stream_stop", b'E'),
    ("pgoutput_stream_commit", b'c'),
    ("pgoutput_stream_abort", b'A'),
    ("pgoutput_begin_prepare", b'b'),
    ("pgoutput_prepare", b'P'),
    ("pgoutput_commit_prepared", b'K'),
    ("pgoutput_rollback_prepared", b'r'),
    ("pgoutput_stream_prepare", b'p'),
];

/// Any message.
pub fn message(data: &[u8]) {
    if let Some((&mode, body)) = data.split_first() {
        read(body, mode_of(mode));
    }
}

/// A message of one kind.
pub fn kind(tag: u8, data: &[u8]) {
    if let [mode, _, rest @ ..] = data {
        let body: Vec<u8> = [&[tag], rest].concat();
        read(&body, mode_of(*mode));
    }
}

/// A row of COPY: a byte for the number of columns, and a line.
pub fn copy_row(data: &[u8]) {
    let Some((&columns, line)) = data.split_first() else { return };
    let mut row = decode::CopyRow::default();
    match row.read(line, columns.into()) {
        Ok(()) => assert_eq!(row.tuple().iter().count(), usize::from(columns)),
        Err(error) => assert!(error.offset <= line.len()),
    }
}

/// A file of connector properties.
pub fn import_properties(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        match import::properties::parse(text) {
            Ok(lines) => assert!(lines.len() <= text.lines().count()),
            Err(mistake) => assert!((1..=text.lines().count()).contains(&mistake.line)),
        }
    }
}

/// Kafka Connect's file of offsets.
pub fn import_offsets(data: &[u8]) {
    import::offsets(data);
}

fn mode_of(byte: u8) -> Mode {
    Mode { in_stream: byte & 1 != 0, parallel_abort: byte & 2 != 0 }
}

/// The byte that [`message`] and [`kind`] take for `mode`.
pub fn byte_of(mode: Mode) -> u8 {
    u8::from(mode.in_stream) | u8::from(mode.parallel_abort) << 1
}

fn read(body: &[u8], mode: Mode) {
    match parse(body, mode) {
        Ok(message) => {
            walk(&message, body);
            // Nothing shorter or longer is a message.
            let (_, shorter) = body.split_last().expect("a message has a tag");
            assert!(parse(shorter, mode).is_err());
            assert!(parse(&[body, &[0]].concat(), mode).is_err());
        }
        Err(error) => {
            assert!(error.offset <= body.len());
            assert!(!error::Error::from(error).to_string().is_empty());
        }
    }
}

fn walk(message: &Message<'_>, body: &[u8]) {
    let row = |tuple: &Tuple<'_>| {
        assert_eq!(tuple.iter().len(), tuple.len());
        let mut bytes = 0;
        let mut values = 0;
        for value in tuple {
            values += 1;
            if let Value::Text(text) | Value::Binary(text) = value {
                bytes += text.len();
            }
        }
        assert_eq!(values, tuple.len());
        assert!(bytes + values <= body.len());
    };
    match message {
        Message::Insert { new, .. } => row(new),
        Message::Update { old, new, .. } => {
            if let Some(old) = old {
                row(&old.tuple());
            }
            row(new);
        }
        Message::Delete { old, .. } => row(&old.tuple()),
        Message::Relation { relation, .. } => {
            assert_eq!(relation.columns.iter().count(), relation.columns.len());
            let mut cache = RelationCache::default();
            let (slot, _) = cache.replace(relation);
            assert_eq!(cache.replace(relation), (slot, decode::Change::Same));
            assert_eq!(cache.get(relation.oid), Some(slot));
        }
        Message::Type { body, .. } => {
            let mut cache = RelationCache::default();
            cache.replace_type(body);
            assert!(cache.type_name(body.oid).is_some());
        }
        Message::Truncate { relations, .. } => assert_eq!(relations.iter().count(), relations.len()),
        _ => {}
    }
}
