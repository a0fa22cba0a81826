//! What a process took, from /proc: CPU time in user and system mode, and the largest resident memory.

use std::fs;

use serde::{Deserialize, Serialize};

/// CPU time and memory.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) user_seconds: f64,
    pub(crate) system_seconds: f64,
    /// With what it shares, such as the server's buffers.
    pub(crate) peak_rss_bytes: u64,
}

/// A process under observation. What it took is known as of the last look, as nothing is left of it after its end.
pub(crate) struct Watched {
    id: u32,
    before: Cost,
    last: Cost,
}

impl Watched {
    /// From the birth of the process.
    pub(crate) fn from_birth(id: u32) -> Self {
        Self { id, before: Cost::default(), last: Cost::default() }
    }

    /// From now; forgets the peak of what was before.
    pub(crate) fn from_now(id: u32) -> Self {
        // Without the right to do it the peak stays that of the process's life.
        let _ = fs::write(format!("/proc/{id}/clear_refs"), "5");
        let before = times(id).unwrap_or_default();
        Self { id, before, last: before }
    }

    pub(crate) fn look(&mut self) {
        if let Some(now) = times(self.id) {
            let peak = peak_rss_bytes(self.id).unwrap_or(0).max(self.last.peak_rss_bytes);
            self.last = Cost { peak_rss_bytes: peak, ..now };
        }
    }

    pub(crate) fn cost(&self) -> Cost {
        Cost {
            user_seconds: self.last.user_seconds - self.before.user_seconds,
            system_seconds: self.last.system_seconds - self.before.system_seconds,
            peak_rss_bytes: self.last.peak_rss_bytes,
        }
    }
}

impl Cost {
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }
}

/// CPU time that all processes of the machine have taken so far.
pub(crate) fn machine_cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq; the rest is counted in these or is somebody else's.
    [0, 1, 2, 5, 6].iter().filter_map(|index| fields.get(*index)).sum::<f64>() / TICKS_PER_SECOND
}

fn times(id: u32) -> Option<Cost> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program is in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).map(str::parse::<f64>);
    let mut seconds = || Some(fields.next()?.ok()? / TICKS_PER_SECOND);
    Some(Cost { user_seconds: seconds()?, system_seconds: seconds()?, peak_rss_bytes: 0 })
}

fn peak_rss_bytes(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib * 1024)
}

/// `USER_HZ`, the same on every platform that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
