//! No change costs a heap allocation: in steady state, from the message to the record that the sink takes, for every
//! kind of message that a session meets. A counting allocator makes this a binary of its own.

#![expect(unsafe_code, reason = "an allocator is an unsafe trait; this one counts and asks the system's")]

#[path = "../benches/workloads.rs"]
mod workloads;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use headwater::flat::{Added, Flat};
use headwater::lsn::Lsn;
use headwater::masks::{HashAlgorithm, HashVersion, Mask, Salt};
use headwater::modes::{DeleteHandling, Quirks, TextEncoding};
use headwater::run::rehearsal::Rehearsal;
use workloads::{MIXED, Table, Workload, begin, commit, configuration, types};

/// Counts what the calling thread asks for, so that tests do not count one another.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came; counting touches a plain number of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // At the end of a thread there is nothing to count in any more.
    let _ = ALLOCATIONS.try_with(|counted| counted.set(counted.get() + 1));
}

/// Allocations of this thread during `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// Allocations of some thousands of repetitions, after as many to warm up. Batches are sealed in between, as in a session,
/// and only sealing is not counted.
fn steady(workload: &Workload) -> u64 {
    steady_in(workload.rehearse().expect(KNOWN), workload)
}

fn steady_in(mut rehearsal: Rehearsal, workload: &Workload) -> u64 {
    let round = |rehearsal: &mut Rehearsal| {
        let mut counted = 0;
        for _ in 0..ROUNDS {
            counted += allocations(|| {
                for _ in 0..REPETITIONS {
                    workload.repeat(rehearsal).expect(KNOWN);
                }
                rehearsal.turn().expect(KNOWN);
            });
            rehearsal.seal().expect(KNOWN);
        }
        counted
    };
    assert!(round(&mut rehearsal) > 0, "the first rounds fill buffers: nothing is counted");
    let before = rehearsal.records();
    let counted = round(&mut rehearsal);
    let least = ROUNDS * REPETITIONS * workload.events;
    assert!(rehearsal.records() - before >= least, "{}: too few records", workload.name);
    counted
}

const ROUNDS: u64 = 8;
const REPETITIONS: u64 = 500;
const KNOWN: &str = "messages of known tables, and a sink that takes everything";

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(allocations(|| drop(std::hint::black_box(Vec::<u8>::new()))), 0);
}

#[test]
fn no_workload_allocates() {
    for workload in workloads::all() {
        assert_eq!(steady(&workload), 0, "allocations in {} events: {}", ROUNDS * REPETITIONS, workload.name);
    }
}

/// Every change there is, of one table by its key and one by its whole row; with an origin, as of a node of a mesh. With
/// schemas each of them is copied.
#[test]
fn no_kind_of_message_allocates() {
    for schemas in ["false", "true"] {
        assert_eq!(steady(&every_kind(schemas)), 0, "events.schemas = {schemas}");
    }
}

fn every_kind(schemas: &'static str) -> Workload {
    let by_key = Table { oid: 0x4010, name: "by_key", identity: b'd', cells: MIXED };
    let by_row = Table { oid: 0x4011, name: "by_row", identity: b'f', cells: MIXED };
    let truncate = [&b"T\0\0\0\x02\0"[..], &by_key.oid.to_be_bytes(), &by_row.oid.to_be_bytes()].concat();
    Workload {
        name: "every kind",
        metadata: "true",
        schemas,
        prelude: vec![by_key.relation(), by_row.relation()],
        messages: vec![
            begin(),
            b"O\0\0\0\0\0\xAB\xCD\xEFelsewhere\0".to_vec(),
            by_key.insert(),
            by_key.update(None),
            by_key.update(Some(b'K')),
            by_key.delete(b'K'),
            by_row.insert(),
            by_row.update(Some(b'O')),
            by_row.delete(b'O'),
            truncate,
            message(true),
            commit(),
            message(false),
        ],
        snapshot: None,
        events: 11,
    }
}

/// The flat form, with all that it keeps of the envelope in rows and in headers.
#[test]
fn no_flat_row_allocates() {
    let added = |entries: &str| -> Vec<Added> {
        entries.split(',').map(|entry| Added::parse("__", entry).unwrap()).collect()
    };
    let fields = "op,ts_ms,ts_us,ts_ns,version,name,snapshot,db,sequence,source.ts_ms,source.ts_us,source.ts_ns,schema,table,\
                  txId,lsn,xmin,origin,origin_lsn,id,total_order,data_collection_order";
    let columns = "before.id,after.email,before.note,after.attributes,before.op";
    for deletes in [DeleteHandling::Tombstone, DeleteHandling::RewriteWithTombstone] {
        for schemas in ["false", "true"] {
            // Truncates give no record, and tombstones are beside the point.
            let workload = Workload { events: 9, ..every_kind(schemas) };
            let mut config = configuration(workload.metadata, workload.schemas).unwrap();
            config.events.modes.quirks = Quirks::Debezium;
            config.events.flat =
                Some(Flat { deletes, fields: added(&format!("{fields},{columns}")), headers: added(fields) });
            let mut rehearsal = Rehearsal::new(&config, types()).unwrap();
            for message in &workload.prelude {
                rehearsal.message(Lsn(1), message).unwrap();
            }
            assert_eq!(steady_in(rehearsal, &workload), 0, "{deletes:?}, events.schemas = {schemas}");
        }
    }
}

