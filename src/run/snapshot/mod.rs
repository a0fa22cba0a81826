//! The first copy of the tables, before the stream begins: what is in them at one moment, each row an event with `op` `r`, and
//! then the changes from that very moment on.
//!
//! The order that keeps the promises: first it is written down that a snapshot is under way, so that the slot made for it is known
//! as such whenever we die; then the slot is made, which fixes the moment; then the tables are locked as any SELECT does, and
//! looked at for what happened between. Rows go through the same publisher as changes do. Only when all of them are durable a
//! position without a snapshot is stored. Until then nothing is confirmed, and whoever starts again starts over.
//!
//! All connections are read by the data thread: what is done at the same time is done by the server.

mod attempts;
mod copying;
mod course;
mod publishing;
pub(super) mod rows;
pub(super) mod tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::checkpoint::{Position, SnapshotProgress};
use crate::config::{Config, SnapshotMode};
use crate::encode::{EncodeSettings, JsonEncoder, SnapshotStatus};
use crate::error::{Error, Kind, Result};
use crate::event::{Router, TransactionContext};
use crate::lsn::Lsn;
use crate::modes::Via;
use crate::observe::{SnapshotOutcome, State};
use crate::run::control::Control;
use crate::run::notify::Notifier;
use crate::run::publish::Publisher;
use crate::run::reconcile::{SnapshotPlan, SnapshotSlot};
use crate::run::session::{Ended, wall_clock};
use crate::run::supervise::Shared;
use crate::run::telemetry::Telemetry;
use crate::run::watch::watch_slot;
use crate::source::catalog::CapturedTable;
use crate::source::slot;
use crate::source::{Connection, NewSlot, SlotSnapshot, SnapshotReader, Sql};
pub(crate) use attempts::Attempts;
use copying::Copying;
use course::Course;
use publishing::Publishing;
use rows::Rows;

/// What a snapshot is taken with.
pub(crate) struct Job<'a> {
    pub shared: &'a Shared,
    pub control: &'a Control,
    pub runtime: &'a Handle,
    pub sql: &'a Arc<Sql>,
    pub captured: &'a [CapturedTable],
    pub router: &'a mut Router,
    pub encoder: EncodeSettings,
    pub notifier: Notifier,
    /// Of this cluster and slot; where it stands is found out.
    pub position: Position,
}

/// What came of it.
pub(crate) enum Taken {
    /// The stream begins at `lsn`.
    Through { publisher: Box<Publisher>, lsn: Lsn },
    /// The tables were all there was to do, or somebody said stop.
    Ended(Ended),
}

/// How far it came, for those who deal with its end.
#[derive(Default)]
struct Reached {
    /// A slot that nobody needs if this is the end.
    made: bool,
    rows: u64,
}

/// Where the snapshot stands.
struct Begun {
    readers: Vec<SnapshotReader>,
    context: TransactionContext,
    /// Where the stream begins.
    start: Lsn,
}

/// Takes the snapshot. A slot that was made for it is dropped again when it does not get to its end: it would hold log that
/// nobody needs.
pub(crate) fn take(
    mut job: Job<'_>,
    plan: &SnapshotPlan,
    connection: Connection,
    publisher: Publisher,
) -> Result<Taken> {
    if let Some(reason) = &plan.reason {
        tracing::warn!(reason, "taking another snapshot");
    }
    let tables = job.runtime.block_on(tables::choose(&job))?;
    let metrics = job.shared.metrics.clone();
    metrics.snapshot().begun(tables.len());
    let name = job.shared.config.source.slot.clone();
    let watcher = watch_slot(Arc::clone(job.sql), name, metrics.clone());
    let watcher = job.runtime.spawn(watcher.in_current_span());
    let mut reached = Reached::default();
    let taken = through(&mut job, (plan, &tables), (connection, publisher), &mut reached)
        .map_err(|error| error.context("take snapshot"));
    watcher.abort();
    let outcome = match &taken {
        Ok(Taken::Through { .. } | Taken::Ended(Ended::Finished)) => SnapshotOutcome::Completed,
        Ok(Taken::Ended(_)) => SnapshotOutcome::Stopped,
        Err(_) => SnapshotOutcome::Failed,
    };
    match &taken {
        Ok(Taken::Through { .. }) => job.shared.snapshots.taken(),
        Ok(Taken::Ended(_)) => {}
        Err(_) => job.shared.snapshots.failed(reached.rows),
    }
    metrics.snapshot().ended(outcome);
    metrics.pipeline().set_state(State::Connecting);
    if reached.made && outcome != SnapshotOutcome::Completed {
        drop_slot(&job);
    }
    taken
}

