//! What the data thread tells the metrics, once per turn at most: positions, work left, transactions and their latency.

use std::time::Duration;

use crate::checkpoint::Position;
use crate::lsn::{Lsn, UnixMicros};
use crate::observe::{Metrics, Progress, SkipReason, TransactionCounters};
use crate::run::feedback::Feedback;
use crate::run::publish::Publisher;
use crate::run::streamed::{Broken, Streamed};
use crate::run::translate::{Now, Translator};

/// The data thread's view of the metrics.
#[derive(Debug)]
pub(crate) struct Telemetry {
    metrics: Metrics,
    transactions: TransactionCounters,
    progress: Progress,
    /// Every transaction that ended before this is durable.
    published_until: Option<UnixMicros>,
    events_seen: bool,
}

impl Telemetry {
    /// For a session that starts at `position`.
    pub(crate) fn new(metrics: &Metrics, position: &Position) -> Self {
        let start = position.end_lsn;
        Self {
            transactions: metrics.pipeline().transactions(),
            metrics: metrics.clone(),
            progress: Progress {
                source: start,
                received: start,
                flushed: start,
                checkpoint: start,
                confirmed: start,
                durable_batches: metrics.pipeline().last_progress().durable_batches,
                ..Progress::default()
            },
            published_until: None,
            events_seen: false,
        }
    }

    /// So many bytes came from the socket.
    pub(crate) fn received_bytes(&self, bytes: usize) {
        self.metrics.pipeline().received_bytes.inc_by(bytes as u64);
    }

    /// A standby status update was sent.
    pub(crate) fn status_update(&self) {
        self.metrics.pipeline().status_updates.inc();
    }

    /// The commit of a transaction was read.
    pub(crate) fn committed(&mut self) {
        self.transactions.received();
    }

    /// A keepalive told the end of the log.
    pub(crate) fn keepalive(&mut self, wal_end: Lsn) {
        self.progress.source = self.progress.source.max(wal_end);
        self.metrics.pipeline().keepalives.inc();
    }

    /// A heartbeat was written.
    pub(crate) fn heartbeat(&self) {
        self.metrics.heartbeat();
    }

    /// Streaming was given up.
    pub(crate) fn fell_back(&self, why: &Broken) {
        self.metrics.spool().fell_back(why.reason());
    }

    /// A batch became durable, so long after it was sealed.
    pub(crate) fn durable(&mut self, end_lsn: Lsn, took: Duration) {
        self.metrics.pipeline().kafka_commit.observe(took.as_secs_f64());
        self.progress.durable_batches += 1;
        self.progress.flushed = self.progress.flushed.max(end_lsn);
    }

    /// A transaction became durable.
    pub(crate) fn published(&mut self, commit_time: UnixMicros, now: Now) {
        self.published_until = self.published_until.max(Some(commit_time));
        self.transactions.published(commit_time, now.micros());
    }

    /// A checkpoint became durable.
    pub(crate) fn stored(&mut self, position: &Position) {
        self.progress.checkpoint = self.progress.checkpoint.max(position.end_lsn);
    }

    /// A chunk was translated: counters of its tables.
    pub(crate) fn translated(&mut self, translator: &mut Translator) {
        self.events_seen |= translator.flush_counters();
        self.metrics.skipped(SkipReason::Replayed, translator.take_replayed());
        let filtered = translator.take_filtered();
        self.metrics.skipped(SkipReason::Operation, filtered.operation);
        self.metrics.skipped(SkipReason::Table, filtered.table);
        self.metrics.skipped(SkipReason::Prefix, filtered.prefix);
        self.metrics.skipped(SkipReason::Unchanged, filtered.unchanged);
        let messages = translator.take_messages();
        self.metrics.messages(messages);
        self.events_seen |= messages > 0;
    }

    /// Once per turn of a snapshot, in which no position moves.
    pub(crate) fn snapshot_turn(&mut self, publisher: &Publisher, now: Now) {
        let in_flight = publisher.in_flight();
        let progress = &mut self.progress;
        progress.received = progress.received.max(progress.flushed);
        progress.source = progress.source.max(progress.received);
        progress.has_work = !publisher.is_settled();
        progress.queue_bytes = in_flight.bytes;
        progress.queue_records = in_flight.records;
        progress.buffered_bytes = publisher.buffered_bytes() as u64;
        self.metrics.pipeline().progress(progress, now.micros());
    }

    /// Once per turn.
    pub(crate) fn turn(
        &mut self,
        (publisher, streamed): (&Publisher, &Streamed),
        feedback: &Feedback,
        now: Now,
    ) {
        self.transactions.flush();
        let (spool_bytes, transactions) = streamed.held();
        self.metrics.spool().holds(spool_bytes, transactions);
        let in_flight = publisher.in_flight();
        let progress = &mut self.progress;
        progress.received = feedback.received_lsn().max(progress.flushed);
        progress.source = progress.source.max(progress.received);
        progress.confirmed = feedback.confirmed();
        progress.checkpoint = progress.checkpoint.max(progress.confirmed);
        progress.has_work = !publisher.is_settled();
        progress.queue_bytes = in_flight.bytes;
        progress.queue_records = in_flight.records;
        progress.buffered_bytes = publisher.buffered_bytes() as u64;
        progress.published_until = self.published_until;
        self.metrics.pipeline().progress(progress, now.micros());
        if std::mem::take(&mut self.events_seen) {
            self.metrics.pipeline().event_seen(now.micros());
        }
    }
}
