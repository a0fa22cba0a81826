//! How long to wait before the next attempt, and when to give up. Pure: time and chance come in.

use std::time::{Duration, Instant};

use crate::config::Retry;
use crate::error::{Kind, Policy};

/// Pauses that double up to a bound and start over after progress.
#[derive(Debug)]
pub struct Backoff {
    retry: Retry,
    failures: u32,
    failing_since: Option<Instant>,
    fenced: Vec<Instant>,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this pause.
    After(Duration),
    /// A person must act.
    Stop,
    /// It was tried for long enough.
    GiveUp,
}

impl Backoff {
    /// No failure yet.
    pub fn new(retry: &Retry) -> Self {
        Self { retry: retry.clone(), failures: 0, failing_since: None, fenced: Vec::new() }
    }

    /// The session made progress: the next failure is a first one.
    pub fn progressed(&mut self) {
        self.failures = 0;
        self.failing_since = None;
    }

    /// A session failed with `kind` at `now`; `chance` is evenly spread over 0 to 1.
    pub fn failed(&mut self, kind: Kind, now: Instant, chance: f64) -> Verdict {
        if kind.policy() == Policy::Stop || kind == Kind::SinkFenced && self.fenced_too_often(now) {
            return Verdict::Stop;
        }
        let since = *self.failing_since.get_or_insert(now);
        if self.retry.give_up_after.is_some_and(|limit| now.saturating_duration_since(since) >= limit) {
            return Verdict::GiveUp;
        }
        let longest = if kind == Kind::SlotBusy { BUSY_MAX.min(self.retry.max) } else { self.retry.max };
        let pause = self.retry.initial.saturating_mul(1 << self.failures.min(20)).min(longest);
        self.failures = self.failures.saturating_add(1);
        // Half of it is spread, so that many daemons that lost the same broker do not come back as one.
        Verdict::After(pause.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0)))
    }

    /// A broker that gave up a slow transaction fences us once; another instance does so again and again.
    fn fenced_too_often(&mut self, now: Instant) -> bool {
        self.fenced.retain(|at| now.saturating_duration_since(*at) < FENCED_WINDOW);
        self.fenced.push(now);
        self.fenced.len() > FENCED_MAX
    }
}

/// A slot is taken over soon after it is freed.
const BUSY_MAX: Duration = Duration::from_secs(2);
const FENCED_WINDOW: Duration = Duration::from_secs(600);
const FENCED_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff(give_up_after: Option<Duration>) -> Backoff {
        Backoff::new(&Retry {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            give_up_after,
        })
    }

    #[test]
    fn doubles_to_the_bound_and_starts_over() {
        let (mut backoff, now) = (backoff(None), Instant::now());
        let pauses: Vec<_> = (0..8).map(|_| backoff.failed(Kind::SourceUnreachable, now, 1.0)).collect();
        let millis = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
        assert_eq!(pauses, millis.map(|ms| Verdict::After(Duration::from_millis(ms))));
        backoff.progressed();
        assert_eq!(backoff.failed(Kind::SinkFatal, now, 0.0), Verdict::After(Duration::from_millis(250)));
    }

    #[test]
    fn stops_where_a_person_must_act() {
        assert_eq!(backoff(None).failed(Kind::SourceAuth, Instant::now(), 0.5), Verdict::Stop);
    }

    #[test]
    fn gives_up_when_told_to() {
        let (mut backoff, now) = (backoff(Some(Duration::from_secs(60))), Instant::now());
        assert!(matches!(backoff.failed(Kind::SinkUnreachable, now, 0.5), Verdict::After(_)));
        assert!(matches!(
            backoff.failed(Kind::SinkUnreachable, now + Duration::from_secs(59), 0.5),
            Verdict::After(_)
        ));
        assert_eq!(
            backoff.failed(Kind::SinkUnreachable, now + Duration::from_secs(60), 0.5),
            Verdict::GiveUp
        );
    }

    #[test]
    fn two_instances_do_not_fence_each_other_for_ever() {
        let (mut backoff, now) = (backoff(None), Instant::now());
        for _ in 0..FENCED_MAX {
            assert!(matches!(backoff.failed(Kind::SinkFenced, now, 0.5), Verdict::After(_)));
        }
        assert_eq!(backoff.failed(Kind::SinkFenced, now, 0.5), Verdict::Stop);
        assert!(matches!(backoff.failed(Kind::SinkFenced, now + FENCED_WINDOW, 0.5), Verdict::After(_)));
    }

    #[test]
    fn a_busy_slot_is_asked_for_often() {
        let (mut backoff, now) = (backoff(None), Instant::now());
        for _ in 0..10 {
            backoff.failed(Kind::SlotBusy, now, 1.0);
        }
        assert_eq!(backoff.failed(Kind::SlotBusy, now, 1.0), Verdict::After(BUSY_MAX));
    }
}