/// Says that there is none, where somebody listens: nothing will be streamed.
pub(crate) fn skipped(
    (shared, control): (&Shared, &Control),
    notifier: &Notifier,
    publisher: Publisher,
    position: &Position,
) -> Result<()> {
    let telemetry = Telemetry::new(&shared.metrics, position);
    let mut publishing = Publishing::new(publisher, telemetry, control);
    notifier.tell(SnapshotStatus::Skipped, publishing.publisher());
    publishing.settle(position).map(drop)
}

fn through(
    job: &mut Job<'_>,
    (plan, tables): (&SnapshotPlan, &[CapturedTable]),
    (connection, publisher): (Connection, Publisher),
    reached: &mut Reached,
) -> Result<Taken> {
    let owns_slot = matches!(plan.slot, SnapshotSlot::Create { .. });
    let mut progress =
        SnapshotProgress { owns_slot, tables: tables.len() as u64, ..SnapshotProgress::default() };
    if let SnapshotSlot::Existing { lsn } = plan.slot {
        job.position.end_lsn = lsn;
    }
    // Beside what is captured, the position stays one to go on at.
    let kept = matches!(plan.slot, SnapshotSlot::Kept { .. });
    job.position.snapshot = (!kept).then_some(progress);
    let telemetry = Telemetry::new(&job.shared.metrics, &job.position);
    let mut publishing = Publishing::new(publisher, telemetry, job.control);
    let course = Course::new(job.notifier.clone(), tables);
    course.started(publishing.publisher());
    if !publishing.settle(&job.position)? {
        return Ok(Taken::Ended(Ended::Drained));
    }
    let read = read(job, (plan.slot, tables), connection, (&mut publishing, &course), reached);
    if !matches!(read, Ok(Some(_))) {
        abort(job, &mut publishing, &course, read.as_ref().err());
    }
    let Some(Read { rows, start, began }) = read? else {
        tracing::info!("the snapshot is interrupted; it starts over at the next start");
        return Ok(Taken::Ended(Ended::Drained));
    };
    let only = job.shared.config.snapshot.mode == SnapshotMode::Only;
    progress = SnapshotProgress { completed: true, tables_read: progress.tables, rows, ..progress };
    job.position.snapshot = only.then_some(progress);
    course.completed(publishing.publisher());
    // From here on a checkpoint that stands on the slot may be durable, whatever is heard of it.
    reached.made = false;
    if !publishing.settle(&job.position)? {
        return Ok(Taken::Ended(Ended::Drained));
    }
    let seconds = began.elapsed().as_secs_f64();
    tracing::info!(tables = tables.len(), rows, seconds, "the snapshot is complete");
    Ok(if only {
        Taken::Ended(Ended::Finished)
    } else {
        Taken::Through { publisher: Box::new(publishing.into_publisher()), lsn: start }
    })
}

/// What was read.
struct Read {
    rows: u64,
    /// Where the stream begins.
    start: Lsn,
    began: Instant,
}

