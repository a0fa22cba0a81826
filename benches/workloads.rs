//! Messages of the stream, by workload, for those who count what a change costs: `benches/instructions.rs` and
//! `tests/allocations.rs`. The bytes are laid out as the manual's "Logical Replication Message Formats" says, with the
//! texts that a server prints under the session's settings.

use headwater::config::{self, Config, LoadOptions};
use headwater::error::{Error, Kind, Result};
use headwater::lsn::{Lsn, Oid};
use headwater::run::rehearsal::Rehearsal;
use headwater::source::catalog::{TypeDetails, TypeKind};

/// A transaction or a part of one that is repeated.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// `events.transaction_metadata`
    pub(crate) metadata: &'static str,
    /// `events.schemas`
    pub(crate) schemas: &'static str,
    /// Before the first repetition.
    pub(crate) prelude: Vec<Vec<u8>>,
    pub(crate) messages: Vec<Vec<u8>>,
    /// Instead of messages: a Relation message, and a row of that table as COPY sends it.
    pub(crate) snapshot: Option<(Vec<u8>, Vec<u8>)>,
    /// Row changes in `messages`.
    pub(crate) events: u64,
}

impl Workload {
    /// A session that has read the prelude.
    pub(crate) fn rehearse(&self) -> Result<Rehearsal> {
        let config = configuration(self.metadata, self.schemas)?;
        let mut rehearsal = Rehearsal::new(&config, types())?;
        if let Some((relation, _)) = &self.snapshot {
            rehearsal.snapshot_of(&config, relation)?;
        }
        for message in &self.prelude {
            rehearsal.message(LSN, message)?;
        }
        Ok(rehearsal)
    }

    /// Reads the messages once.
    pub(crate) fn repeat(&self, rehearsal: &mut Rehearsal) -> Result<()> {
        self.snapshot.iter().try_for_each(|(_, row)| rehearsal.row(row))?;
        self.messages.iter().try_for_each(|message| rehearsal.message(LSN, message))
    }
}

/// Every workload.
pub(crate) fn all() -> Vec<Workload> {
    vec![
        update_of_an_account(),
        insert_of_ten_columns(),
        update_with_full_identity(),
        delete(),
        insert_of_mixed_types(),
        small_transactions(),
        insert_with_schemas(),
        row_of_a_snapshot(),
    ]
}

/// W1: the account of a pgbench transaction, in the middle of one.
fn update_of_an_account() -> Workload {
    let table = Table { oid: 0x4001, name: "pgbench_accounts", identity: b'd', cells: ACCOUNT };
    Workload {
        name: "update of pgbench_accounts",
        metadata: "block",
        schemas: "false",
        prelude: vec![table.relation(), begin()],
        messages: vec![table.update(None)],
        snapshot: None,
        events: 1,
    }
}

/// W2: a row of the one large INSERT.
fn insert_of_ten_columns() -> Workload {
    let table = Table { oid: 0x4002, name: "wide", identity: b'd', cells: WIDE };
    Workload {
        name: "insert of 10 columns",
        metadata: "block",
        schemas: "false",
        prelude: vec![table.relation(), begin()],
        messages: vec![table.insert()],
        snapshot: None,
        events: 1,
    }
}

/// W4: both rows are sent, and the long value is the one that did not change.
fn update_with_full_identity() -> Workload {
    let table = Table { oid: 0x4003, name: "documents", identity: b'f', cells: DOCUMENT };
    Workload {
        name: "update with REPLICA IDENTITY FULL",
        metadata: "block",
        schemas: "false",
        prelude: vec![table.relation(), begin()],
        messages: vec![table.update(Some(b'O'))],
        snapshot: None,
        events: 1,
    }
}

/// A delete by its key, with its tombstone.
fn delete() -> Workload {
    let table = Table { oid: 0x4006, name: "accounts", identity: b'd', cells: ACCOUNT };
    Workload {
        name: "delete with its tombstone",
        metadata: "block",
        schemas: "false",
        prelude: vec![table.relation(), begin()],
        messages: vec![table.delete(b'K')],
        snapshot: None,
        events: 1,
    }
}

/// One value of every usual type.
fn insert_of_mixed_types() -> Workload {
    let table = Table { oid: 0x4004, name: "mixed", identity: b'd', cells: MIXED };
    Workload {
        name: "insert of 20 types",
        metadata: "block",
        schemas: "false",
        prelude: vec![table.relation(), begin()],
        messages: vec![table.insert()],
        snapshot: None,
        events: 1,
    }
}

