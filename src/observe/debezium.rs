//! The names under which Debezium's JMX metrics usually reach Prometheus, so that existing boards and alerts go on
//! working: `debezium_metrics_<Attribute>{plugin,name,context}` as the JMX exporter configuration of Debezium's examples
//! makes them. Worked out from our own numbers at each scrape; nothing is counted twice. All are gauges, as there.

use prometheus::{IntGauge, Opts};

use super::families::Families;
use super::metrics::Metrics;
use super::state::State;
use crate::error::{Kind, Result};
use crate::event::Op;
use crate::lsn::UnixMicros;

/// One gauge per attribute, in the order of [`ATTRIBUTES`].
#[derive(Debug)]
pub(super) struct DebeziumNames {
    gauges: Vec<IntGauge>,
    /// In the order of [`SNAPSHOT_ATTRIBUTES`].
    snapshot: Vec<IntGauge>,
}

impl DebeziumNames {
    pub(super) fn new(families: &Families, name: &str) -> Result<Self> {
        let gauge = |context: &str, (attribute, help): &(&str, &str)| {
            let opts = Opts::new(format!("debezium_metrics_{attribute}"), *help)
                .const_label("plugin", "postgres")
                .const_label("name", name)
                .const_label("context", context);
            families.gauge_with(opts)
        };
        Ok(Self {
            gauges: ATTRIBUTES
                .iter()
                .map(|attribute| gauge("streaming", attribute))
                .collect::<Result<_>>()?,
            snapshot: SNAPSHOT_ATTRIBUTES
                .iter()
                .map(|attribute| gauge("snapshot", attribute))
                .collect::<Result<_>>()?,
        })
    }

    pub(super) fn refresh(&self, metrics: &Metrics, now: UnixMicros) {
        let values = values(metrics, now);
        for (gauge, value) in self.gauges.iter().zip(values) {
            gauge.set(value);
        }
        for (gauge, value) in self.snapshot.iter().zip(metrics.snapshot().attributes()) {
            gauge.set(value);
        }
    }
}

/// In the order of [`ATTRIBUTES`].
fn values(metrics: &Metrics, now: UnixMicros) -> [i64; ATTRIBUTES.len()] {
    let pipeline = metrics.pipeline();
    let progress = pipeline.last_progress();
    let (capacity_bytes, capacity_records) = pipeline.capacity();
    let [create, update, delete, truncate] =
        [Op::Create, Op::Update, Op::Delete, Op::Truncate].map(|op| metrics.events(op));
    let erroneous: u64 = ERRONEOUS.iter().map(|kind| metrics.errors(*kind)).sum();
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970 at most")]
    let behind = (pipeline.lag_seconds(now) * 1000.0) as i64;
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    [
        behind,
        number(create + update + delete + truncate),
        number(create),
        number(update),
        number(delete),
        number(pipeline.transactions_received()),
        i64::from(pipeline.state() == State::Streaming),
        pipeline.last_event().map_or(-1, |time| (now.0 - time.0).max(0) / 1000),
        number(capacity_records),
        number(capacity_records.saturating_sub(progress.queue_records)),
        number(progress.queue_bytes),
        number(capacity_bytes),
        number(metrics.filtered()),
        number(erroneous),
    ]
}

/// Attribute and help.
const ATTRIBUTES: [(&str, &str); 14] = [
    ("MilliSecondsBehindSource", "headwater_lag_seconds in milliseconds."),
    ("TotalNumberOfEventsSeen", "headwater_events_total over all tables and operations."),
    ("TotalNumberOfCreateEventsSeen", "headwater_events_total of creates."),
    ("TotalNumberOfUpdateEventsSeen", "headwater_events_total of updates."),
    ("TotalNumberOfDeleteEventsSeen", "headwater_events_total of deletes."),
    ("NumberOfCommittedTransactions", "headwater_transactions_total."),
    ("Connected", "1 while streaming."),
    ("MilliSecondsSinceLastEvent", "Milliseconds since the last event; -1 before the first."),
    ("QueueTotalCapacity", "headwater_queue_capacity_records."),
    ("QueueRemainingCapacity", "headwater_queue_capacity_records less headwater_queue_records."),
    ("CurrentQueueSizeInBytes", "headwater_queue_bytes."),
    ("MaxQueueSizeInBytes", "headwater_queue_capacity_bytes."),
    ("NumberOfEventsFiltered", "headwater_events_skipped_total for the reasons operation and table."),
    ("NumberOfErroneousEvents", "headwater_errors_total of decode, encode and record_too_large."),
];

/// Those of the context `snapshot`: attribute and help.
const SNAPSHOT_ATTRIBUTES: [(&str, &str); 7] = [
    ("TotalTableCount", "headwater_snapshot_tables."),
    ("RemainingTableCount", "headwater_snapshot_tables_remaining."),
    ("SnapshotRunning", "headwater_snapshot_running."),
    ("SnapshotCompleted", "1 when the last snapshot was completed."),
    ("SnapshotAborted", "1 when the last snapshot failed or was stopped."),
    ("SnapshotDurationInSeconds", "headwater_snapshot_seconds, whole."),
    ("RowsScanned", "headwater_snapshot_rows_total."),
];

/// Failures that one event caused.
const ERRONEOUS: [Kind; 3] = [Kind::Decode, Kind::Encode, Kind::RecordTooLarge];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::{About, SkipReason};
    use crate::observe::pipeline::Progress;

    #[test]
    fn says_what_our_own_names_say() {
        let metrics = Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap();
        let mut table = metrics.table("public", "users");
        table.inc(Op::Create, 10);
        table.inc(Op::Delete, 10);
        table.flush();
        metrics.skipped(SkipReason::Operation, 4);
        metrics.skipped(SkipReason::Replayed, 9);
        metrics.error(Kind::RecordTooLarge);
        let pipeline = metrics.pipeline();
        pipeline.queue_capacity(1000, 100);
        pipeline.event_seen(UnixMicros(5_000_000));
        pipeline.set_state(State::Streaming);
        let now = UnixMicros(7_000_000);
        pipeline.progress(&Progress { queue_records: 30, queue_bytes: 400, ..Progress::default() }, now);
        assert_eq!(values(&metrics, now), [0, 2, 1, 0, 1, 0, 1, 2000, 100, 70, 400, 1000, 4, 1]);
    }
}
