//! Messages as servers sent them: the files under `tests/captured/pgoutput`, each a few statements and the bytes that
//! came of them, against what they must read as (snapshots beside this file). Each is also cut at every byte.

use std::fmt::Write as _;

use super::{ColumnRef, Message, Mode, OldTuple, Tuple, Value, parse};

/// A line of hex digits per message; `#` starts a comment.
fn messages(file: &str) -> Vec<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    file.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            line.as_bytes()
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |byte, half| byte << 4 | digit(half).expect("a hex digit")))
                .collect()
        })
        .collect()
}

/// The mode of each message: within a streamed block or not.
fn with_modes(file: &str) -> Vec<(Vec<u8>, Mode)> {
    let mut mode = Mode { in_stream: false, parallel_abort: file.contains("streaming = parallel") };
    let mut messages: Vec<_> = messages(file).into_iter().map(|bytes| (bytes, Mode::default())).collect();
    for (bytes, its_mode) in &mut messages {
        *its_mode = mode;
        match bytes.first() {
            Some(b'S') => mode.in_stream = true,
            Some(b'E') => mode.in_stream = false,
            _ => {}
        }
    }
    messages
}

fn row(tuple: &Tuple<'_>) -> String {
    let short = |bytes: &[u8]| match bytes {
        [first, ..] if bytes.len() > 100 => format!("{} bytes of {first:#04x}", bytes.len()),
        _ => bytes.escape_ascii().to_string(),
    };
    let values: Vec<_> = tuple
        .iter()
        .map(|value| match value {
            Value::Null => "null".to_owned(),
            Value::Unchanged => "unchanged".to_owned(),
            Value::Text(text) => format!("\"{}\"", short(text)),
            Value::Binary(bytes) => format!("binary \"{}\"", short(bytes)),
        })
        .collect();
    format!("({})", values.join(", "))
}

fn old_row(old: &OldTuple<'_>) -> String {
    match old {
        OldTuple::Key(tuple) => format!("key {}", row(tuple)),
        OldTuple::Full(tuple) => format!("full {}", row(tuple)),
    }
}

/// A line per message, with the rows and columns spelled out.
fn describe(message: &Message<'_>) -> String {
    let stream = |xid: &Option<crate::lsn::Xid>| xid.map_or_else(String::new, |xid| format!(" in {xid}"));
    match message {
        Message::Insert { xid, relation, new } => format!("Insert{} {relation} {}", stream(xid), row(new)),
        Message::Update { xid, relation, old, new } => {
            let old = old.as_ref().map_or_else(String::new, |old| format!(" from {}", old_row(old)));
            format!("Update{} {relation}{old} to {}", stream(xid), row(new))
        }
        Message::Delete { xid, relation, old } => {
            format!("Delete{} {relation} {}", stream(xid), old_row(old))
        }
        Message::Relation { xid, relation } => {
            let columns: Vec<_> = relation
                .columns
                .iter()
                .map(|ColumnRef { key, name, type_oid, typmod }| {
                    format!("{}{name} {type_oid}({typmod})", if key { "key " } else { "" })
                })
                .collect();
            format!(
                "Relation{} {} {}.{} {:?} ({})",
                stream(xid),
                relation.oid,
                relation.schema,
                relation.name,
                relation.replica_identity,
                columns.join(", ")
            )
        }
        Message::Truncate { xid, cascade, restart_identity, relations } => {
            let relations: Vec<_> = relations.iter().map(|oid| oid.0).collect();
            format!("Truncate{} {relations:?} cascade={cascade} restart={restart_identity}", stream(xid))
        }
        other => format!("{other:?}"),
    }
}

fn read(file: &str) -> String {
    let mut lines = String::new();
    for (bytes, mode) in with_modes(file) {
        let message = parse(&bytes, mode).expect("a message of a real server");
        writeln!(lines, "{}", describe(&message)).expect("strings take everything");
        for end in 0..bytes.len() {
            let cut = bytes.get(..end).expect("a prefix");
            assert!(parse(cut, mode).is_err(), "{message:?} cut at {end}");
        }
    }
    lines
}

macro_rules! captured {
    ($($name:ident),+) => {$(
        #[test]
        fn $name() {
            let file = include_str!(concat!("../../tests/captured/pgoutput/", stringify!($name), ".hex"));
            insta::assert_snapshot!(read(file));
        }
    )+};
}

captured!(
    binary_15,
    generated_18,
    logical_15,
    origin_10,
    pgbench_15,
    rows_10,
    rows_18,
    stream_15,
    stream_message_18,
    stream_parallel_18,
    stream_prepare_15,
    truncate_15,
    two_phase_15
);
