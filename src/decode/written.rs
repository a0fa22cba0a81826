//! Properties: whatever a writer of the manual's formats writes, the parser reads back; no prefix of it and nothing
//! longer is a message; and no bytes at all make it panic.

use proptest::collection::vec;
use proptest::prelude::*;

use super::message::{Columns, Oids};
use super::{
    ColumnRef, Message, Mode, OldTuple, RelationBody, RelationCache, ReplicaIdentity, Tuple, TypeBody, Value,
    parse, subtransaction,
};
use crate::lsn::{Lsn, Oid, UnixMicros, Xid};

/// The leaves of any message.
#[derive(Clone, Debug)]
struct Parts {
    mode: Mode,
    lsns: [u64; 2],
    times: [i64; 2],
    xids: [u32; 2],
    flags: [bool; 2],
    texts: [String; 2],
    oids: Vec<u32>,
    content: Vec<u8>,
    rows: [Vec<Cell>; 2],
    columns: Vec<(bool, String, u32, i32)>,
    identity: ReplicaIdentity,
}

#[derive(Clone, Debug)]
enum Cell {
    Null,
    Unchanged,
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Unchanged => Value::Unchanged,
            Self::Text(bytes) => Value::Text(bytes),
            Self::Binary(bytes) => Value::Binary(bytes),
        }
    }
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let cell = prop_oneof![
        Just(Cell::Null),
        Just(Cell::Unchanged),
        vec(any::<u8>(), 0..20).prop_map(Cell::Text),
        vec(any::<u8>(), 0..20).prop_map(Cell::Binary),
    ];
    vec(cell, 0..12)
}

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,8}"
}

fn modes() -> impl Strategy<Value = Mode> {
    any::<[bool; 2]>().prop_map(|[in_stream, parallel_abort]| Mode { in_stream, parallel_abort })
}

fn parts() -> impl Strategy<Value = Parts> {
    let identity = prop_oneof![
        Just(ReplicaIdentity::Default),
        Just(ReplicaIdentity::Nothing),
        Just(ReplicaIdentity::Full),
        Just(ReplicaIdentity::Index),
    ];
    let numbers = ([1..=u64::MAX, 1..=u64::MAX], any::<[i64; 2]>(), [1..=u32::MAX, 1..=u32::MAX]);
    let strings = ([text(), text()], vec(any::<u32>(), 0..5), vec(any::<u8>(), 0..30));
    let column = (any::<bool>(), text(), any::<u32>(), any::<i32>());
    let table = ([cells(), cells()], vec(column, 0..6), identity);
    (modes(), any::<[bool; 2]>(), numbers, strings, table).prop_map(
        |(mode, flags, (lsns, times, xids), (texts, oids, content), (rows, columns, identity))| Parts {
            mode,
            lsns,
            times,
            xids,
            flags,
            texts,
            oids,
            content,
            rows,
            columns,
            identity,
        },
    )
}

/// Writes the fields that a message is made of.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn tag(tag: u8) -> Self {
        Self(vec![tag])
    }

    fn put(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(bytes.as_ref());
        self
    }

    fn text(self, text: &str) -> Self {
        self.put(text).put([0])
    }

    fn len(self, len: usize) -> Self {
        self.put(u32::try_from(len).expect("a short test").to_be_bytes())
    }

    fn stream(self, parts: &Parts) -> Self {
        if parts.mode.in_stream { self.put(parts.xids[0].to_be_bytes()) } else { self }
    }

    /// Two positions, a time, an id and a name: most of two-phase commit.
    fn prepared(self, parts: &Parts) -> Self {
        self.lsns(parts).time(parts, 0).xid(parts, 0).text(&parts.texts[0])
    }

    fn lsns(self, parts: &Parts) -> Self {
        self.put(parts.lsns[0].to_be_bytes()).put(parts.lsns[1].to_be_bytes())
    }

    fn time(self, parts: &Parts, which: usize) -> Self {
        self.put(parts.times[which].to_be_bytes())
    }

    fn xid(self, parts: &Parts, which: usize) -> Self {
        self.put(parts.xids[which].to_be_bytes())
    }

    fn row(self, row: &[Cell]) -> Self {
        let count = u16::try_from(row.len()).expect("a short row");
        self.put(count.to_be_bytes()).put(row_body(row))
    }
}

fn row_body(row: &[Cell]) -> Vec<u8> {
    let mut writer = Writer::default();
    for cell in row {
        writer = match cell {
            Cell::Null => writer.put(b"n"),
            Cell::Unchanged => writer.put(b"u"),
            Cell::Text(bytes) => writer.put(b"t").len(bytes.len()).put(bytes),
            Cell::Binary(bytes) => writer.put(b"b").len(bytes.len()).put(bytes),
        };
    }
    writer.0
}

fn column_body(parts: &Parts) -> Vec<u8> {
    let mut writer = Writer::default();
    for (key, name, oid, typmod) in &parts.columns {
        writer = writer.put([u8::from(*key)]).text(name).put(oid.to_be_bytes()).put(typmod.to_be_bytes());
    }
    writer.0
}

