//! The metrics of the process: every family registered once for each pipeline, on one registry of our own. A component asks for what it needs
//! at its start ([`TableCounters`], [`PipelineMetrics`]) and holds resolved counters from then on.
//! docs/metrics.md lists every name; a test compares the two.

use std::sync::Arc;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

use super::debezium::DebeziumNames;
use super::families::Families;
use super::pipeline::PipelineMetrics;
use super::snapshot::SnapshotMetrics;
use super::spool::SpoolMetrics;
use super::start::StartMetrics;
use super::tables::{TableCounters, TableFamilies, TableTotals};
use crate::error::{Error, Kind, Result};
use crate::event::Op;
use crate::lsn::UnixMicros;

/// All metrics. Clones share the same numbers.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

/// What does not change while the process runs.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The pipeline.
    pub name: &'a str,
    /// `limits.memory`.
    pub memory_bytes: u64,
}

/// Why an event was not handed to the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The checkpoint covers it: it was durable before a restart.
    Replayed,
    /// `events.skipped_operations` names its operation, or the flat form has no record of it.
    Operation,
    /// The publication sends a table that the configuration does not capture.
    Table,
    /// A logical decoding message with a prefix that the configuration does not capture.
    Prefix,
    /// An update of nothing that is written, with `events.skip_unchanged`.
    Unchanged,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    tables: TableFamilies,
    pipeline: PipelineMetrics,
    snapshot: SnapshotMetrics,
    spool: SpoolMetrics,
    start: StartMetrics,
    errors: IntCounterVec,
    skipped: IntCounterVec,
    messages: prometheus::IntCounter,
    heartbeats: prometheus::IntCounter,
    heartbeat_query_failures: prometheus::IntCounter,
    restarts: prometheus::IntCounter,
    healthy: IntGauge,
    debezium: DebeziumNames,
}

impl Metrics {
    /// Registers every family, and shows every label value that is known beforehand at zero, so that `rate()` sees the
    /// first error.
    ///
    /// # Errors
    /// [`Kind::Internal`] when two families have one name.
    pub fn new(about: &About<'_>) -> Result<Self> {
        let mut metrics = Self::of_pipelines(&[about.name], about.memory_bytes)?;
        metrics.pop().ok_or_else(|| Error::new(Kind::Internal, "metrics of no pipeline"))
    }

