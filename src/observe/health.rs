//! Whether the pipeline lives. A probe that only asks whether the process answers says yes for days while nothing moves;
//! this one says no when there is work and no progress, or when the data thread has not been heard of.
//!
//! The watchdog is pure: samples and time in, a verdict out. It needs no clock of the data thread: a counter that stands
//! still tells as much as a timestamp, and cannot be fooled by a clock that is set.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::metrics::Metrics;
use super::state::State;
use crate::lsn::Lsn;

/// Answers `/healthz`, `/readyz` and the service manager.
#[derive(Debug)]
pub struct Health {
    watchdog: Mutex<Watchdog>,
    metrics: Metrics,
}

impl Health {
    /// `stall_timeout` is `admin.stall_timeout`.
    #[must_use]
    pub fn new(metrics: Metrics, stall_timeout: Duration, now: Instant) -> Self {
        Self { watchdog: Mutex::new(Watchdog::new(stall_timeout, now)), metrics }
    }

    /// The verdict now; also becomes `headwater_healthy`. Asked for once a second by [`super::service`], so that a stall
    /// is timed from its beginning and not from the first probe.
    pub fn check(&self, now: Instant) -> Verdict {
        let pipeline = self.metrics.pipeline();
        let progress = pipeline.last_progress();
        let sample = Sample {
            state: pipeline.state(),
            has_work: progress.has_work,
            done: (progress.flushed, progress.durable_batches),
            beats: pipeline.beats(),
        };
        let verdict = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner).observe(&sample, now);
        self.metrics.set_healthy(verdict == Verdict::Healthy);
        verdict
    }

    /// Whether changes flow: the stream is open and the sink is ready.
    pub fn ready(&self) -> bool {
        self.metrics.pipeline().state() == State::Streaming
    }
}

/// What a sample says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Healthy,
    /// A sentence for the probe's log.
    Unhealthy(String),
}

/// What the pipeline shows of itself at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub state: State,
    /// As in [`super::Progress::has_work`].
    pub has_work: bool,
    /// Durable position, and number of durable batches for the time in which a huge transaction does not move it.
    pub done: (Lsn, u64),
    /// Signs of life of the data thread.
    pub beats: u64,
}

/// Times how long nothing has moved.
#[derive(Debug)]
pub struct Watchdog {
    stall_timeout: Duration,
    done: (Lsn, u64),
    /// When `done` last moved, or when there was last nothing to do.
    done_at: Instant,
    beats: u64,
    beats_at: Instant,
    /// Since when there has been nothing to do.
    idle_since: Option<Instant>,
}

impl Watchdog {
    #[must_use]
    pub fn new(stall_timeout: Duration, now: Instant) -> Self {
        Self {
            stall_timeout,
            done: (Lsn::INVALID, 0),
            done_at: now,
            beats: 0,
            beats_at: now,
            idle_since: Some(now),
        }
    }

    /// Takes in a sample.
    ///
    /// A standby that waits for the slot, and a session that cannot reach PostgreSQL, are healthy as long as they show
    /// signs of life and owe nothing: a restart would not help them. Once a transaction was read and Kafka does not take
    /// it, only progress counts, whatever the state: a session that restarts every few seconds is stalled too. That is
    /// why having no work for a moment, as just after a restart, does not stop the clock.
    pub fn observe(&mut self, sample: &Sample, now: Instant) -> Verdict {
        if sample.beats != self.beats {
            (self.beats, self.beats_at) = (sample.beats, now);
        }
        let idle = !sample.has_work && sample.state == State::Streaming;
        let idle_since = if idle { *self.idle_since.get_or_insert(now) } else { now };
        if !idle {
            self.idle_since = None;
        }
        let waiting = matches!(sample.state, State::WaitingForSlot | State::Draining | State::Stopped);
        let at_rest = waiting || now.duration_since(idle_since) >= self.stall_timeout / IDLE_SHARE;
        if sample.done != self.done || at_rest {
            (self.done, self.done_at) = (sample.done, now);
        }
        self.judge(sample, now)
    }

