//! The table on standard output and the JSON file: medians over the rounds with their spread, and every round.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::cost::Cost;
use crate::drain::{Measured, mebibytes};
use crate::latency::Latency;
use crate::machine::Machine;
use crate::rows::{table, thousands};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    quick: bool,
    rounds: usize,
    pub(crate) drains: Vec<Measured>,
    pub(crate) latencies: Vec<Latency>,
}

impl Report {
    pub(crate) fn new(machine: Machine, arguments: &Arguments) -> Self {
        let (quick, rounds) = (arguments.quick, arguments.rounds());
        Self { machine, quick, rounds, drains: Vec::new(), latencies: Vec::new() }
    }

    /// Writes the JSON file, if one is wanted.
    pub(crate) fn save(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        fs::write(file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("write {}", file.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut workloads: Vec<&str> = self.drains.iter().map(|one| one.workload.as_str()).collect();
        workloads.dedup();
        for workload in workloads {
            let drains: Vec<&Measured> = self.drains.iter().filter(|one| one.workload == workload).collect();
            let changes = drains.first().map_or(0, |one| one.changes);
            writeln!(f, "\n{workload}: {} changes, medians of {} rounds\n", thousands(changes), self.rounds)?;
            f.write_str(&drain_table(&drains))?;
        }
        if !self.latencies.is_empty() {
            writeln!(f, "\nL1: from the insert to an independent consumer, ms\n")?;
            f.write_str(&latency_table(&self.latencies))?;
        }
        Ok(())
    }
}

fn drain_table(drains: &[&Measured]) -> String {
    let head = [
        "contender",
        "changes/s",
        "lowest–highest",
        "of pg_recvlogical",
        "CPU µs/change",
        "CPU s",
        "walsender s",
        "broker s",
        "peak MiB",
        "start s",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut names: Vec<&str> = Vec::new();
    for one in drains {
        if !names.contains(&one.contender.as_str()) {
            names.push(&one.contender);
        }
    }
    let of = |name: &str| -> Vec<&Measured> {
        drains.iter().filter(|one| one.contender == name).copied().collect()
    };
    let rate = |rounds: &[&Measured]| median(rounds.iter().map(|one| one.changes_per_second));
    let reference = names.iter().find(|name| name.starts_with("pg_recvlogical")).map(|name| rate(&of(name)));
    for name in names {
        let rounds = of(name);
        let over = |what: fn(&Measured) -> f64| median(rounds.iter().map(|one| what(one)));
        let cpu = |cost: fn(&Measured) -> Cost| median(rounds.iter().map(|one| cost(one).cpu_seconds()));
        let rates: Vec<f64> = rounds.iter().map(|one| one.changes_per_second).collect();
        let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rates.iter().copied().fold(0.0, f64::max);
        rows.push(vec![
            name.to_owned(),
            whole(rate(&rounds)),
            format!("{}–{}", whole(lowest), whole(highest)),
            reference.map_or_else(String::new, |reference| format!("{:.2}", rate(&rounds) / reference)),
            format!("{:.2}", over(Measured::micros_per_change)),
            format!("{:.2}", cpu(|one| one.process)),
            format!("{:.2}", cpu(|one| one.walsender)),
            format!("{:.2}", cpu(|one| one.broker)),
            format!("{:.1}", over(|one| mebibytes(one.process.peak_rss_bytes))),
            format!("{:.2}", over(|one| one.start_seconds)),
        ]);
    }
    table(&rows)
}

fn latency_table(latencies: &[Latency]) -> String {
    let head = ["contender", "transactions/s", "p50", "p90", "p99", "p99.9", "max", "CPU s", "peak MiB"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for one in latencies {
        let mut row = vec![one.contender.clone(), thousands(u64::from(one.per_second))];
        let seen = one.seen;
        row.extend(
            [seen.p50, seen.p90, seen.p99, seen.p999, seen.max].iter().map(|millis| format!("{millis:.1}")),
        );
        row.push(format!("{:.2}", one.process.cpu_seconds()));
        row.push(format!("{:.1}", mebibytes(one.process.peak_rss_bytes)));
        rows.push(row);
    }
    table(&rows)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive rate, for people")]
fn whole(number: f64) -> String {
    thousands(number.round() as u64)
}

/// The middle value, or the mean of the two in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}