/// Holds what the messages under test borrow.
struct Bodies {
    rows: [Vec<u8>; 2],
    columns: Vec<u8>,
    oids: Vec<u8>,
}

impl Bodies {
    fn of(parts: &Parts) -> Self {
        Self {
            rows: [row_body(&parts.rows[0]), row_body(&parts.rows[1])],
            columns: column_body(parts),
            oids: parts.oids.iter().flat_map(|oid| oid.to_be_bytes()).collect(),
        }
    }
}

/// Messages about relations and rows, as bytes and as what they mean.
fn row_messages<'a>(parts: &'a Parts, bodies: &'a Bodies) -> Vec<(Vec<u8>, Message<'a>)> {
    let xid = parts.mode.in_stream.then_some(Xid(parts.xids[0]));
    let tuple = |which: usize| Tuple {
        count: u16::try_from(parts.rows[which].len()).expect("a short row"),
        body: &bodies.rows[which],
    };
    let relation = Oid(parts.xids[1]);
    let start = |tag| Writer::tag(tag).stream(parts).xid(parts, 1);
    let [old, new] = &parts.rows;
    let identity = match parts.identity {
        ReplicaIdentity::Default => b"d",
        ReplicaIdentity::Nothing => b"n",
        ReplicaIdentity::Full => b"f",
        ReplicaIdentity::Index => b"i",
    };
    let [schema, name] = &parts.texts;
    let columns = u16::try_from(parts.columns.len()).expect("few columns");
    vec![
        (start(b'I').put(b"N").row(new).0, Message::Insert { xid, relation, new: tuple(1) }),
        (start(b'U').put(b"N").row(new).0, Message::Update { xid, relation, old: None, new: tuple(1) }),
        (
            start(b'U').put(b"K").row(old).put(b"N").row(new).0,
            Message::Update { xid, relation, old: Some(OldTuple::Key(tuple(0))), new: tuple(1) },
        ),
        (
            start(b'U').put(b"O").row(old).put(b"N").row(new).0,
            Message::Update { xid, relation, old: Some(OldTuple::Full(tuple(0))), new: tuple(1) },
        ),
        (start(b'D').put(b"K").row(old).0, Message::Delete { xid, relation, old: OldTuple::Key(tuple(0)) }),
        (start(b'D').put(b"O").row(old).0, Message::Delete { xid, relation, old: OldTuple::Full(tuple(0)) }),
        (
            start(b'R')
                .text(schema)
                .text(name)
                .put(identity)
                .put(columns.to_be_bytes())
                .put(&bodies.columns)
                .0,
            Message::Relation {
                xid,
                relation: RelationBody {
                    oid: relation,
                    schema,
                    name,
                    replica_identity: parts.identity,
                    columns: Columns { count: columns, body: &bodies.columns },
                },
            },
        ),
        (
            start(b'Y').text(schema).text(name).0,
            Message::Type { xid, body: TypeBody { oid: relation, schema, name } },
        ),
        (
            Writer::tag(b'T')
                .stream(parts)
                .len(parts.oids.len())
                .put([u8::from(parts.flags[0]) | u8::from(parts.flags[1]) << 1])
                .put(&bodies.oids)
                .0,
            Message::Truncate {
                xid,
                cascade: parts.flags[0],
                restart_identity: parts.flags[1],
                relations: Oids { body: &bodies.oids },
            },
        ),
        (
            Writer::tag(b'M')
                .stream(parts)
                .put([u8::from(parts.flags[0])])
                .put(parts.lsns[0].to_be_bytes())
                .text(schema)
                .len(parts.content.len())
                .put(&parts.content)
                .0,
            Message::Logical {
                xid,
                transactional: parts.flags[0],
                lsn: Lsn(parts.lsns[0]),
                prefix: schema,
                content: &parts.content,
            },
        ),
    ]
}

