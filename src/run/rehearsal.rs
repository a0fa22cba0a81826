//! A session without its ends, for those who count what a change costs: messages of the stream go in, and a sink that
//! keeps nothing takes the records. Everything between is what [`session`](super::session) runs: translator, publisher and
//! group commit. The counts are held by `tests/allocations.rs` and `benches/instructions.rs`; nothing in the program uses it.

use std::time::{Duration, Instant};

use crate::checkpoint::Position;
use crate::config::Config;
use crate::decode::{self, Message, Mode, Relation};
use crate::encode::{JsonEncoder, Records};
use crate::error::{Error, Kind, Result};
use crate::event::{self, Resume, TableSlot, TopicId, TransactionContext};
use crate::lsn::{Lsn, Oid, UnixMicros, Xid};
use crate::modes::TextEncoding;
use crate::observe::{About, Metrics};
use crate::run::describe::Describe;
use crate::run::group::{Group, Moment};
use crate::run::prepare;
use crate::run::publish::{self, Publisher};
use crate::run::session::CHUNK_BYTES;
use crate::run::snapshot::rows::Rows;
use crate::run::snapshot::tables::Source;
use crate::run::start::{LONGEST_BATCH, Routes, encode_settings, selection, translation};
use crate::run::streamed::Order;
use crate::run::translate::{At, Now, Step, Translator};
use crate::sink::{BatchId, CheckpointMode, CheckpointRecord, InFlight, Sink};
use crate::source::catalog::{TableDetails, TypeDetails, TypeKind};

/// A session that reads from its caller and writes to nowhere.
pub struct Rehearsal {
    translator: Translator,
    snapshot: Option<Rows>,
    publisher: Publisher,
    catalog: Catalog,
    position: Position,
    now: Instant,
    clock: Now,
    records: u64,
}

/// What is known of types beside the built-in ones.
struct Catalog(Vec<TypeDetails>);

/// Looks at each record as a producer would, and forgets it.
#[derive(Default)]
struct Nowhere {
    batch: Option<BatchId>,
    held: InFlight,
}

impl Rehearsal {
    /// Nothing was read yet. `types` are those that the relations will name and that are not scalar built-in ones. Texts are as of a
    /// database in SQL_ASCII.
    pub fn new(config: &Config, types: Vec<TypeDetails>) -> Result<Self> {
        let metrics = Metrics::new(&About { name: &config.name, memory_bytes: config.limits.memory })?;
        let encoder = encode_settings(config, SYSTEM_ID, TextEncoding::Utf8);
        let parts = translation(config, &metrics, Routes::new(config, &[]), encoder)?;
        let translator = Translator::new(parts, Resume::default());
        let position = Position {
            system_id: SYSTEM_ID,
            timeline: 1,
            slot: config.source.slot.as_str().into(),
            end_lsn: Lsn(0),
            last_commit_end_lsn: None,
            partial: None,
            snapshot: None,
        };
        let settings = publish::Settings {
            name: config.name.clone(),
            buffer_bytes: BUFFER_BYTES,
            checkpoint_interval: config.checkpoint.interval,
        };
        let group = Group::new(config.kafka.commit_interval, config.kafka.commit_max_bytes, LONGEST_BATCH);
        Ok(Self {
            translator,
            snapshot: None,
            publisher: Publisher::new(settings, Box::new(Nowhere::default()), group, position.clone(), false),
            catalog: Catalog(types),
            position,
            now: Instant::now(),
            // 2026-01-01, so that numbers have the digits that they have.
            clock: Now(Duration::new(1_767_225_600, 123_456_789)),
            records: 0,
        })
    }

    /// Prepares for rows of a snapshot, of the table that a Relation message describes.
    pub fn snapshot_of(&mut self, config: &Config, relation: &[u8]) -> Result<()> {
        let Message::Relation { relation, .. } = decode::parse(relation, Mode::default())? else {
            return Err(Error::new(Kind::Internal, "no Relation message"));
        };
        let relation = Relation::from(&relation);
        let selected = vec![true; relation.columns.len()];
        let find = |oid| self.catalog.type_details(oid);
        let mut table = event::resolve(&relation, (TableSlot(0), TopicId(0)), None, find, &selected);
        let mut encoder = JsonEncoder::new(encode_settings(config, SYSTEM_ID, TextEncoding::Utf8));
        prepare::table(&mut table, &selection(config)?, &mut encoder, "shop.public.t");
        let context = TransactionContext {
            xid: Xid(700),
            commit_lsn: Lsn(529_867_632),
            commit_time: UnixMicros(1_767_225_600_000_000),
            previous_end_lsn: None,
            origin: None,
        };
        let columns = u16::try_from(relation.columns.len()).unwrap_or(u16::MAX);
        let metrics = Metrics::new(&About { name: &config.name, memory_bytes: config.limits.memory })?;
        self.snapshot = Some(Rows::new(encoder, &[Source::of(table, columns)], context, &metrics));
        Ok(())
    }

