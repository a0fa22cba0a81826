//! Makes metric families and registers them, once, on a registry of our own: a library that registers on the global one
//! cannot add to what we promise in docs/metrics.md.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::error::{Error, Kind, Result};

/// A registry under construction.
pub(super) struct Families {
    registry: Registry,
}

impl Families {
    pub(super) fn new() -> Result<Self> {
        let families = Self { registry: Registry::new() };
        families.registry.register(Box::new(ProcessCollector::for_self())).map_err(impossible)?;
        Ok(families)
    }

    /// The registry; clones of it are one.
    pub(super) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.register(IntCounter::new(name, help).map_err(impossible)?)
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels).map_err(impossible)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.register(IntGauge::new(name, help).map_err(impossible)?)
    }

    pub(super) fn float_gauge(&self, name: &str, help: &str) -> Result<prometheus::Gauge> {
        self.register(prometheus::Gauge::new(name, help).map_err(impossible)?)
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels).map_err(impossible)?)
    }

    pub(super) fn gauge_with(&self, opts: Opts) -> Result<IntGauge> {
        self.register(IntGauge::with_opts(opts).map_err(impossible)?)
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(opts).map_err(impossible)?)
    }

    fn register<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C> {
        self.registry.register(Box::new(collector.clone())).map_err(impossible)?;
        Ok(collector)
    }
}

/// A name or label that Prometheus does not allow, or a name given twice: a mistake in this directory, found by its tests.
#[allow(clippy::needless_pass_by_value, reason = "called through map_err")]
fn impossible(error: prometheus::Error) -> Error {
    Error::new(Kind::Internal, error.to_string()).context("register metrics")
}