/// A transaction of one small row, with its BEGIN and END records.
fn small_transactions() -> Workload {
    let table = Table { oid: 0x4005, name: "ticks", identity: b'd', cells: TICK };
    Workload {
        name: "insert of 2 columns with BEGIN and END",
        metadata: "true",
        schemas: "false",
        prelude: vec![table.relation()],
        messages: vec![begin(), table.insert(), commit()],
        snapshot: None,
        events: 1,
    }
}

/// W2's row with Connect's schemas, which are copied.
fn insert_with_schemas() -> Workload {
    Workload { name: "insert of 10 columns with schemas", schemas: "true", ..insert_of_ten_columns() }
}

/// W2's row in a first snapshot.
fn row_of_a_snapshot() -> Workload {
    let table = Table { oid: 0x4002, name: "wide", identity: b'd', cells: WIDE };
    Workload {
        name: "row of 10 columns in a snapshot",
        prelude: Vec::new(),
        messages: Vec::new(),
        snapshot: Some((table.relation(), table.line())),
        ..insert_of_ten_columns()
    }
}

/// Where every message starts.
pub(crate) const LSN: Lsn = Lsn(529_867_632);

/// The defaults but for these.
pub(crate) fn configuration(metadata: &str, schemas: &str) -> Result<Config> {
    let set = |key: &str, text: &str| (key.to_owned(), text.to_owned());
    let overrides = vec![
        set("name", "shop"),
        set("source.url", "postgres://headwater@127.0.0.1/shop"),
        set("source.tables", "[\"public.*\"]"),
        set("kafka.brokers", "[\"127.0.0.1:9092\"]"),
        set("events.transaction_metadata", metadata),
        set("events.schemas", schemas),
    ];
    let mut loaded = config::load(&LoadOptions { overrides, ..LoadOptions::default() })?;
    loaded.pipelines.pop().ok_or_else(|| Error::new(Kind::Config, "a configuration without a pipeline"))
}

/// Name, type, modifier and text of a column; the first one is the key.
pub(crate) type Cell = (&'static str, u32, i32, &'static str);

/// A table of one row.
pub(crate) struct Table<'a> {
    pub(crate) oid: u32,
    pub(crate) name: &'a str,
    /// `pg_class.relreplident`
    pub(crate) identity: u8,
    pub(crate) cells: &'a [Cell],
}

impl Table<'_> {
    pub(crate) fn relation(&self) -> Vec<u8> {
        let mut bytes = self.start(b'R');
        bytes.extend_from_slice(b"public\0");
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.extend_from_slice(&[0, self.identity]);
        bytes.extend_from_slice(&self.width());
        for (index, (name, oid, modifier, _)) in self.cells.iter().enumerate() {
            bytes.push(u8::from(index == 0 || self.identity == b'f'));
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&oid.to_be_bytes());
            bytes.extend_from_slice(&modifier.to_be_bytes());
        }
        bytes
    }

    pub(crate) fn insert(&self) -> Vec<u8> {
        let mut bytes = self.start(b'I');
        self.row(b'N', &mut bytes);
        bytes
    }

    /// An old row of kind `K` is of another key: the record's key changes.
    /// The row as COPY sends it; none of the texts has anything to escape.
    fn line(&self) -> Vec<u8> {
        let texts: Vec<&str> = self.cells.iter().map(|(.., text)| *text).collect();
        (texts.join("\t") + "\n").into_bytes()
    }

    pub(crate) fn update(&self, old: Option<u8>) -> Vec<u8> {
        let mut bytes = self.start(b'U');
        if let Some(kind) = old {
            self.row(kind, &mut bytes);
        }
        self.row(b'N', &mut bytes);
        bytes
    }

    pub(crate) fn delete(&self, kind: u8) -> Vec<u8> {
        let mut bytes = self.start(b'D');
        self.row(kind, &mut bytes);
        bytes
    }

    fn start(&self, tag: u8) -> Vec<u8> {
        [&[tag][..], &self.oid.to_be_bytes()].concat()
    }

    fn width(&self) -> [u8; 2] {
        u16::try_from(self.cells.len()).expect("a few columns").to_be_bytes()
    }

    /// In an old row the texts are the same but for the first character of the key; one of a key has nothing else. A long
    /// text of a new row is an unchanged TOASTed one.
    fn row(&self, kind: u8, bytes: &mut Vec<u8>) {
        bytes.push(kind);
        bytes.extend_from_slice(&self.width());
        for (index, (_, _, _, text)) in self.cells.iter().enumerate() {
            match kind {
                b'K' if index > 0 => bytes.push(b'n'),
                b'N' if text.len() > TOASTED && self.identity == b'f' => bytes.push(b'u'),
                _ => {
                    bytes.push(b't');
                    bytes.extend_from_slice(&u32::try_from(text.len()).expect("a short text").to_be_bytes());
                    let start = bytes.len();
                    bytes.extend_from_slice(text.as_bytes());
                    if let (b'K', 0, Some(first)) = (kind, index, bytes.get_mut(start)) {
                        *first = if *first == b'9' { b'8' } else { b'9' };
                    }
                }
            }
        }
    }
}