    /// A row of the snapshot, as COPY sends it.
    pub fn row(&mut self, line: &[u8]) -> Result<()> {
        let out = self.publisher.records();
        let (before, held) = (out.byte_len(), out.len());
        if let Some(rows) = &mut self.snapshot {
            rows.row(0, (line, false), self.clock.nanos(), out)?;
        }
        self.records += (out.len() - held) as u64;
        let (bytes, full) = (out.byte_len() - before, out.byte_len() >= CHUNK_BYTES);
        self.publisher.added(bytes, self.now);
        if full { self.turn() } else { Ok(()) }
    }

    /// One message, the payload of an XLogData at `lsn`. Its records go to the sink by the chunk.
    pub fn message(&mut self, lsn: Lsn, body: &[u8]) -> Result<()> {
        let out = self.publisher.records();
        let (before, held) = (out.byte_len(), out.len());
        let at = At { lsn, now: self.clock, order: Order::after(0) };
        let step = self.translator.message(at, body, &mut self.catalog, out)?;
        self.records += (out.len() - held) as u64;
        let (bytes, full) = (out.byte_len() - before, out.byte_len() >= CHUNK_BYTES);
        self.publisher.added(bytes, self.now);
        if let Step::Committed { commit_time, published: true, .. } = step {
            // Sent as soon as it was committed: with a backlog a quiet moment seals nothing.
            self.publisher.committed(commit_time, commit_time);
        }
        if full {
            self.turn()?;
        }
        Ok(())
    }

    /// The rest of a turn of the session: records are handed over, counters published, durable batches learned.
    pub fn turn(&mut self) -> Result<()> {
        self.publisher.poll(self.now, |_| {})?;
        self.publisher.hand_over(Moment { now: self.now, boundary: false, quiet: true })?;
        self.translator.flush_counters();
        self.snapshot.as_mut().map(Rows::flush);
        Ok(())
    }

    /// Seals the open batch. This is the one step that may allocate: a checkpoint is a record of its own.
    pub fn seal(&mut self) -> Result<()> {
        let moment = Moment { now: self.now, boundary: true, quiet: true };
        self.publisher.seal(moment, || self.position.clone(), self.clock)?;
        self.publisher.poll(self.now, |_| {})
    }

    /// Records encoded so far.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }
}

impl Describe for Catalog {
    /// A catalog that has nothing to add: the key is the replica identity.
    fn table(&mut self, _: &Relation) -> Result<Option<TableDetails>> {
        Ok(None)
    }

    fn type_details(&self, oid: Oid) -> Option<TypeDetails> {
        let known = self.0.iter().find(|details| details.oid == oid).cloned();
        known.or_else(|| {
            let schema = "pg_catalog".to_owned();
            Some(TypeDetails { oid, schema, name: format!("oid {oid}"), kind: TypeKind::Base })
        })
    }
}

impl Sink for Nowhere {
    fn checkpoint_mode(&self) -> CheckpointMode {
        CheckpointMode::WithBatch
    }

    fn register_topic(&mut self, _: TopicId, _: &str) -> Result<()> {
        Ok(())
    }

    fn write(&mut self, records: &Records, from: usize) -> Result<usize> {
        for record in (from..records.len()).filter_map(|index| records.get(index)) {
            let parts = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            let headers: usize =
                record.headers().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len)).sum();
            self.held.bytes += std::hint::black_box(parts + headers) as u64;
            self.held.records += 1;
        }
        Ok(records.len())
    }

    fn commit(&mut self, batch: BatchId, _: Option<CheckpointRecord>) -> Result<()> {
        self.batch = Some(batch);
        Ok(())
    }

    fn poll(&mut self, durable: &mut dyn FnMut(BatchId)) -> Result<()> {
        if let Some(batch) = self.batch.take() {
            self.held = InFlight::default();
            durable(batch);
        }
        Ok(())
    }

    fn in_flight(&self) -> InFlight {
        self.held
    }
}

/// Nineteen digits, as real ones have.
const SYSTEM_ID: u64 = 7_300_000_000_000_000_001;
/// As a session with the default memory has.
const BUFFER_BYTES: usize = 5 * 1024 * 1024;
