//! From encoded records to a durable checkpoint: hands records to the sink, seals batches, keeps the ledger, and says
//! which position may be confirmed to the slot. It never blocks; what the sink does not take stays in one bounded buffer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::checkpoint::{Ledger, Position};
use crate::encode::Records;
use crate::error::Result;
use crate::lsn::{Lsn, UnixMicros};
use crate::run::group::{Group, Moment};
use crate::run::translate::Now;
use crate::sink::{CheckpointMode, CheckpointRecord, InFlight, Sink};

/// The bounds and times of a [`Publisher`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Key of the checkpoint.
    pub name: String,
    /// Encoded bytes that wait for the sink; beyond it the stream is not read.
    pub buffer_bytes: usize,
    /// Progress without records is written down this often.
    pub checkpoint_interval: Duration,
}

/// What a sealed batch makes true once it is durable.
#[derive(Debug)]
struct Sealed {
    position: Position,
    /// The position is stored with it, not just the records.
    stored: bool,
    /// Transactions that ended in it.
    commits: usize,
    at: Instant,
}

/// A step forward that [`Publisher::poll`] tells of.
#[derive(Debug)]
pub(crate) enum Progress {
    /// A transaction that committed then is durable.
    Published(UnixMicros),
    /// A batch is durable, and with it everything up to here; it took so long.
    Durable(Lsn, Duration),
    /// The checkpoint is durable: the slot may move here.
    Stored(Position),
}

/// Owns the sink and what is on the way to it.
pub(crate) struct Publisher {
    settings: Settings,
    sink: Box<dyn Sink>,
    records: Records,
    written: usize,
    ledger: Ledger<Sealed>,
    group: Group,
    /// Commit times of the transactions that are not durable yet, and how many of them ended in the open batch.
    commit_times: VecDeque<UnixMicros>,
    commits: usize,
    /// Durable records whose position is not stored yet (at least once only).
    unstored: Option<Position>,
    storing: bool,
    /// The last position that was sealed to be stored.
    sealed: Position,
    sealed_at: Instant,
}

impl Publisher {
    /// Starts at `position`. With `store_first` it is written down as soon as possible, because what is stored is another.
    pub(crate) fn new(
        settings: Settings,
        sink: Box<dyn Sink>,
        group: Group,
        position: Position,
        store_first: bool,
    ) -> Self {
        let now = Instant::now();
        let unstored = store_first.then(|| position.clone());
        let records = Records::with_capacity(settings.buffer_bytes);
        Self {
            settings,
            sink,
            records,
            written: 0,
            ledger: Ledger::default(),
            group,
            commit_times: VecDeque::new(),
            commits: 0,
            unstored,
            storing: false,
            sealed: position,
            sealed_at: now,
        }
    }

    /// The buffer that the encoder appends to.
    pub(crate) fn records(&mut self) -> &mut Records {
        &mut self.records
    }

    /// The sink, for topics.
    pub(crate) fn sink(&mut self) -> &mut dyn Sink {
        &mut *self.sink
    }

    /// Records of `bytes` were appended.
    pub(crate) fn added(&mut self, bytes: usize, now: Instant) {
        if bytes > 0 {
            self.group.add(bytes as u64, now);
        }
    }

    /// A transaction that has records in the open batch ended.
    pub(crate) fn committed(&mut self, commit_time: UnixMicros, clock: Now) {
        self.commit_times.push_back(commit_time);
        self.commits += 1;
        let age_us = clock.micros().0.saturating_sub(commit_time.0);
        self.group.set_behind(age_us > BEHIND_US);
    }

    /// Whether the open batch should be sealed at the end of this transaction.
    pub(crate) fn wants_seal(&self, now: Instant) -> bool {
        self.is_free() && self.group.due(Moment { now, boundary: true, quiet: false })
    }

    /// Whether reading must wait: the buffer is full, or a seal is due as soon as the sink has taken the rest.
    pub(crate) fn holds(&self, now: Instant, boundary: bool) -> bool {
        let full = self.records.byte_len() >= self.settings.buffer_bytes;
        full || !self.is_handed_over()
            && self.is_free()
            && self.group.due(Moment { now, boundary, quiet: false })
    }

    /// Encoded bytes that the sink has not taken.
    pub(crate) fn buffered_bytes(&self) -> usize {
        if self.is_handed_over() { 0 } else { self.records.byte_len() }
    }

