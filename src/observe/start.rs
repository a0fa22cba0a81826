//! The last start of a session, in steps: what a restart costs, and where.

use std::time::Duration;

use prometheus::{Gauge, GaugeVec};

use super::families::Families;
use crate::error::Result;

/// How long the last start took. Clones share the same numbers.
#[derive(Clone, Debug)]
pub struct StartMetrics {
    total: Gauge,
    steps: GaugeVec,
}

impl StartMetrics {
    pub(super) fn new(families: &Families) -> Result<Self> {
        Ok(Self {
            total: families.float_gauge(
                "headwater_start_seconds",
                "From the beginning of the last session to the running stream; 0 before the first.",
            )?,
            steps: families.float_gauges(
                "headwater_start_step_seconds",
                "Steps of the last start; some run at the same time.",
                &["step"],
            )?,
        })
    }

    /// A session streams.
    pub fn record(&self, total: Duration, steps: impl Iterator<Item = (&'static str, Duration)>) {
        self.total.set(total.as_secs_f64());
        for (step, took) in steps {
            self.steps.with_label_values(&[step]).set(took.as_secs_f64());
        }
    }
}