    fn judge(&self, sample: &Sample, now: Instant) -> Verdict {
        let silent = now.duration_since(self.beats_at);
        let stalled = now.duration_since(self.done_at);
        if sample.state == State::Failed {
            Verdict::Unhealthy("the pipeline ended with an error; /status shows it".into())
        } else if sample.state != State::Stopped && silent >= self.stall_timeout {
            Verdict::Unhealthy(format!("no sign of life of the data thread for {} s", silent.as_secs()))
        } else if sample.has_work && stalled >= self.stall_timeout {
            Verdict::Unhealthy(format!(
                "work is waiting and nothing has become durable for {} s; durable up to {}",
                stalled.as_secs(),
                sample.done.0
            ))
        } else {
            Verdict::Healthy
        }
    }
}

/// Idle for this part of the timeout counts as having nothing to do.
const IDLE_SHARE: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    /// Feeds one sample a second, each with a sign of life, and returns the second of the first unhealthy one.
    fn first_unhealthy(seconds: u64, sample: impl Fn(u64) -> Sample) -> Option<u64> {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(STALL, start);
        (0..seconds).find(|second| {
            let now = start + Duration::from_secs(*second);
            watchdog.observe(&sample(*second), now) != Verdict::Healthy
        })
    }

    fn streaming(second: u64) -> Sample {
        Sample { state: State::Streaming, has_work: false, done: (Lsn(1), 1), beats: second + 1 }
    }

    #[test]
    fn idle_for_hours_is_healthy() {
        assert_eq!(first_unhealthy(10_000, streaming), None);
    }

    #[test]
    fn work_without_progress_is_unhealthy_after_the_timeout() {
        let broker_down = |second| Sample { has_work: second >= 500, ..streaming(second) };
        assert_eq!(first_unhealthy(10_000, broker_down), Some(499 + 60));
    }

    #[test]
    fn steady_progress_is_healthy_with_work_all_the_time() {
        let busy = |second| Sample { has_work: true, done: (Lsn(second / 50), 1), ..streaming(second) };
        assert_eq!(first_unhealthy(10_000, busy), None);
    }

    #[test]
    fn a_huge_transaction_makes_progress_by_batches() {
        let busy = |second| Sample { has_work: true, done: (Lsn(1), second / 30), ..streaming(second) };
        assert_eq!(first_unhealthy(10_000, busy), None);
    }

    #[test]
    fn a_session_that_restarts_forever_is_stalled() {
        let looping = |second| Sample {
            state: if second % 10 < 8 { State::Streaming } else { State::Connecting },
            has_work: second % 10 > 2,
            ..streaming(second)
        };
        assert!(first_unhealthy(10_000, looping).is_some_and(|second| (60..80).contains(&second)));
    }

    #[test]
    fn a_standby_and_a_session_without_server_are_healthy() {
        for state in [State::WaitingForSlot, State::Connecting, State::Starting] {
            assert_eq!(
                first_unhealthy(10_000, |second| Sample { state, ..streaming(second) }),
                None,
                "{state:?}"
            );
        }
    }

    #[test]
    fn waiting_for_the_slot_owes_nothing_whatever_was_read_before() {
        let standby = |second| Sample { state: State::WaitingForSlot, has_work: true, ..streaming(second) };
        assert_eq!(first_unhealthy(10_000, standby), None);
    }

    #[test]
    fn a_silent_thread_is_unhealthy_in_every_state_that_runs() {
        for state in State::ALL {
            let silent = first_unhealthy(1000, |_| Sample { state, ..streaming(0) });
            let expected = match state {
                State::Stopped => None,
                State::Failed => Some(0),
                _ => Some(60),
            };
            assert_eq!(silent, expected, "{state:?}");
        }
    }

    #[test]
    fn recovers_when_things_move_again() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(STALL, start);
        let at = |second| start + Duration::from_secs(second);
        let stuck = Sample { has_work: true, ..streaming(1) };
        watchdog.observe(&stuck, at(0));
        assert!(matches!(watchdog.observe(&Sample { beats: 9, ..stuck }, at(100)), Verdict::Unhealthy(_)));
        let moved = Sample { done: (Lsn(2), 1), beats: 10, ..stuck };
        assert_eq!(watchdog.observe(&moved, at(101)), Verdict::Healthy);
    }
}