pub(crate) fn begin() -> Vec<u8> {
    let mut bytes = vec![b'B'];
    bytes.extend_from_slice(&(LSN.0 + 168).to_be_bytes());
    bytes.extend_from_slice(&COMMIT_TIME.to_be_bytes());
    bytes.extend_from_slice(&2457u32.to_be_bytes());
    bytes
}

pub(crate) fn commit() -> Vec<u8> {
    let mut bytes = vec![b'C', 0];
    bytes.extend_from_slice(&(LSN.0 + 168).to_be_bytes());
    bytes.extend_from_slice(&(LSN.0 + 216).to_be_bytes());
    bytes.extend_from_slice(&COMMIT_TIME.to_be_bytes());
    bytes
}

/// Arrays need their element told.
pub(crate) fn types() -> Vec<TypeDetails> {
    let details = |oid, name: &str, kind| TypeDetails {
        oid: Oid(oid),
        schema: "pg_catalog".into(),
        name: name.into(),
        kind,
    };
    let array = |oid, name, element: TypeDetails| {
        details(oid, name, TypeKind::Array { element: Box::new(element), delimiter: b',' })
    };
    vec![
        array(1007, "_int4", details(23, "int4", TypeKind::Base)),
        array(1009, "_text", details(25, "text", TypeKind::Base)),
    ]
}

/// Microseconds since 2000.
const COMMIT_TIME: i64 = 820_000_000_123_456;
const TOASTED: usize = 200;

const ACCOUNT: &[Cell] = &[
    ("aid", 23, -1, "731402"),
    ("bid", 23, -1, "8"),
    ("abalance", 23, -1, "-2813"),
    (
        "filler",
        1042,
        88,
        "                                                                                    ",
    ),
];

const WIDE: &[Cell] = &[
    ("id", 20, -1, "731402"),
    ("customer", 23, -1, "901"),
    ("quantity", 21, -1, "7"),
    ("price", 1700, (12 << 16 | 2) + 4, "314.02"),
    ("placed", 1184, -1, "2024-01-09 11:10:02+00"),
    ("shipped", 1082, -1, "2024-11-04"),
    ("status", 25, -1, "status 3"),
    ("note", 25, -1, "9c1185a5c5e9fc54612808977ee8f548"),
    ("paid", 16, -1, "t"),
    ("weight", 701, -1, "243800.66666666666"),
];

const DOCUMENT: &[Cell] = &[
    ("id", 20, -1, "918273645"),
    ("title", 25, -1, "Terms \"and\" conditions\nof sale"),
    ("revision", 23, -1, "12"),
    (
        "body",
        25,
        -1,
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore \
         magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo \
         consequat. Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur.",
    ),
    ("edited_at", 1184, -1, "2024-02-29 11:14:15.123456+00"),
];

pub(crate) const MIXED: &[Cell] = &[
    ("id", 20, -1, "918273645"),
    ("small", 21, -1, "-32768"),
    ("number", 23, -1, "48213"),
    ("total", 1700, (12 << 16 | 2) + 4, "1249.90"),
    ("exact", 1700, -1, "3.14159265358979323846"),
    ("paid", 16, -1, "t"),
    ("real", 700, -1, "0.1"),
    ("weight", 701, -1, "12.75"),
    ("email", 1043, 104, "someone.with.a.name@example.com"),
    ("note", 25, -1, "left at the \"door\",\nGrüße aus Köln"),
    ("day", 1082, -1, "2024-02-29"),
    ("at", 1083, -1, "13:14:15.123456"),
    ("created_at", 1184, -1, "2024-02-29 11:14:15.123456+00"),
    ("updated_at", 1114, -1, "2024-02-29 13:14:15.123456"),
    ("takes", 1186, -1, "1 day 02:03:04"),
    ("ref", 2950, -1, "01234567-89ab-cdef-0123-456789abcdef"),
    ("attributes", 3802, -1, "{\"colour\": \"red\", \"sizes\": [1, 2, 3]}"),
    ("raw", 17, -1, "\\xdeadbeef00ff"),
    ("numbers", 1007, -1, "{1,2,NULL,4}"),
    ("words", 1009, -1, "{one,\"two words\",NULL}"),
];

const TICK: &[Cell] = &[("id", 20, -1, "731402"), ("value", 23, -1, "42")];
