//! The way of one row from its bytes to its record: `cargo bench --bench encode`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use headwater::decode::{Message, Mode, ReplicaIdentity, parse};
use headwater::encode::{EncodeSettings, JsonEncoder, Modes, Records};
use headwater::event::{Column, Event, KeyOf, Op, Row, Table, TableSlot, TopicId, TransactionContext};
use headwater::lsn::{Lsn, Oid, UnixMicros, Xid};
use headwater::source::catalog::{TypeDetails, TypeKind};

/// Name, type, modifier and value of each column.
type Cell = (&'static str, u32, i32, &'static str);

/// Ten columns of the usual types.
const MIXED: [Cell; 10] = [
    ("id", 20, -1, "918273645"),
    ("customer_id", 23, -1, "48213"),
    ("status", 25, -1, "shipped"),
    ("total", 1700, (12 << 16 | 2) + 4, "1249.90"),
    ("paid", 16, -1, "t"),
    ("email", 1043, 104, "someone.with.a.name@example.com"),
    ("note", 25, -1, "left at the door, as the customer asked for"),
    ("weight", 701, -1, "12.75"),
    ("created_at", 1184, -1, "2024-02-29 11:14:15.123456+00"),
    ("updated_at", 1114, -1, "2024-02-29 13:14:15.123456"),
];

/// Integers and text only: what the envelope costs.
const PLAIN: [Cell; 10] = [
    ("id", 23, -1, "1"),
    ("a", 23, -1, "12"),
    ("b", 23, -1, "123"),
    ("c", 23, -1, "1234"),
    ("d", 23, -1, "12345"),
    ("e", 25, -1, "text"),
    ("f", 25, -1, "some text"),
    ("g", 25, -1, "some longer text"),
    ("h", 25, -1, "some even longer text, to be copied"),
    ("i", 25, -1, "x"),
];

fn insert(cells: &[Cell]) -> Vec<u8> {
    let mut bytes = b"I\0\0\x40\0N".to_vec();
    bytes.extend_from_slice(&u16::try_from(cells.len()).expect("a few columns").to_be_bytes());
    for (_, _, _, text) in cells {
        bytes.push(b't');
        bytes.extend_from_slice(&u32::try_from(text.len()).expect("a short text").to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn table(cells: &[Cell]) -> Table {
    let columns = cells.iter().map(|(name, oid, typmod, _)| Column {
        name: (*name).into(),
        ty: TypeDetails {
            oid: Oid(*oid),
            schema: "pg_catalog".into(),
            name: String::new(),
            kind: TypeKind::Base,
        },
        typmod: *typmod,
        not_null: true,
        default: None,
        identity: *name == "id",
        selected: true,
    });
    Table {
        slot: TableSlot(0),
        oid: Oid(0x4000),
        schema: "public".into(),
        name: "orders".into(),
        topic: TopicId(0),
        replica_identity: ReplicaIdentity::Default,
        columns: columns.collect(),
        key: vec![0],
    }
}

fn encoder(table: &Table) -> JsonEncoder {
    let mut encoder = JsonEncoder::new(EncodeSettings {
        name: "shop".into(),
        database: "shop".into(),
        version: "0.1.0".into(),
        system_id: 7_300_000_000_000_000_001,
        transaction_block: true,
        context_headers: true,
        placeholder: "__debezium_unavailable_value".into(),
        modes: Modes::default(),
    });
    encoder.set_table(table);
    encoder.begin_transaction(&TransactionContext {
        xid: Xid(2457),
        commit_lsn: Lsn(529_867_800),
        commit_time: UnixMicros(1_795_241_986_530_762),
        previous_end_lsn: Some(Lsn(529_867_632)),
        origin: None,
    });
    encoder
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for (name, cells) in [("insert of 10 mixed columns", MIXED), ("insert of 10 plain columns", PLAIN)] {
        let (table, bytes) = (table(&cells), insert(&cells));
        let mut encoder = encoder(&table);
        let mut records = Records::default();
        let mut ordinal = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                let Ok(Message::Insert { new, .. }) = parse(black_box(&bytes), Mode::default()) else {
                    return 0;
                };
                if records.byte_len() > 1 << 20 {
                    records.clear(2 << 20);
                }
                ordinal += 1;
                let event = Event {
                    table: &table,
                    op: Op::Create,
                    before: None,
                    after: Some(Row::Full(new)),
                    old: None,
                    key: KeyOf::After,
                    other_key: None,
                    lsn: Lsn(529_867_632 + ordinal * 128),
                    tombstone: false,
                    ordinal,
                    total_order: ordinal,
                    data_collection_order: ordinal,
                };
                let written = encoder.change(black_box(&event), 1_795_241_986_560_909_862, &mut records);
                written.expect("a row of the table's types").records
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
