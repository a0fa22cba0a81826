//! `headwater import debezium-offsets`: the checkpoint that goes on where Debezium stopped, on its slot. Everything is held
//! against the server before anything is written: that the slot is there, free, and not beyond the offset; that there is no
//! checkpoint already. Where Debezium stopped within a transaction, as it nearly always does, the slot is read up to there and
//! nothing of it is confirmed.

use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::runtime::Handle;

use crate::checkpoint::{self, Partial, Position};
use crate::config::{Config, Sink as SinkConfig, TablePatterns};
use crate::error::{Error, Kind, Result};
use crate::event::Resume;
use crate::import::offsets::{Offset, Part};
use crate::lsn::Lsn;
use crate::observe::{About, Metrics};
use crate::run::locate::{Locator, Place};
use crate::run::lookup::Lookup;
use crate::run::session::wall_clock;
use crate::run::start::{Routes, encode_settings, start_stream, text_encoding, translation};
use crate::run::streamed;
use crate::run::translate::{At, Translator};
use crate::sink::{BatchId, CheckpointRecord, KafkaSink, LinesSink, Sink, Wake};
use crate::source::frame::Frame;
use crate::source::slot::SlotState;
use crate::source::{Connection, Fill, Sql, Status, catalog, publication, slot};

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub offset: Offset,
    /// In place of a checkpoint that is there.
    pub force: bool,
    /// Find the position and write nothing.
    pub dry_run: bool,
}

/// Finds the position and writes it as the checkpoint; returns what happened, for people.
///
/// # Errors
/// [`Kind::SlotMissing`], [`Kind::SlotBusy`] and others of the slot; [`Kind::Gap`] when it is beyond the offset;
/// [`Kind::SystemChanged`] when the offset is of another server; [`Kind::Config`] when there is a checkpoint.
pub fn take_over(config: &Config, order: Order, runtime: &Handle) -> Result<String> {
    let sql = Arc::new(runtime.block_on(Sql::connect(&config.name, &config.source))?);
    let state = usable_slot(config, runtime.block_on(slot::inspect(&sql, &config.source.slot))?)?;
    if runtime.block_on(publication::inspect(&sql, &config.source.publication))?.is_none() {
        let detail = format!("publication {:?} does not exist", config.source.publication);
        return Err(Error::new(Kind::Publication, detail)
            .with_hint("set source.publication to publication.name of the connector"));
    }
    if let Some(position) = stored(config)?.filter(|_| !order.force) {
        let detail = format!("pipeline {:?} has a checkpoint already, at {}", config.name, position.end_lsn);
        return Err(Error::new(Kind::Config, detail)
            .with_hint("it is in force; --force replaces it, and repeats or leaves out what lies between"));
    }
    let mut connection = Connection::open(&config.name, &config.source, config.limits.max_message)?;
    let identity = connection.identify_system()?;
    let confirmed = state.confirmed_flush_lsn.unwrap_or(Lsn::INVALID);
    let base = base(order.offset, confirmed);
    plausible(config, order.offset, (base, confirmed, identity.flushed))?;
    let mut warnings = Vec::new();
    let (last_commit_end_lsn, partial) = match order.offset {
        Offset::Whole { last_commit_end_lsn, .. } => (last_commit_end_lsn, None),
        Offset::Part(part) => {
            let patterns = TablePatterns::new(&config.source.tables, &config.source.exclude_tables)?;
            let captured = runtime.block_on(catalog::captured_tables(&sql, &patterns))?;
            let routes = Routes::new(config, &captured);
            let oids = captured.iter().map(|table| table.oid).collect();
            let metrics = Metrics::new(&About { name: &config.name, memory_bytes: config.limits.memory })?;
            let resume = Resume { end_lsn: base, ..Resume::default() };
            let encoder = encode_settings(config, identity.system_id, text_encoding(config, &connection));
            let parts = translation(config, &metrics, routes, encoder)?;
            let locator = Locator::new(part, Translator::new(parts, resume));
            let lookup =
                Lookup::prefetch(Arc::clone(&sql), runtime.clone(), oids, config.events.modes.quirky());
            let place = search(config, connection, (locator, lookup), (base, identity.flushed))?;
            (part.last_commit_end_lsn, partial_of(part, place, &mut warnings))
        }
    };
    let position = Position {
        system_id: identity.system_id,
        timeline: identity.timeline,
        slot: config.source.slot.as_str().into(),
        end_lsn: base,
        last_commit_end_lsn,
        partial,
        snapshot: None,
    };
    if !order.dry_run {
        write(config, &position)?;
    }
    Ok(told(config, &position, confirmed, &warnings, order.dry_run))
}

