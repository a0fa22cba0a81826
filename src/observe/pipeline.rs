//! The numbers of the pipeline as a whole: resolved counters that components hold, and the position of the stream, which
//! the data thread tells once per batch and at least once a second when idle.
//!
//! Lag in seconds is worked out when it is asked for. Were it stored, it would stand still exactly when the pipeline does.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use prometheus::{Histogram, IntCounter, IntGauge, IntGaugeVec};

use super::families::Families;
use super::state::State;
use super::transactions::{TransactionCounters, seconds_between};
use crate::error::Result;
use crate::lsn::{Lsn, UnixMicros};

/// Where the pipeline is. Every position is the end of something: bytes before it are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The server's `wal_end`, from the last message or keepalive.
    pub source: Lsn,
    /// Read from the socket.
    pub received: Lsn,
    /// Durable in the sink, whole transactions.
    pub flushed: Lsn,
    /// In the checkpoint that is durable.
    pub checkpoint: Lsn,
    /// Told to the slot.
    pub confirmed: Lsn,
    /// Commit time of the last transaction that is durable.
    pub published_until: Option<UnixMicros>,
    /// Batches that have become durable since the process started; progress within a huge transaction shows here only.
    pub durable_batches: u64,
    /// A committed transaction is not yet durable, or bytes wait that back-pressure keeps from being read.
    pub has_work: bool,
    /// Accepted by the sink and not yet durable.
    pub queue_bytes: u64,
    pub queue_records: u64,
    /// Held before the sink: read buffer and encoded records.
    pub buffered_bytes: u64,
}

/// `pg_replication_slots` about our slot, for [`PipelineMetrics::slot`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotWal {
    /// `pg_current_wal_lsn() - restart_lsn`, bytes; none without a `restart_lsn`.
    pub retained_bytes: Option<i64>,
    /// `safe_wal_size`, bytes; none when `max_slot_wal_keep_size` is -1 and before PostgreSQL 13.
    pub safe_bytes: Option<i64>,
    /// `wal_status`; none before PostgreSQL 13.
    pub status: Option<String>,
}

/// Everything about the pipeline that is not per table or per error.
#[derive(Debug)]
pub struct PipelineMetrics {
    /// Bytes read from the replication connection.
    pub received_bytes: IntCounter,
    /// Replication connections opened after the first.
    pub reconnects: IntCounter,
    /// Keepalives from the server.
    pub keepalives: IntCounter,
    /// Standby status updates sent.
    pub status_updates: IntCounter,
    /// Gaps accepted by `on_gap = "continue"`.
    pub gaps: IntCounter,
    /// Tables made since the start that joined the publication.
    pub tables_added: IntCounter,
    /// Tables that are to be captured and are not in the publication.
    pub tables_left_out: IntGauge,
    /// From the end of a batch to its acknowledgement, in seconds.
    pub kafka_commit: Histogram,
    transactions: IntCounter,
    published: IntCounter,
    commit_to_ack: Histogram,
    gauges: Gauges,
    /// Current up to this wall-clock time; see [`PipelineMetrics::lag_seconds`].
    current_as_of: AtomicI64,
    last_event: AtomicI64,
    has_work: AtomicBool,
    durable_batches: AtomicU64,
    beats: AtomicU64,
    state: AtomicU8,
}

impl PipelineMetrics {
    pub(super) fn new(families: &Families, started: UnixMicros) -> Result<Self> {
        let metrics = Self {
            received_bytes: families
                .counter("headwater_received_bytes_total", "Bytes read from the replication connection.")?,
            reconnects: families
                .counter("headwater_reconnects_total", "Replication connections opened after the first.")?,
            keepalives: families.counter("headwater_keepalives_total", "Keepalives from the server.")?,
            status_updates: families
                .counter("headwater_status_updates_total", "Standby status updates sent to the server.")?,
            gaps: families.counter(
                "headwater_gaps_total",
                "Gaps in the stream accepted by source.on_gap = continue.",
            )?,
            tables_added: families.counter(
                "headwater_tables_added_total",
                "Tables made while the stream ran that joined the publication.",
            )?,
            tables_left_out: families.gauge(
                "headwater_tables_left_out",
                "Tables that are to be captured and cannot join the publication yet.",
            )?,
            kafka_commit: families.histogram(
                "headwater_kafka_commit_seconds",
                "From the end of a batch (exactly once: a Kafka transaction) to its acknowledgement.",
                LATENCY_SECONDS,
            )?,
            transactions: families
                .counter("headwater_transactions_total", "Transactions whose commit was read.")?,
            published: families
                .counter("headwater_transactions_published_total", "Transactions durable in the sink.")?,
            commit_to_ack: families.histogram(
                "headwater_commit_to_ack_seconds",
                "From the commit in PostgreSQL to the acknowledgement by the sink.",
                LATENCY_SECONDS,
            )?,
            gauges: Gauges::new(families)?,
            current_as_of: AtomicI64::new(started.0),
            last_event: AtomicI64::new(0),
            has_work: AtomicBool::new(false),
            durable_batches: AtomicU64::new(0),
            beats: AtomicU64::new(0),
            state: AtomicU8::new(0),
        };
        metrics.set_state(State::Starting);
        Ok(metrics)
    }