    /// What the sink holds.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.sink.in_flight()
    }

    /// Whether the sink has everything that was encoded.
    pub(crate) fn is_handed_over(&self) -> bool {
        self.written == self.records.len()
    }

    /// Whether nothing is left to be done for what was encoded so far.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_handed_over() && !self.group.is_open() && self.ledger.is_empty() && self.unstored.is_none()
    }

    /// Gives the sink what it takes.
    pub(crate) fn hand_over(&mut self) -> Result<()> {
        if self.is_handed_over() {
            return Ok(());
        }
        self.written = self.sink.write(&self.records, self.written)?;
        if self.is_handed_over() {
            self.records.clear(self.settings.buffer_bytes);
            self.written = 0;
        }
        Ok(())
    }

    /// Learns what has become durable, and tells of it in order.
    pub(crate) fn poll(&mut self, now: Instant, mut tell: impl FnMut(Progress)) -> Result<()> {
        let ledger = &mut self.ledger;
        self.sink.poll(&mut |batch| ledger.durable(batch))?;
        while let Some(Sealed { position, stored, commits, at }) = self.ledger.settled() {
            self.commit_times
                .drain(..commits.min(self.commit_times.len()))
                .map(Progress::Published)
                .for_each(&mut tell);
            tell(Progress::Durable(position.end_lsn, now.saturating_duration_since(at)));
            if stored {
                self.storing = false;
                tell(Progress::Stored(position));
            } else {
                self.unstored = Some(position);
            }
        }
        Ok(())
    }

    /// Seals the open batch if it is time. `position` is that of everything encoded so far.
    pub(crate) fn seal(
        &mut self,
        moment: Moment,
        position: impl FnOnce() -> Position,
        clock: Now,
    ) -> Result<()> {
        if self.can_seal() && self.group.due(moment) {
            self.seal_now(position(), moment.now, clock)?;
        }
        if self.unstored.is_some() && !self.group.is_open() {
            self.store_unstored(moment.now, clock)?;
        }
        Ok(())
    }

    /// Seals whatever is open, to end the session.
    pub(crate) fn seal_last(
        &mut self,
        position: impl FnOnce() -> Position,
        now: Instant,
        clock: Now,
    ) -> Result<()> {
        if self.can_seal() && self.group.is_open() {
            self.seal_now(position(), now, clock)?;
        }
        if self.unstored.is_some() && !self.group.is_open() {
            self.store_unstored(now, clock)?;
        }
        Ok(())
    }

    /// Writes `position` down although no record led to it: the log has moved on without changes for us.
    pub(crate) fn store_idle(
        &mut self,
        position: Position,
        (now, asked): (Instant, bool),
        clock: Now,
    ) -> Result<()> {
        let idle = self.is_settled() && position.end_lsn > self.sealed.end_lsn;
        let wait = if asked { ASKED_EVERY } else { self.settings.checkpoint_interval };
        if idle && now.saturating_duration_since(self.sealed_at) >= wait {
            self.unstored = Some(position);
            self.store_unstored(now, clock)?;
        }
        Ok(())
    }

    /// When [`Publisher::seal`] may have something to do by time alone.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        self.group.wait(now)
    }

    /// In a transactional sink one batch is made durable at a time, and only what was handed over can be.
    fn can_seal(&self) -> bool {
        self.is_free() && self.is_handed_over()
    }

    fn is_free(&self) -> bool {
        match self.sink.checkpoint_mode() {
            CheckpointMode::WithBatch => self.ledger.is_empty(),
            CheckpointMode::AfterBatch => true,
        }
    }

    fn seal_now(&mut self, position: Position, now: Instant, clock: Now) -> Result<()> {
        let stored = self.sink.checkpoint_mode() == CheckpointMode::WithBatch;
        let checkpoint = stored.then(|| self.record(&position, clock));
        if stored {
            self.sealing(&position, now);
            self.unstored = None;
        }
        let commits = std::mem::take(&mut self.commits);
        let batch = self.ledger.seal(Sealed { position, stored, commits, at: now });
        self.group.sealed();
        self.sink.commit(batch, checkpoint)
    }

    /// A batch of nothing but the checkpoint.
    fn store_unstored(&mut self, now: Instant, clock: Now) -> Result<()> {
        let alone = match self.sink.checkpoint_mode() {
            CheckpointMode::WithBatch => self.ledger.is_empty(),
            CheckpointMode::AfterBatch => !self.storing,
        };
        if !alone {
            return Ok(());
        }
        let Some(position) = self.unstored.take() else { return Ok(()) };
        self.storing = true;
        self.sealing(&position, now);
        let checkpoint = self.record(&position, clock);
        let batch = self.ledger.seal(Sealed { position, stored: true, commits: 0, at: now });
        self.sink.commit(batch, Some(checkpoint))
    }

    fn sealing(&mut self, position: &Position, now: Instant) {
        assert!(
            position.end_lsn >= self.sealed.end_lsn,
            "the checkpoint would go back to {}",
            position.end_lsn
        );
        self.sealed = position.clone();
        self.sealed_at = now;
    }

    fn record(&self, position: &Position, clock: Now) -> CheckpointRecord {
        CheckpointRecord { key: self.settings.name.clone(), value: position.to_json(clock.millis()) }
    }
}

/// A server that asks for a reply is about to end the session or to shut down, and waits for the log to be confirmed.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// A commit older than this when it is read is part of a backlog.
const BEHIND_US: i64 = 2_000_000;