fn usable_slot(config: &Config, state: Option<SlotState>) -> Result<SlotState> {
    let name = &config.source.slot;
    let state = state.ok_or_else(|| {
        Error::new(Kind::SlotMissing, format!("slot {name:?} does not exist: there is nothing to take over"))
            .with_hint("set source.slot to slot.name of the connector; was slot.drop.on.stop on?")
    })?;
    state.usable(name, &config.source.database).map_err(|error| match error.kind() {
        Kind::SlotBusy => error.with_hint("stop the connector first, and wait until its slot is free"),
        _ => error,
    })?;
    Ok(state)
}

fn stored(config: &Config) -> Result<Option<Position>> {
    match config.sink {
        SinkConfig::Kafka => checkpoint::store::read(config),
        _ => checkpoint::file::read(config),
    }
}

/// Up to where every transaction is written.
fn base(offset: Offset, confirmed: Lsn) -> Lsn {
    match offset {
        Offset::Whole { end_lsn, .. } => end_lsn,
        Offset::Part(Part { last_commit_end_lsn, .. }) => last_commit_end_lsn.unwrap_or(confirmed),
    }
}

/// The slot must not be beyond the offset, nor the offset beyond the server.
fn plausible(config: &Config, offset: Offset, (base, confirmed, flushed): (Lsn, Lsn, Lsn)) -> Result<()> {
    let furthest = match offset {
        Offset::Whole { end_lsn, .. } => end_lsn,
        Offset::Part(part) => part.lsn,
    };
    if furthest > flushed.max(confirmed) {
        let detail = format!("the offset is at {furthest}, and the log of this server ends at {flushed}");
        return Err(Error::new(Kind::SystemChanged, detail)
            .with_hint("the offset is of another server: check source.host and source.database"));
    }
    if confirmed > base {
        let detail = format!(
            "slot {:?} is at {confirmed}, beyond the offset at {base}: what lies between cannot be read any more",
            config.source.slot
        );
        return Err(Error::new(Kind::Gap, detail).with_hint(
            "take the newest offsets, after an orderly stop; with lsn.flush.mode=connector_and_driver the driver moves the slot over log without changes: then start without importing offsets, at the slot",
        ));
    }
    Ok(())
}

/// Reads the stream from `base` until the place is found, or everything that was there at `end` has come.
fn search(
    config: &Config,
    connection: Connection,
    (mut locator, mut lookup): (Locator, Lookup),
    (base, end): (Lsn, Lsn),
) -> Result<Place> {
    let mut stream = start_stream(config, connection, base, false)?;
    let silence = Wake::new()?;
    let mut ask = Instant::now();
    let (mut reached, mut unchanged) = (Lsn::INVALID, 0);
    let place = 'found: loop {
        while let Some(frame) = stream.next_frame()? {
            match frame {
                Frame::XLogData { start, body, .. } => {
                    let at = At { lsn: start, now: wall_clock(), order: streamed::Order::after(0) };
                    if let Some(place) = locator.message(at, body, &mut lookup)? {
                        break 'found place;
                    }
                    unchanged = 0;
                }
                Frame::Keepalive { wal_end, .. } => {
                    unchanged = if wal_end == reached { unchanged + 1 } else { 0 };
                    reached = wal_end;
                    if !locator.has_begun() && (wal_end >= end || unchanged >= QUIET) {
                        break 'found Place::Elsewhere;
                    }
                }
                Frame::Other { .. } => {}
            }
        }
        let now = Instant::now();
        if now >= ask {
            // Nothing is confirmed: a position of zero says nothing.
            let (written, flushed, applied) = (Lsn::INVALID, Lsn::INVALID, Lsn::INVALID);
            let status = Status { written, flushed, applied, now: wall_clock().micros(), reply: true };
            stream.send_status(&status)?;
            ask = now + ASK;
        }
        let ready = stream
            .wait(silence.as_fd(), true, ASK)
            .map_err(|error| Error::new(Kind::Internal, "poll failed").with_source(error))?;
        if ready.socket && matches!(stream.fill()?, Fill::Closed) {
            return Err(stream.closed());
        }
    };
    stream.stop();
    Ok(place)
}

/// What the place means for the checkpoint.
fn partial_of(part: Part, place: Place, warnings: &mut Vec<String>) -> Option<Partial> {
    match place {
        Place::Exact(partial) => partial,
        Place::Repeats { partial, changes } => {
            warnings.push(format!(
                "at least {changes} change of the log record at {} is written already, and which cannot be told: changes of this record come again",
                part.lsn
            ));
            partial
        }
        Place::Elsewhere => {
            warnings.push(format!(
                "the transaction of the offset, with a change at {}, is not the next one of the slot: if it comes, it comes whole, with what is written already",
                part.lsn
            ));
            None
        }
    }
}

