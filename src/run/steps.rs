//! How long each step of a start took, for the log and the metrics. Steps of the two halves run at the same time, so they add
//! up to more than the whole.

use std::fmt;
use std::time::{Duration, Instant};

/// The steps so far, in their order.
#[derive(Debug)]
pub(crate) struct Steps {
    begun: Instant,
    last: Instant,
    done: Vec<(&'static str, Duration)>,
}

impl Steps {
    /// The first step begins now.
    pub(crate) fn begin() -> Self {
        let now = Instant::now();
        Self { begun: now, last: now, done: Vec::new() }
    }

    /// A step is done, and the next one begins.
    pub(crate) fn done(&mut self, step: &'static str) {
        let now = Instant::now();
        self.done.push((step, now.duration_since(self.last)));
        self.last = now;
    }

    /// The time since the last step was spent waiting for others.
    pub(crate) fn waited(&mut self) {
        self.last = Instant::now();
    }

    /// Those of the other half.
    pub(crate) fn join(&mut self, other: &Self) {
        self.done.extend_from_slice(&other.done);
        self.waited();
    }

    /// Since the beginning.
    pub(crate) fn total(&self) -> Duration {
        self.last.duration_since(self.begun)
    }

    /// Each step and its time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.done.iter().copied()
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (step, took)) in self.done.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{step} {}", took.as_millis())?;
        }
        Ok(())
    }
}