    /// One for each pipeline of a process, on one registry: any of them renders all. `memory_bytes` is `limits.memory` of the
    /// process.
    ///
    /// # Errors
    /// As [`Metrics::new`], and when two pipelines have one name.
    pub fn of_pipelines(names: &[&str], memory_bytes: u64) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = Vec::with_capacity(names.len());
        let labelled_tables = (MAX_TABLES / names.len().max(1)).max(MIN_TABLES);
        for name in names {
            let families = if let Some(first) = all.first() {
                Families::beside(&first.0.registry, name)
            } else {
                let first = Families::new(name)?;
                let memory = first.gauge_with(Opts::new("headwater_memory_limit_bytes", "limits.memory."))?;
                memory.set(i64::try_from(memory_bytes).unwrap_or(i64::MAX));
                first
            };
            all.push(Self::on(&families, name, labelled_tables)?);
        }
        Ok(all)
    }

    fn on(families: &Families, name: &str, labelled_tables: usize) -> Result<Self> {
        let inner = Inner {
            tables: TableFamilies::new(families, labelled_tables)?,
            pipeline: PipelineMetrics::new(families, super::now())?,
            snapshot: SnapshotMetrics::new(families)?,
            spool: SpoolMetrics::new(families)?,
            start: StartMetrics::new(families)?,
            errors: families.counters(
                "headwater_errors_total",
                "Failures that ended a session or the process, by kind.",
                &["kind"],
            )?,
            skipped: families.counters(
                "headwater_events_skipped_total",
                "Events that were not handed to the sink, by reason.",
                &["reason"],
            )?,
            messages: families
                .counter("headwater_messages_total", "Logical decoding messages handed to the sink.")?,
            heartbeats: families.counter("headwater_heartbeats_total", "Heartbeats handed to the sink.")?,
            heartbeat_query_failures: families
                .counter("headwater_heartbeat_query_failures_total", "Failures of source.heartbeat_query.")?,
            restarts: families
                .counter("headwater_restarts_total", "Sessions started again after a failure.")?,
            healthy: families.gauge("headwater_healthy", "1 when /healthz says yes.")?,
            debezium: DebeziumNames::new(families, name)?,
            registry: families.registry(),
        };
        for kind in Kind::ALL {
            inner.errors.with_label_values(&[kind.name()]);
        }
        for reason in SkipReason::ALL {
            inner.skipped.with_label_values(&[reason.name()]);
        }
        let build = families.gauges("headwater_build_info", "1; version of the program.", &["version"])?;
        build.with_label_values(&[VERSION]).set(1);
        Ok(Self(Arc::new(inner)))
    }

    /// Counters of a table, to be kept for the session.
    pub fn table(&self, schema: &str, table: &str) -> TableCounters {
        self.0.tables.resolve(schema, table)
    }

    /// The pipeline's own numbers.
    pub fn pipeline(&self) -> &PipelineMetrics {
        &self.0.pipeline
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &SnapshotMetrics {
        &self.0.snapshot
    }

    /// Transactions in progress.
    pub fn spool(&self) -> &SpoolMetrics {
        &self.0.spool
    }

    /// The last start.
    pub fn start(&self) -> &StartMetrics {
        &self.0.start
    }

    /// Counts a failure that ended a session or the process.
    pub fn error(&self, kind: Kind) {
        self.0.errors.with_label_values(&[kind.name()]).inc();
    }

    /// Failures of a kind so far.
    pub fn errors(&self, kind: Kind) -> u64 {
        self.0.errors.with_label_values(&[kind.name()]).get()
    }

    /// Counts a session that starts again after a failure.
    pub fn restart(&self) {
        self.0.restarts.inc();
    }

    /// Sessions started again so far.
    pub fn restarts(&self) -> u64 {
        self.0.restarts.get()
    }

    /// Counts events that were not handed to the sink; once per batch.
    pub fn skipped(&self, reason: SkipReason, events: u64) {
        if events > 0 {
            self.0.skipped.with_label_values(&[reason.name()]).inc_by(events);
        }
    }

    /// Counts logical decoding messages handed to the sink; once per batch.
    pub fn messages(&self, messages: u64) {
        self.0.messages.inc_by(messages);
    }

    /// Counts a heartbeat handed to the sink.
    pub fn heartbeat(&self) {
        self.0.heartbeats.inc();
    }

    /// Counts a failure of `source.heartbeat_query`.
    pub fn heartbeat_query_failed(&self) {
        self.0.heartbeat_query_failures.inc();
    }

    /// Events per table.
    pub fn tables(&self) -> Vec<TableTotals> {
        self.0.tables.totals_by_table()
    }

    /// Everything in Prometheus' text format, as of `now`.
    ///
    /// # Errors
    /// [`Kind::Internal`] when a family has no samples, which the registry prevents.
    pub fn render(&self, now: UnixMicros) -> Result<String> {
        self.refresh(now);
        TextEncoder::new()
            .encode_to_string(&self.0.registry.gather())
            .map_err(|error| Error::new(Kind::Internal, error.to_string()).context("render metrics"))
    }

    /// Works out what depends on the clock, for a scrape.
    pub(super) fn refresh(&self, now: UnixMicros) {
        self.0.pipeline.refresh(now);
        self.0.debezium.refresh(self, now);
    }

    pub(super) fn set_healthy(&self, healthy: bool) {
        self.0.healthy.set(healthy.into());
    }

    pub(super) fn events(&self, op: Op) -> u64 {
        self.0.tables.total(op)
    }

    /// Events left out because the configuration says so.
    pub(super) fn filtered(&self) -> u64 {
        [SkipReason::Operation, SkipReason::Table, SkipReason::Prefix, SkipReason::Unchanged]
            .iter()
            .map(|reason| self.0.skipped.with_label_values(&[reason.name()]).get())
            .sum()
    }
}

impl SkipReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Replayed, Self::Operation, Self::Table, Self::Prefix, Self::Unchanged];

    /// The `reason` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Operation => "operation",
            Self::Table => "table",
            Self::Prefix => "prefix",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Tables with labels of their own, over all pipelines. Each costs thirteen time series: measured with nine, 8 KiB here and 5 KiB
/// more during a scrape.
const MAX_TABLES: usize = 1000;
/// Of one pipeline among many.
const MIN_TABLES: usize = 50;

/// Of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