/// Reads all tables into the publisher; none when somebody said stop before.
fn read(
    job: &mut Job<'_>,
    (slot, tables): (SnapshotSlot, &[CapturedTable]),
    connection: Connection,
    (publishing, course): (&mut Publishing<'_>, &Course),
    reached: &mut Reached,
) -> Result<Option<Read>> {
    let Begun { readers, context, start } = begin(job, slot, connection, tables, reached)?;
    job.position.end_lsn = start;
    let runtime = job.runtime;
    let mut settings = job.encoder.clone();
    if settings.modes.quirky() {
        settings.modes.via = Via::Driver;
    }
    let mut encoder = JsonEncoder::new(settings);
    let sources = runtime.block_on(tables::describe(job, tables, &mut encoder))?;
    let metrics = job.shared.metrics.clone();
    let rows = Rows::new(encoder, &sources, context, &metrics);
    tracing::info!(tables = sources.len(), connections = readers.len(), start_lsn = %start, "taking a snapshot");
    metrics.pipeline().set_state(State::Snapshotting);
    let began = Instant::now();
    let mut copying = Copying::new(readers, &sources, (rows, course), &metrics);
    let through = copying.run(publishing, &mut job.position);
    reached.rows = copying.rows();
    if let Some(table) = copying.refused() {
        course.refused(table, publishing.publisher());
    }
    Ok(through?.then(|| Read { rows: copying.finish(), start, began }))
}

/// Says that there was no end, where somebody listens and the sink still does; what was read goes with it.
fn abort(job: &Job<'_>, publishing: &mut Publishing<'_>, course: &Course, error: Option<&Error>) {
    let deaf = error.is_some_and(|error| error.kind().is_of_sink());
    if deaf || !course.aborted(publishing.publisher()) {
        return;
    }
    let deadline = Instant::now() + job.shared.config.limits.drain_timeout.min(ABORT_PATIENCE);
    if let Err(error) = publishing.settle_until(deadline, &job.position) {
        tracing::debug!(%error, "the end of the snapshot could not be told");
    }
}

/// A notification is no reason to put off what is tried next.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);

/// Fixes the moment, opens the connections that see it, and locks the tables.
fn begin(
    job: &Job<'_>,
    slot: SnapshotSlot,
    mut connection: Connection,
    tables: &[CapturedTable],
    reached: &mut Reached,
) -> Result<Begun> {
    let Config { name, source, snapshot, limits, .. } = &*job.shared.config;
    let open = || SnapshotReader::open(name, source, limits.max_message, snapshot.lock_timeout);
    let count = snapshot.threads.min(tables.len()).max(1);
    let mut readers = Vec::with_capacity(count);
    let (exported, lsn, start) = match slot {
        SnapshotSlot::Create { drop } => {
            if drop {
                let slot = &source.slot;
                job.runtime.block_on(slot::drop(job.sql, slot))?;
                tracing::info!(slot, "dropped the slot, to create it again with the snapshot");
            }
            let wanted = NewSlot {
                name: &source.slot,
                snapshot: SlotSnapshot::Export,
                two_phase: false,
                failover: false,
            };
            tracing::info!(
                slot = source.slot,
                "creating the slot with a snapshot; it waits for transactions that are in progress"
            );
            let created = connection.create_slot(&wanted, super::start::SLOT_PATIENCE)?;
            reached.made = true;
            let unnamed =
                || Error::new(Kind::SourceProtocol, "the server created a slot and exported no snapshot");
            let point = created.consistent_point;
            (created.snapshot_name.ok_or_else(unnamed)?, point, point)
        }
        SnapshotSlot::Existing { lsn } => {
            tracing::warn!(
                slot = source.slot, %lsn,
                "the slot is older than the snapshot: what changed in between comes again behind it"
            );
            readers.push(open()?);
            let (exported, now) = first(&mut readers)?.export()?;
            (exported, now, lsn)
        }
        SnapshotSlot::Kept { lsn, .. } => {
            tracing::info!(%lsn, "reading the tables; what changed since the checkpoint comes behind the rows");
            readers.push(open()?);
            let (exported, now) = first(&mut readers)?.export()?;
            (exported, now, lsn)
        }
        SnapshotSlot::None => {
            readers.push(open()?);
            let (exported, now) = first(&mut readers)?.export()?;
            (exported, now, now)
        }
    };
    while readers.len() < count {
        let mut reader = open()?;
        reader.import(&exported)?;
        readers.push(reader);
    }
    // Until here it must not run another command; from here on nobody needs it.
    drop(connection);
    let eldest = first(&mut readers)?;
    let xid = eldest.last_transaction()?;
    let names: Vec<_> = tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).collect();
    let oids: Vec<_> = tables.iter().map(|table| table.oid).collect();
    if !tables.is_empty() {
        eldest.lock(&names)?;
        if let Some(table) = eldest.rewritten(&oids)? {
            let detail = format!(
                "table {table} was emptied or written anew while the snapshot began, so that it would be read as empty"
            );
            return Err(Error::new(Kind::SourceServer, detail).with_hint("nothing to do: it starts over"));
        }
    }
    let context = TransactionContext {
        xid,
        commit_lsn: lsn,
        commit_time: wall_clock().micros(),
        previous_end_lsn: None,
        origin: None,
    };
    Ok(Begun { readers, context, start })
}

fn first(readers: &mut [SnapshotReader]) -> Result<&mut SnapshotReader> {
    readers.first_mut().ok_or_else(|| Error::new(Kind::Internal, "a snapshot without a connection"))
}

/// What fails now fails again at the next start, which is told that the slot is nobody's.
fn drop_slot(job: &Job<'_>) {
    let slot = &job.shared.config.source.slot;
    match job.runtime.block_on(slot::drop(job.sql, slot)) {
        Ok(()) => tracing::info!(slot, "dropped the slot of the snapshot that did not get to its end"),
        Err(error) => tracing::debug!(slot, %error, "the slot of the snapshot could not be dropped"),
    }
}