    /// Counters for the data thread.
    pub fn transactions(&self) -> TransactionCounters {
        TransactionCounters::new(&self.transactions, &self.published, &self.commit_to_ack)
    }

    /// Tells where the pipeline is; to be called once per batch, and at least once a second when idle.
    pub fn progress(&self, progress: &Progress, now: UnixMicros) {
        debug_assert!(progress.received >= progress.flushed, "flushed what was not received: {progress:?}");
        debug_assert!(
            progress.checkpoint >= progress.confirmed,
            "confirmed beyond the checkpoint: {progress:?}"
        );
        let gauges = &self.gauges;
        gauges.source_lsn.set(signed(progress.source.0));
        gauges.received_lsn.set(signed(progress.received.0));
        gauges.flushed_lsn.set(signed(progress.flushed.0));
        gauges.checkpoint_lsn.set(signed(progress.checkpoint.0));
        gauges.confirmed_lsn.set(signed(progress.confirmed.0));
        let head = progress.source.max(progress.received);
        gauges.lag_bytes.set(signed(head.bytes_since(progress.confirmed)));
        gauges.queue_bytes.set(signed(progress.queue_bytes));
        gauges.queue_records.set(signed(progress.queue_records));
        gauges.buffered_bytes.set(signed(progress.buffered_bytes));
        if progress.has_work {
            if let Some(published_until) = progress.published_until {
                self.current_as_of.fetch_max(published_until.0, Ordering::Relaxed);
            }
        } else {
            self.current_as_of.store(now.0, Ordering::Relaxed);
        }
        self.durable_batches.store(progress.durable_batches, Ordering::Relaxed);
        self.has_work.store(progress.has_work, Ordering::Relaxed);
        self.beat();
    }

