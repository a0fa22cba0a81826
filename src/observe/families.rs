//! Makes metric families and registers them, once, on a registry of our own: a library that registers on the global one
//! cannot add to what we promise in docs/metrics.md.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::error::{Error, Kind, Result};

/// The families of one pipeline, under construction on a registry that others may share: each has the label `pipeline`.
pub(super) struct Families {
    registry: Registry,
    pipeline: String,
}

impl Families {
    /// Of the first pipeline, with those of the process.
    pub(super) fn new(pipeline: &str) -> Result<Self> {
        let families = Self { registry: Registry::new(), pipeline: pipeline.to_owned() };
        families.registry.register(Box::new(ProcessCollector::for_self())).map_err(impossible)?;
        Ok(families)
    }

    /// Of another pipeline, on the same registry.
    pub(super) fn beside(registry: &Registry, pipeline: &str) -> Self {
        Self { registry: registry.clone(), pipeline: pipeline.to_owned() }
    }

    fn opts(&self, name: &str, help: &str) -> Opts {
        Opts::new(name, help).const_label("pipeline", self.pipeline.as_str())
    }

    /// The registry; clones of it are one.
    pub(super) fn registry(&self) -> Registry {
        self.registry.clone()
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.register(IntCounter::with_opts(self.opts(name, help)).map_err(impossible)?)
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.register(IntCounterVec::new(self.opts(name, help), labels).map_err(impossible)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.register(IntGauge::with_opts(self.opts(name, help)).map_err(impossible)?)
    }

    pub(super) fn float_gauge(&self, name: &str, help: &str) -> Result<prometheus::Gauge> {
        self.register(prometheus::Gauge::with_opts(self.opts(name, help)).map_err(impossible)?)
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.register(IntGaugeVec::new(self.opts(name, help), labels).map_err(impossible)?)
    }

    pub(super) fn float_gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<prometheus::GaugeVec> {
        self.register(prometheus::GaugeVec::new(self.opts(name, help), labels).map_err(impossible)?)
    }

    /// With labels of its own and no others.
    pub(super) fn gauge_with(&self, opts: Opts) -> Result<IntGauge> {
        self.register(IntGauge::with_opts(opts).map_err(impossible)?)
    }

    pub(super) fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
        let opts = HistogramOpts::from(self.opts(name, help)).buckets(buckets.to_vec());
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
