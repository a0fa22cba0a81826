//! One look at the daemon, from outside: /proc, and the server's view of the slot.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::support::{Daemon, Db, Session};

/// What was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    pub(crate) rss_kib: f64,
    pub(crate) threads: usize,
    pub(crate) files: usize,
    /// Of one core, since the last look.
    pub(crate) cpu_percent: f64,
    /// From the end of the log to what the slot has confirmed.
    pub(crate) lag_mib: f64,
    /// Published a second since the last look.
    pub(crate) events_per_second: f64,
}

/// Looks at one daemon again and again.
pub(crate) struct Sampler {
    id: u32,
    session: Session,
    last: (Duration, f64, u64),
}

impl Sampler {
    pub(crate) fn new(id: u32, db: &Db) -> Self {
        Self { id, session: db.connect(), last: (Duration::ZERO, cpu_seconds(id).unwrap_or(0.0), 0) }
    }

    pub(crate) fn look(&mut self, at: Duration, daemon: &Daemon) -> Result<Sample> {
        let (cpu, events) = (cpu_seconds(self.id).context("the daemon's CPU time")?, crate::events(daemon));
        let (last_at, last_cpu, last_events) = std::mem::replace(&mut self.last, (at, cpu, events));
        let seconds = at.saturating_sub(last_at).as_secs_f64();
        let lag = self.session.value(
            "select pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) from pg_replication_slots
             where database = current_database()",
        );
        let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", self.id)).map(Iterator::count);
        #[allow(clippy::cast_precision_loss, reason = "counts of one interval")]
        let published = events.saturating_sub(last_events) as f64;
        Ok(Sample {
            at,
            rss_kib: rss_kib(self.id).context("the daemon's memory")?,
            threads: count("task")?,
            files: count("fd")?,
            cpu_percent: (cpu - last_cpu) / seconds * 100.0,
            lag_mib: lag.parse::<f64>()? / f64::from(1 << 20),
            events_per_second: published / seconds,
        })
    }
}

impl Sample {
    pub(crate) const HEAD: &'static str = "|  minutes |   RSS MiB | threads | files |  CPU % | slot lag MiB | events/s |\n\
         | -------: | --------: | ------: | ----: | -----: | -----------: | -------: |";
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {:>8.1} | {:>9.2} | {:>7} | {:>5} | {:>6.1} | {:>12.2} | {:>8.0} |",
            self.at.as_secs_f64() / 60.0,
            self.rss_kib / 1024.0,
            self.threads,
            self.files,
            self.cpu_percent,
            self.lag_mib,
            self.events_per_second
        )
    }
}

fn rss_kib(id: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// User and system time so far.
fn cpu_seconds(id: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(2);
    Some(fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND)
}

/// `USER_HZ`, the same on every platform that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