/// Messages about transactions, as bytes and as what they mean.
fn transaction_messages(parts: &Parts) -> Vec<(Vec<u8>, Message<'_>)> {
    let [first, second] = parts.lsns.map(Lsn);
    let [time, later] = parts.times.map(UnixMicros::from_postgres);
    let [xid, subxid] = parts.xids.map(Xid);
    let gid = parts.texts[0].as_str();
    let mut abort = Writer::tag(b'A').xid(parts, 0).xid(parts, 1);
    if parts.mode.parallel_abort {
        abort = abort.put(parts.lsns[0].to_be_bytes()).time(parts, 0);
    }
    vec![
        (
            Writer::tag(b'B').put(parts.lsns[0].to_be_bytes()).time(parts, 0).xid(parts, 0).0,
            Message::Begin { final_lsn: first, commit_time: time, xid },
        ),
        (
            Writer::tag(b'C').put([0]).lsns(parts).time(parts, 0).0,
            Message::Commit { commit_lsn: first, end_lsn: second, commit_time: time },
        ),
        (
            Writer::tag(b'O').put(parts.lsns[0].to_be_bytes()).text(gid).0,
            Message::Origin { lsn: first, name: gid },
        ),
        (
            Writer::tag(b'S').xid(parts, 0).put([u8::from(parts.flags[0])]).0,
            Message::StreamStart { xid, first_segment: parts.flags[0] },
        ),
        (Writer::tag(b'E').0, Message::StreamStop),
        (
            Writer::tag(b'c').xid(parts, 0).put([0]).lsns(parts).time(parts, 0).0,
            Message::StreamCommit { xid, commit_lsn: first, end_lsn: second, commit_time: time },
        ),
        (
            abort.0,
            Message::StreamAbort { xid, subxid, abort: parts.mode.parallel_abort.then_some((first, time)) },
        ),
        (
            Writer::tag(b'b').prepared(parts).0,
            Message::BeginPrepare { prepare_lsn: first, end_lsn: second, prepare_time: time, xid, gid },
        ),
        (
            Writer::tag(b'P').put([0]).prepared(parts).0,
            Message::Prepare { prepare_lsn: first, end_lsn: second, prepare_time: time, xid, gid },
        ),
        (
            Writer::tag(b'K').put([0]).prepared(parts).0,
            Message::CommitPrepared { commit_lsn: first, end_lsn: second, commit_time: time, xid, gid },
        ),
        (
            Writer::tag(b'r').put([0]).lsns(parts).time(parts, 0).time(parts, 1).xid(parts, 0).text(gid).0,
            Message::RollbackPrepared {
                prepare_end_lsn: first,
                rollback_end_lsn: second,
                prepare_time: time,
                rollback_time: later,
                xid,
                gid,
            },
        ),
        (
            Writer::tag(b'p').put([0]).prepared(parts).0,
            Message::StreamPrepare { prepare_lsn: first, end_lsn: second, prepare_time: time, xid, gid },
        ),
    ]
}

/// Iterates whatever the message holds; every iterator must yield as many items as it says.
fn walk(message: &Message<'_>) {
    let row = |tuple: &Tuple<'_>| assert_eq!(tuple.iter().count(), tuple.len());
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
            assert_eq!(cache.get(relation.oid), Some(slot));
        }
        Message::Truncate { relations, .. } => assert_eq!(relations.iter().count(), relations.len()),
        _ => {}
    }
}

/// The id that a message about a relation or a row carries in a stream.
fn row_xid(message: &Message<'_>) -> Option<Xid> {
    match message {
        Message::Relation { xid, .. }
        | Message::Type { xid, .. }
        | Message::Insert { xid, .. }
        | Message::Update { xid, .. }
        | Message::Delete { xid, .. }
        | Message::Truncate { xid, .. } => *xid,
        _ => None,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(parts in parts()) {
        let bodies = Bodies::of(&parts);
        let mut all = row_messages(&parts, &bodies);
        all.extend(transaction_messages(&parts));
        for (bytes, message) in all {
            let read = parse(&bytes, parts.mode);
            prop_assert_eq!(read.as_ref(), Ok(&message));
            if parts.mode.in_stream {
                prop_assert_eq!(subtransaction(&bytes), row_xid(&message));
            }
            walk(&message);
            for end in 0..bytes.len() {
                prop_assert!(parse(&bytes[..end], parts.mode).is_err(), "{:?} cut at {}", message, end);
            }
            let longer = [bytes, vec![0]].concat();
            prop_assert!(parse(&longer, parts.mode).is_err(), "{:?} and a byte", message);
        }
    }

    #[test]
    fn rows_and_columns_are_iterated_as_written(parts in parts()) {
        let bodies = Bodies::of(&parts);
        for (_, message) in row_messages(&parts, &bodies) {
            match message {
                Message::Insert { new, .. } => {
                    let expected: Vec<_> = parts.rows[1].iter().map(Cell::value).collect();
                    prop_assert_eq!(new.iter().collect::<Vec<_>>(), expected);
                }
                Message::Relation { relation, .. } => {
                    let expected: Vec<_> = parts.columns.iter().map(|(key, name, oid, typmod)| {
                        ColumnRef { key: *key, name, type_oid: Oid(*oid), typmod: *typmod }
                    }).collect();
                    prop_assert_eq!(relation.columns.iter().collect::<Vec<_>>(), expected);
                }
                Message::Truncate { relations, .. } => {
                    let expected: Vec<_> = parts.oids.iter().copied().map(Oid).collect();
                    prop_assert_eq!(relations.iter().collect::<Vec<_>>(), expected);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_changed_byte_never_panics(parts in parts(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bodies = Bodies::of(&parts);
        let mut all = row_messages(&parts, &bodies);
        all.extend(transaction_messages(&parts));
        for (mut bytes, _) in all {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(message) = parse(&bytes, parts.mode) {
                walk(&message);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), mode in modes()) {
        let first = b"BCORYIUDTMSEcAbPKrp".iter().copied().map(Some);
        for tag in first.chain([None]) {
            let body: Vec<u8> = tag.into_iter().chain(bytes.iter().copied()).collect();
            match parse(&body, mode) {
                Ok(message) => walk(&message),
                Err(error) => prop_assert!(error.offset <= body.len(), "{:?}", error),
            }
        }
    }
}
