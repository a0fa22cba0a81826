//! Whether anything grew.

use crate::sample::Sample;

/// What is allowed.
pub(crate) struct Bounds {
    /// Over the second half, by the line that fits its samples best.
    pub(crate) growth_kib: f64,
    /// At any time of the second half.
    pub(crate) lag_mib: f64,
    /// Changes a second that were written.
    pub(crate) rate: f64,
}

impl Bounds {
    /// Everything that is wrong, one sentence each.
    pub(crate) fn judge(&self, samples: &[Sample]) -> Vec<String> {
        let (first, second) = samples.split_at(samples.len() / 2);
        if first.len() < LEAST_SAMPLES {
            return vec![format!("{} samples are too few to see growth in", samples.len())];
        }
        let mut failures = Vec::new();
        let growth = growth(second);
        if growth > self.growth_kib {
            failures
                .push(format!("resident memory grew by {growth:.0} KiB, more than {:.0}", self.growth_kib));
        }
        let lag = largest(second.iter().map(|sample| sample.lag_mib));
        if lag > self.lag_mib {
            failures.push(format!("the slot was {lag:.0} MiB behind, more than {:.0}", self.lag_mib));
        }
        for (what, count) in [("threads", threads as fn(&Sample) -> usize), ("open files", files)] {
            let most = |samples: &[Sample]| samples.iter().map(count).max().unwrap_or(0);
            let (before, after) = (most(first), most(second));
            if after > before + SPARE {
                failures.push(format!("{after} {what} after {before}"));
            }
        }
        let mean = second.iter().map(|sample| sample.events_per_second).sum::<f64>() / as_f64(second.len());
        if mean < self.rate * LEAST_SHARE {
            failures.push(format!("{mean:.0} events/s of {:.0} changes/s", self.rate));
        }
        failures
    }
}

fn threads(sample: &Sample) -> usize {
    sample.threads
}

fn files(sample: &Sample) -> usize {
    sample.files
}

/// By least squares, from the first sample to the last.
fn growth(samples: &[Sample]) -> f64 {
    let points: Vec<(f64, f64)> =
        samples.iter().map(|sample| (sample.at.as_secs_f64(), sample.rss_kib)).collect();
    let count = as_f64(points.len());
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let length = points.last().map_or(0.0, |(x, _)| *x) - points.first().map_or(0.0, |(x, _)| *x);
    covariance / variance * length
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred samples")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

const LEAST_SAMPLES: usize = 5;
/// A connection for /metrics that is being opened or closed.
const SPARE: usize = 2;
/// Of the rate that must arrive.
const LEAST_SHARE: f64 = 0.95;