    /// A sign of life of a thread that waits for good reason: between attempts, or for the slot. Once a second is plenty.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Release);
    }

    /// The last event of a batch was written at `now`.
    pub fn event_seen(&self, now: UnixMicros) {
        self.last_event.store(now.0, Ordering::Relaxed);
    }

    /// What the server says of our slot; asked for every few seconds on the ordinary connection.
    pub fn slot(&self, slot: &SlotWal) {
        let set = |gauge: &IntGaugeVec, value: Option<i64>| match value {
            Some(value) => gauge.with_label_values::<&str>(&[]).set(value),
            // There is nothing to remove when it was never set.
            None => drop(gauge.remove_label_values::<&str>(&[])),
        };
        set(&self.gauges.slot_retained, slot.retained_bytes);
        set(&self.gauges.slot_safe, slot.safe_bytes);
        for status in WAL_STATUSES {
            let holds = slot.status.as_deref() == Some(status);
            self.gauges.slot_status.with_label_values(&[status]).set(holds.into());
        }
    }

    /// Bounds of what the sink may hold; the number of records is none when only bytes are bounded.
    pub fn queue_capacity(&self, bytes: u64, records: u64) {
        self.gauges.queue_capacity_bytes.set(signed(bytes));
        self.gauges.queue_capacity_records.set(signed(records));
    }

    pub fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
        for each in State::ALL {
            self.gauges.state.with_label_values(&[each.name()]).set((each == state).into());
        }
        self.beat();
    }

    pub fn state(&self) -> State {
        State::from_u8(self.state.load(Ordering::Acquire))
    }

    /// The position as it was told last; `published_until` is not kept.
    pub fn last_progress(&self) -> Progress {
        let gauges = &self.gauges;
        let lsn = |gauge: &IntGauge| Lsn(unsigned(gauge));
        Progress {
            source: lsn(&gauges.source_lsn),
            received: lsn(&gauges.received_lsn),
            flushed: lsn(&gauges.flushed_lsn),
            checkpoint: lsn(&gauges.checkpoint_lsn),
            confirmed: lsn(&gauges.confirmed_lsn),
            published_until: None,
            durable_batches: self.durable_batches.load(Ordering::Relaxed),
            has_work: self.has_work.load(Ordering::Relaxed),
            queue_bytes: unsigned(&gauges.queue_bytes),
            queue_records: unsigned(&gauges.queue_records),
            buffered_bytes: unsigned(&gauges.buffered_bytes),
        }
    }

    /// How old the data in the sink is: zero when there is no work; else the time since the last published transaction
    /// committed, or since there was last nothing to do, whichever is later. Without the second half the first
    /// transaction after a quiet night would show the whole night as lag.
    pub fn lag_seconds(&self, now: UnixMicros) -> f64 {
        if self.has_work.load(Ordering::Relaxed) {
            seconds_between(UnixMicros(self.current_as_of.load(Ordering::Relaxed)), now)
        } else {
            0.0
        }
    }

    /// Bytes of log between the head of the server and the confirmed position.
    pub fn lag_bytes(&self) -> u64 {
        unsigned(&self.gauges.lag_bytes)
    }

    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Acquire)
    }

    pub(super) fn transactions_received(&self) -> u64 {
        self.transactions.get()
    }

    pub(super) fn transactions_published(&self) -> u64 {
        self.published.get()
    }

    /// When the last event was written; none before the first.
    pub(super) fn last_event(&self) -> Option<UnixMicros> {
        Some(UnixMicros(self.last_event.load(Ordering::Relaxed))).filter(|time| time.0 > 0)
    }

    /// Capacity in bytes and in records.
    pub(super) fn capacity(&self) -> (u64, u64) {
        (unsigned(&self.gauges.queue_capacity_bytes), unsigned(&self.gauges.queue_capacity_records))
    }

    /// Works out what depends on the clock, for a scrape.
    pub(super) fn refresh(&self, now: UnixMicros) {
        self.gauges.lag_seconds.set(self.lag_seconds(now));
        let last_event = self.last_event().map_or(0.0, |time| seconds_between(UnixMicros(0), time));
        self.gauges.last_event.set(last_event);
    }
}

#[derive(Debug)]
struct Gauges {
    source_lsn: IntGauge,
    received_lsn: IntGauge,
    flushed_lsn: IntGauge,
    checkpoint_lsn: IntGauge,
    confirmed_lsn: IntGauge,
    lag_bytes: IntGauge,
    lag_seconds: prometheus::Gauge,
    last_event: prometheus::Gauge,
    queue_bytes: IntGauge,
    queue_records: IntGauge,
    queue_capacity_bytes: IntGauge,
    queue_capacity_records: IntGauge,
    buffered_bytes: IntGauge,
    slot_retained: IntGaugeVec,
    slot_safe: IntGaugeVec,
    slot_status: IntGaugeVec,
    state: IntGaugeVec,
}

impl Gauges {
    fn new(families: &Families) -> Result<Self> {
        let gauge = |name: &str, help: &str| families.gauge(name, help);
        Ok(Self {
            source_lsn: gauge("headwater_source_lsn", "Head of the log as the server last told it.")?,
            received_lsn: gauge("headwater_received_lsn", "Log position read from the socket.")?,
            flushed_lsn: gauge("headwater_flushed_lsn", "Log position durable in the sink.")?,
            checkpoint_lsn: gauge("headwater_checkpoint_lsn", "Log position in the durable checkpoint.")?,
            confirmed_lsn: gauge("headwater_confirmed_lsn", "Log position confirmed to the slot.")?,
            lag_bytes: gauge(
                "headwater_lag_bytes",
                "Log between the server's head and the confirmed position.",
            )?,
            lag_seconds: families.float_gauge(
                "headwater_lag_seconds",
                "Age of what the sink holds while there is work; 0 when caught up.",
            )?,
            last_event: families.float_gauge(
                "headwater_last_event_timestamp_seconds",
                "When the last event was handed to the sink; 0 before the first.",
            )?,
            queue_bytes: gauge("headwater_queue_bytes", "Bytes accepted by the sink and not yet durable.")?,
            queue_records: gauge(
                "headwater_queue_records",
                "Records accepted by the sink and not yet durable.",
            )?,
            queue_capacity_bytes: gauge("headwater_queue_capacity_bytes", "Bytes the sink may hold.")?,
            queue_capacity_records: gauge("headwater_queue_capacity_records", "Records the sink may hold.")?,
            buffered_bytes: gauge(
                "headwater_buffered_bytes",
                "Bytes read or encoded and not yet accepted by the sink.",
            )?,
            slot_retained: families.gauges(
                "headwater_slot_retained_wal_bytes",
                "Log that the server keeps for the slot.",
                &[],
            )?,
            slot_safe: families.gauges(
                "headwater_slot_safe_wal_bytes",
                "Log that can still be written before the slot is in danger of being invalidated.",
                &[],
            )?,
            slot_status: families.gauges(
                "headwater_slot_wal_status",
                "1 for the wal_status of the slot, 0 for the others.",
                &["status"],
            )?,
            state: families.gauges(
                "headwater_state",
                "1 for the state of the pipeline, 0 for the others.",
                &["state"],
            )?,
        })
    }
}