/// Through the sink, as every checkpoint: with exactly once that fences whoever else writes under this name.
fn write(config: &Config, position: &Position) -> Result<()> {
    let bell = Wake::new()?;
    let mut sink: Box<dyn Sink> = match config.sink {
        SinkConfig::Kafka => Box::new(KafkaSink::open(config, QUEUE_BYTES, bell.clone())?),
        _ => Box::new(LinesSink::open(config, bell.clone())?),
    };
    let value = position.to_json(wall_clock().millis());
    sink.commit(BatchId(0), Some(CheckpointRecord { key: config.name.clone(), value }))?;
    let deadline = Instant::now() + WRITE_PATIENCE;
    loop {
        let mut durable = false;
        sink.poll(&mut |_| durable = true)?;
        if durable {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let detail = format!("the checkpoint was not written within {WRITE_PATIENCE:?}");
            return Err(Error::new(Kind::SinkUnreachable, detail));
        }
        // Whatever it says, the sink is asked again.
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        let _ = poll(&mut [PollFd::new(&bell, PollFlags::IN)], Some(&second));
        bell.silence();
    }
}

fn told(config: &Config, position: &Position, confirmed: Lsn, warnings: &[String], dry_run: bool) -> String {
    let mut lines: Vec<String> = warnings.iter().map(|warning| format!("warning: {warning}")).collect();
    let within = match position.partial {
        Some(Partial { commit_lsn, ordinal }) => {
            format!(", and within the transaction that commits at {commit_lsn} before its record {ordinal}")
        }
        None => String::new(),
    };
    let doing = if dry_run { "would go on" } else { "goes on" };
    lines.push(format!(
        "pipeline {:?} {doing} at {}{within}; slot {:?} is at {confirmed}",
        config.name, position.end_lsn, config.source.slot
    ));
    if !dry_run {
        lines
            .push("the checkpoint is written: start `headwater run`, and leave the connector stopped".into());
    }
    lines.join("\n") + "\n"
}

/// Between two questions to the server.
const ASK: Duration = Duration::from_secs(1);
/// So many answers without progress mean that nothing more is there.
const QUIET: u32 = 5;
/// One record.
const QUEUE_BYTES: u64 = 4 * 1024 * 1024;
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsn::Xid;

    fn part(last_commit: Option<u64>, lsn: u64) -> Offset {
        let last_commit_end_lsn = last_commit.map(Lsn);
        Offset::Part(Part { last_commit_end_lsn, xid: Some(Xid(7)), lsn: Lsn(lsn), processed: None })
    }

    fn whole(end: u64) -> Offset {
        Offset::Whole { end_lsn: Lsn(end), last_commit_end_lsn: None }
    }

    #[test]
    fn the_slot_may_lag_behind_and_not_lead() {
        let config = crate::sink::sample::config("");
        for (offset, confirmed, flushed, expected) in [
            (whole(50), 50, 60, None),
            (whole(50), 40, 60, None),
            (whole(50), 51, 60, Some(Kind::Gap)),
            (whole(61), 40, 60, Some(Kind::SystemChanged)),
            (part(Some(50), 55), 50, 60, None),
            (part(Some(50), 55), 52, 60, Some(Kind::Gap)),
            (part(Some(50), 65), 50, 60, Some(Kind::SystemChanged)),
            (part(None, 55), 52, 60, None),
        ] {
            let (confirmed, flushed) = (Lsn(confirmed), Lsn(flushed));
            let found = plausible(&config, offset, (base(offset, confirmed), confirmed, flushed));
            assert_eq!(found.err().map(|error| error.kind()), expected, "{offset:?} {confirmed}");
        }
    }

    #[test]
    fn what_may_come_twice_is_told() {
        let Offset::Part(part) = part(Some(50), 55) else { unreachable!() };
        let partial = Some(Partial { commit_lsn: Lsn(58), ordinal: 3 });
        for (place, expected, told) in [
            (Place::Exact(partial), partial, None),
            (Place::Repeats { partial, changes: 2 }, partial, Some("come again")),
            (Place::Elsewhere, None, Some("comes whole")),
        ] {
            let mut warnings = Vec::new();
            assert_eq!(partial_of(part, place, &mut warnings), expected);
            assert_eq!(warnings.len(), usize::from(told.is_some()));
            assert!(told.is_none_or(|told| warnings[0].contains(told)), "{warnings:?}");
        }
    }
}
