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
    /// How long to wait before a full sink is asked again.
    retry: Duration,
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
            retry: SHORTEST_RETRY,
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

    /// A transaction that has records in the open batch ended. `sent` is the server's clock when it sent the commit: both
    /// times are of one clock, which may differ from ours.
    pub(crate) fn committed(&mut self, commit_time: UnixMicros, sent: UnixMicros) {
        self.commit_times.push_back(commit_time);
        self.commits += 1;
        let age_us = sent.0.saturating_sub(commit_time.0);
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

    /// Batches that are sealed and not durable yet.
    pub(crate) fn sealed_batches(&self) -> usize {
        self.ledger.len()
    }

    /// Whether nothing is left to be done for what was encoded so far.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_handed_over() && !self.group.is_open() && self.ledger.is_empty() && self.unstored.is_none()
    }

    /// When to hand over again, if there is something left: a full queue empties without a sign of its own.
    pub(crate) fn retry(&self) -> Option<Duration> {
        (!self.is_handed_over()).then_some(self.retry)
    }

    /// Gives the sink what it takes. During a backlog records gather first: the sink sends what it gets at once in one piece
    /// to each partition, and nobody waits for the newest.
    pub(crate) fn hand_over(&mut self, moment: Moment) -> Result<()> {
        let gathers = self.written == 0
            && self.records.byte_len() < GATHER_BYTES.min(self.settings.buffer_bytes / 2)
            && self.group.gathers(moment);
        if self.is_handed_over() || gathers {
            self.retry = SHORTEST_RETRY;
            return Ok(());
        }
        let written = self.sink.write(&self.records, self.written)?;
        self.retry =
            if written > self.written { SHORTEST_RETRY } else { (self.retry * 2).min(LONGEST_RETRY) };
        self.written = written;
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
                if self.sink.checkpoint_mode() == CheckpointMode::WithBatch {
                    self.group.committed(now.saturating_duration_since(at));
                }
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

    /// Has `position` written down next. Call it when everything is settled: it must be true by then.
    pub(crate) fn store(&mut self, position: Position) {
        debug_assert!(self.is_settled(), "a position is stored before what lies before it is durable");
        self.unstored = Some(position);
    }

    /// Whether there is more to read than anybody waits for, so that batches may stay open longer.
    pub(crate) fn set_behind(&mut self, behind: bool) {
        self.group.set_behind(behind);
    }

    /// When [`Publisher::seal`] may have something to do by time alone. While it can do nothing it waits for the sink, which rings
    /// when a batch is durable, or for [`Publisher::retry`].
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        self.can_seal().then(|| self.group.wait(now)).flatten()
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
/// While the sink takes something each time, it is asked as often as it can be; while brokers stand still, rarely. A queue lasts
/// longer than the longest.
const SHORTEST_RETRY: Duration = Duration::from_millis(2);
const LONGEST_RETRY: Duration = Duration::from_millis(16);

/// Encoded bytes that gather during a backlog before the sink gets them.
const GATHER_BYTES: usize = 512 * 1024;
/// A commit older than this when it is read is part of a backlog.
const BEHIND_US: i64 = 2_000_000;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, MutexGuard};

    use proptest::prelude::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::checkpoint::Partial;
    use crate::error::{Error, Kind};
    use crate::event::TopicId;
    use crate::run::feedback::{Feedback, Times};
    use crate::sink::BatchId;

    /// Commit LSN and ordinal.
    type Id = (u64, u64);

    /// What outlives a crash.
    #[derive(Default)]
    struct Store {
        records: Vec<Id>,
        checkpoint: Option<Position>,
    }

    #[derive(Clone)]
    struct World {
        store: Arc<Mutex<Store>>,
        random: Arc<Mutex<StdRng>>,
        mode: CheckpointMode,
    }

    impl World {
        fn store(&self) -> MutexGuard<'_, Store> {
            self.store.lock().unwrap()
        }

        fn below(&self, bound: usize) -> usize {
            self.random.lock().unwrap().random_range(0..bound)
        }
    }

    /// A broker that takes, keeps and forgets as it likes, within what it promised.
    struct Fake {
        world: World,
        /// With transactions: at most one is on its way. Without: all that was sent and is not kept yet.
        sent: VecDeque<(BatchId, Vec<Id>, Option<CheckpointRecord>)>,
        open: Vec<Id>,
        kept: VecDeque<BatchId>,
        /// One call in so many fails; none: never.
        fails: Option<usize>,
    }

    impl Fake {
        /// Keeps the oldest batch, as one with transactions, record by record without.
        fn keep_one(&mut self) {
            let Some((batch, ids, checkpoint)) = self.sent.pop_front() else { return };
            let mut store = self.world.store();
            store.records.extend(ids);
            if let Some(checkpoint) = checkpoint {
                store.checkpoint = Some(Position::from_json(&checkpoint.value).unwrap());
            }
            drop(store);
            self.kept.push_back(batch);
        }

        fn keep_some(&mut self) {
            for _ in 0..self.world.below(self.sent.len() + 1) {
                self.keep_one();
            }
            if self.world.mode == CheckpointMode::AfterBatch {
                let ids = self.sent.front_mut().map_or(&mut self.open, |(_, ids, _)| ids);
                let some = self.world.below(ids.len() + 1);
                self.world.store().records.extend(ids.drain(..some));
            }
        }

        fn may_fail(&self) -> Result<()> {
            match self.fails {
                Some(calls) if self.world.below(calls) == 0 => Err(Error::new(Kind::SinkFatal, "planted")),
                _ => Ok(()),
            }
        }
    }

    impl Sink for Fake {
        fn checkpoint_mode(&self) -> CheckpointMode {
            self.world.mode
        }

        fn register_topic(&mut self, _topic: TopicId, _name: &str) -> Result<()> {
            Ok(())
        }

        fn write(&mut self, records: &Records, from: usize) -> Result<usize> {
            self.may_fail()?;
            if self.world.mode == CheckpointMode::WithBatch && !self.sent.is_empty() {
                return Ok(from);
            }
            let until = from + self.world.below(records.len() - from + 1);
            for record in (from..until).filter_map(|index| records.get(index)) {
                let (commit, ordinal) = record.value.unwrap().split_at(8);
                let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
                self.open.push((number(commit), number(ordinal)));
            }
            Ok(until)
        }

        fn commit(&mut self, batch: BatchId, checkpoint: Option<CheckpointRecord>) -> Result<()> {
            match self.world.mode {
                CheckpointMode::WithBatch => assert!(self.sent.is_empty() && checkpoint.is_some()),
                CheckpointMode::AfterBatch => assert!(self.open.is_empty() || checkpoint.is_none()),
            }
            self.sent.push_back((batch, std::mem::take(&mut self.open), checkpoint));
            self.may_fail()
        }

        fn poll(&mut self, durable: &mut dyn FnMut(BatchId)) -> Result<()> {
            self.keep_some();
            self.may_fail()?;
            let known = self.world.below(self.kept.len() + 1);
            self.kept.drain(..known).for_each(durable);
            Ok(())
        }

        fn in_flight(&self) -> InFlight {
            InFlight::default()
        }
    }

    impl Drop for Fake {
        /// What was on its way may arrive, or not.
        fn drop(&mut self) {
            self.keep_some();
        }
    }

    /// Transactions of so many records; number `n` commits at `COMMIT * (n + 1)`.
    struct Stream<'a> {
        sizes: &'a [usize],
        resume: Position,
        transaction: usize,
        ordinal: u64,
        end_lsn: Lsn,
    }

    const COMMIT: u64 = 100;
    const TO_END: u64 = 40;

    impl<'a> Stream<'a> {
        /// As the server and the assembler do: by commit LSN, then by ordinal.
        fn from(resume: Position, sizes: &'a [usize]) -> Self {
            let skipped =
                (0..sizes.len()).take_while(|n| COMMIT * (*n as u64 + 1) < resume.end_lsn.0).count();
            Self { sizes, transaction: skipped, ordinal: 0, end_lsn: resume.end_lsn, resume }
        }

        fn commit_lsn(&self) -> Lsn {
            Lsn(COMMIT * (self.transaction as u64 + 1))
        }

        fn skip_below(&self) -> u64 {
            self.resume.partial.filter(|p| p.commit_lsn == self.commit_lsn()).map_or(0, |p| p.ordinal)
        }

        fn is_open(&self) -> bool {
            self.ordinal > 0
        }

        fn is_over(&self) -> bool {
            self.transaction == self.sizes.len()
        }

        fn position(&self) -> Position {
            let partial = if self.is_open() {
                let ordinal = self.ordinal.max(self.skip_below());
                Some(Partial { commit_lsn: self.commit_lsn(), ordinal })
            } else {
                self.resume.partial
            };
            Position { end_lsn: self.end_lsn, partial, ..self.resume.clone() }
        }

        /// One record, or the end of a transaction; true for the latter.
        fn step(&mut self, out: &mut Records) -> bool {
            let size = self.sizes[self.transaction] as u64;
            if self.ordinal == size {
                if self.resume.partial.is_some_and(|partial| partial.commit_lsn <= self.commit_lsn()) {
                    self.resume.partial = None;
                }
                self.end_lsn = Lsn(self.commit_lsn().0 + TO_END);
                (self.transaction, self.ordinal) = (self.transaction + 1, 0);
                return true;
            }
            if self.ordinal >= self.skip_below() {
                let start = out.byte_len();
                out.buffer().extend_from_slice(&self.commit_lsn().0.to_be_bytes());
                out.buffer().extend_from_slice(&self.ordinal.to_be_bytes());
                let end = out.byte_len();
                out.push(TopicId(0), false, None, Some(start..end), end..end);
            }
            self.ordinal += 1;
            false
        }
    }

    fn everything(sizes: &[usize]) -> Vec<Id> {
        let of = |(n, size): (usize, &usize)| (0..*size as u64).map(move |o| (COMMIT * (n as u64 + 1), o));
        sizes.iter().enumerate().flat_map(of).collect()
    }

    /// A session of so many turns, or until all is drained; whether it was.
    fn session(world: &World, sizes: &[usize], turns: usize, fails: Option<usize>) -> bool {
        let checkpoint = world.store().checkpoint.clone();
        let store_first = checkpoint.is_none();
        let position = checkpoint.unwrap_or_else(start);
        let sink = Fake {
            world: world.clone(),
            sent: VecDeque::new(),
            open: Vec::new(),
            kept: VecDeque::new(),
            fails,
        };
        let interval = Duration::from_millis(100);
        let settings =
            Settings { name: "shop".into(), buffer_bytes: 400, checkpoint_interval: 10 * interval };
        let group = Group::new(interval, 300, 3 * interval);
        let mut feedback = Feedback::new(Times { interval, silence: interval }, position.end_lsn);
        let mut stream = Stream::from(position.clone(), sizes);
        let mut publisher = Publisher::new(settings, Box::new(sink), group, position, store_first);
        let (mut now, clock) = (Instant::now(), Now(Duration::ZERO));
        let mut quiet = false;
        for _ in 0..turns {
            now += Duration::from_millis(world.below(40) as u64);
            let learned = publisher.poll(Instant::now(), |progress| {
                if let Progress::Stored(position) = progress {
                    feedback.confirm(position.end_lsn);
                    covered(world, sizes, &position);
                }
            });
            let (boundary, over) = (!stream.is_open(), stream.is_over());
            let moment = Moment { now, boundary, quiet: quiet || over };
            let sealed = learned.and_then(|()| publisher.hand_over(moment)).and_then(|()| {
                if over {
                    return publisher.seal_last(|| stream.position(), now, clock);
                }
                publisher.seal(Moment { now, boundary, quiet }, || stream.position(), clock)?;
                if boundary {
                    publisher.store_idle(stream.position(), (now, false), clock)?;
                }
                Ok(())
            });
            if sealed.is_err() {
                return false;
            }
            if over && publisher.is_settled() {
                return true;
            }
            if over || publisher.holds(now, boundary) {
                continue;
            }
            let before = publisher.records().byte_len();
            quiet = world.below(4) == 0;
            for _ in 0..world.below(12) {
                if stream.is_over() {
                    break;
                }
                if stream.step(publisher.records()) {
                    feedback.received(stream.end_lsn);
                    publisher.committed(UnixMicros(0), UnixMicros(0));
                    if publisher.wants_seal(now) {
                        break;
                    }
                }
            }
            let bytes = publisher.records().byte_len() - before;
            publisher.added(bytes, now);
        }
        false
    }

    /// What is confirmed is stored, and what lies before it is durable.
    fn covered(world: &World, sizes: &[usize], position: &Position) {
        let store = world.store();
        let stored = store.checkpoint.as_ref().expect("a checkpoint was stored");
        assert!(
            stored.end_lsn >= position.end_lsn,
            "{} stored, {} confirmed",
            stored.end_lsn,
            position.end_lsn
        );
        let kept: std::collections::HashSet<&Id> = store.records.iter().collect();
        for id in everything(sizes).iter().filter(|(commit, _)| *commit < position.end_lsn.0) {
            assert!(kept.contains(id), "{id:?} is not durable, {} is confirmed", position.end_lsn);
        }
    }

    fn start() -> Position {
        Position {
            system_id: 1,
            timeline: 1,
            slot: "s".into(),
            end_lsn: Lsn(1),
            last_commit_end_lsn: None,
            partial: None,
            snapshot: None,
        }
    }

    /// Enough for any order of events here; a session that needs more is stuck.
    const MANY_TURNS: usize = 20_000;

    fn run(mode: CheckpointMode, seed: u64, sizes: &[usize], crashes: &[usize]) -> Vec<Id> {
        let random = Arc::new(Mutex::new(StdRng::seed_from_u64(seed)));
        let world = World { store: Arc::default(), random, mode };
        let drained = crashes.iter().any(|turns| session(&world, sizes, *turns, Some(60)));
        assert!(drained || session(&world, sizes, MANY_TURNS, None), "the session is stuck");
        // One that was drained has nothing to send again.
        let before = world.store().records.len();
        assert!(session(&world, sizes, MANY_TURNS, None), "the session is stuck");
        assert_eq!(world.store().records.len(), before, "sent again after a drain");
        std::mem::take(&mut world.store().records)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn resumes_with_exactly_what_is_missing(
            seed: u64,
            sizes in prop::collection::vec(prop_oneof![4 => 0usize..5, 1 => 20usize..80], 1..25),
            crashes in prop::collection::vec(1usize..60, 0..8),
        ) {
            let records = run(CheckpointMode::WithBatch, seed, &sizes, &crashes);
            prop_assert_eq!(records, everything(&sizes));
        }

        #[test]
        fn repeats_and_never_leaves_out_without_transactions(
            seed: u64,
            sizes in prop::collection::vec(prop_oneof![4 => 0usize..5, 1 => 20usize..80], 1..25),
            crashes in prop::collection::vec(1usize..60, 0..8),
        ) {
            let mut seen = std::collections::HashSet::new();
            let mut records = run(CheckpointMode::AfterBatch, seed, &sizes, &crashes);
            records.retain(|id| seen.insert(*id));
            prop_assert_eq!(records, everything(&sizes));
        }
    }
}