/// Every way to hide a text, and updates that are left out because nothing is left to be seen.
#[test]
fn no_hidden_text_allocates() {
    let table = Table { oid: 0x4012, name: "hidden", identity: b'f', cells: MIXED };
    let workload = Workload {
        name: "hidden texts",
        metadata: "true",
        schemas: "false",
        prelude: vec![],
        messages: vec![begin(), table.insert(), table.update(Some(b'O')), table.delete(b'O'), commit()],
        snapshot: None,
        events: 2,
    };
    let hash = |version| Mask::Hash { version, algorithm: HashAlgorithm::Sha256, salt: Salt::new("salt") };
    let mut config = configuration(workload.metadata, workload.schemas).unwrap();
    config.events.skip_unchanged = true;
    config.source.mask_columns = [
        ("public.hidden.email", hash(HashVersion::V1)),
        ("public.hidden.ref", hash(HashVersion::V2)),
        ("public.hidden.note", Mask::Truncate { chars: 7 }),
        ("public.hidden.attributes", Mask::Stars { chars: 8 }),
    ]
    .map(|(pattern, mask)| (pattern.to_owned(), mask))
    .into();
    let mut rehearsal = Rehearsal::new(&config, types()).unwrap();
    rehearsal.message(Lsn(1), &table.relation()).unwrap();
    assert_eq!(steady_in(rehearsal, &workload), 0);
}

/// Texts of a database in SQL_ASCII, most of which are converted or do not fit.
#[test]
fn no_text_of_another_encoding_allocates() {
    let table = Table { oid: 0x4013, name: "stray", identity: b'f', cells: MIXED };
    // A letter of texts alone, by a byte that is neither UTF-8 nor Windows-1252.
    let stray =
        |message: Vec<u8>| message.iter().map(|&byte| if byte == b'w' { 0x81 } else { byte }).collect();
    let changes = [table.insert(), table.update(Some(b'O')), table.delete(b'O')].map(stray);
    let workload = Workload {
        name: "texts of another encoding",
        metadata: "true",
        schemas: "false",
        prelude: vec![],
        messages: [vec![begin()], changes.into(), vec![commit()]].concat(),
        snapshot: None,
        events: 3,
    };
    for encoding in TextEncoding::ALL {
        let mut config = configuration(workload.metadata, workload.schemas).unwrap();
        config.source.sql_ascii = *encoding;
        let mut rehearsal = Rehearsal::new(&config, types()).unwrap();
        rehearsal.message(Lsn(1), &table.relation()).unwrap();
        assert_eq!(steady_in(rehearsal, &workload), 0, "{encoding:?}");
    }
}

/// A logical decoding message of a transaction, or outside of any.
fn message(transactional: bool) -> Vec<u8> {
    let lsn = workloads::LSN.0.to_be_bytes();
    [&b"M"[..], &[u8::from(transactional)], &lsn, b"app\0", &5_u32.to_be_bytes(), b"hello"].concat()
}

/// As long as no new table comes, many cost no more than one: places are found by number.
#[test]
fn many_tables_allocate_nothing() {
    let names: Vec<String> = (0..1000).map(|number| format!("t_{number}")).collect();
    let tables =
        names.iter().zip(0x8000..).map(|(name, oid)| Table { oid, name, identity: b'd', cells: MIXED });
    let tables: Vec<Table<'_>> = tables.collect();
    let mut rehearsal = Rehearsal::new(&configuration("true", "false").unwrap(), types()).unwrap();
    let mut messages: Vec<_> = tables.iter().map(Table::insert).collect();
    messages.insert(0, begin());
    messages.push(commit());
    for table in &tables {
        rehearsal.message(Lsn(1), &table.relation()).unwrap();
    }
    let mut round = || {
        let counted = allocations(|| {
            for message in &messages {
                rehearsal.message(Lsn(1), message).unwrap();
            }
            rehearsal.turn().unwrap();
        });
        rehearsal.seal().unwrap();
        counted
    };
    assert!(round() > 0, "the first round fills buffers: nothing is counted");
    let counted: u64 = (0..20).map(|_| round()).sum();
    assert_eq!(counted, 0, "allocations in {} inserts", 20 * tables.len());
}