/// Positions and sizes fit 63 bits: the log of a cluster ends at 8 EiB.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(gauge: &IntGauge) -> u64 {
    u64::try_from(gauge.get()).unwrap_or(0)
}

/// `wal_status` of `pg_replication_slots`.
const WAL_STATUSES: [&str; 4] = ["reserved", "extended", "unreserved", "lost"];

/// Upper bounds in seconds, from a commit on an idle machine to a broker that was away for half an hour.
const LATENCY_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 1800.0];

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn pipeline() -> PipelineMetrics {
        PipelineMetrics::new(&Families::new("shop").unwrap(), UnixMicros(0)).unwrap()
    }

    #[test]
    fn lag_counts_from_the_last_published_commit_while_there_is_work() {
        let pipeline = pipeline();
        let progress = Progress {
            has_work: true,
            published_until: Some(UnixMicros(40 * SECOND)),
            ..Progress::default()
        };
        pipeline.progress(&progress, UnixMicros(100 * SECOND));
        assert!((pipeline.lag_seconds(UnixMicros(100 * SECOND)) - 60.0).abs() < 1e-9);
        // Nobody calls any more: the lag grows all the same.
        assert!((pipeline.lag_seconds(UnixMicros(110 * SECOND)) - 70.0).abs() < 1e-9);
    }

    #[test]
    fn a_quiet_night_is_not_lag() {
        let pipeline = pipeline();
        let published_until = Some(UnixMicros(SECOND));
        pipeline.progress(&Progress { published_until, ..Progress::default() }, UnixMicros(36_000 * SECOND));
        assert!(pipeline.lag_seconds(UnixMicros(36_000 * SECOND)).abs() < 1e-9);
        let busy = Progress { has_work: true, published_until, ..Progress::default() };
        pipeline.progress(&busy, UnixMicros(36_001 * SECOND));
        assert!((pipeline.lag_seconds(UnixMicros(36_001 * SECOND)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn lag_in_bytes_is_from_the_head_to_the_confirmed_position() {
        let pipeline = pipeline();
        let progress = Progress {
            source: Lsn(900),
            received: Lsn(1000),
            flushed: Lsn(500),
            checkpoint: Lsn(400),
            confirmed: Lsn(300),
            durable_batches: 7,
            ..Progress::default()
        };
        pipeline.progress(&progress, UnixMicros(0));
        assert_eq!(pipeline.lag_bytes(), 700);
        assert_eq!(pipeline.last_progress(), progress);
    }

    #[test]
    fn a_slot_without_a_bound_has_no_safe_size() {
        use prometheus::core::Collector;
        let pipeline = pipeline();
        let samples = |pipeline: &PipelineMetrics| pipeline.gauges.slot_safe.collect()[0].get_metric().len();
        pipeline.slot(&SlotWal {
            safe_bytes: Some(5),
            status: Some("reserved".into()),
            ..SlotWal::default()
        });
        assert_eq!(samples(&pipeline), 1);
        pipeline.slot(&SlotWal::default());
        assert_eq!(samples(&pipeline), 0);
        assert_eq!(pipeline.gauges.slot_status.with_label_values(&["reserved"]).get(), 0);
    }

    #[test]
    fn one_state_at_a_time() {
        let pipeline = pipeline();
        pipeline.set_state(State::Streaming);
        for state in State::ALL {
            let value = pipeline.gauges.state.with_label_values(&[state.name()]).get();
            assert_eq!(value, i64::from(state == State::Streaming), "{state:?}");
        }
        assert_eq!(pipeline.state(), State::Streaming);
    }
}
