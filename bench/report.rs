//! The tables on standard output and the JSON file: medians over the rounds with their spread, and every round.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;
use crate::cost::Cost;
use crate::drain::{Measured, mebibytes};
use crate::in_progress::InProgress;
use crate::latency::Latency;
use crate::losses;
use crate::machine::Machine;
use crate::rows::{table, thousands, whole};
use crate::snapshot::Snapshot;
use crate::standby::Standby;
use crate::summary::{self, Drains, Latencies, Spread};

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// The arguments of `scripts/bench`.
    pub(crate) command: String,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) drains: Vec<Measured>,
    pub(crate) latencies: Vec<Latency>,
    pub(crate) in_progress: Vec<InProgress>,
    pub(crate) standbys: Vec<Standby>,
    /// Reports of before have none.
    #[serde(default)]
    pub(crate) snapshots: Vec<Snapshot>,
}

impl Report {
    pub(crate) fn new(machine: Machine, arguments: &Arguments) -> Self {
        let (quick, rounds) = (arguments.quick, arguments.rounds());
        Self {
            machine,
            command: command(std::env::args().skip(1)),
            quick,
            rounds,
            drains: Vec::new(),
            latencies: Vec::new(),
            in_progress: Vec::new(),
            standbys: Vec::new(),
            snapshots: Vec::new(),
        }
    }

    /// Of earlier runs on one machine, joined; the first says which machine.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self> {
        let read = |file: &PathBuf| -> Result<Self> {
            let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
            serde_json::from_str(&text).with_context(|| format!("understand {}", file.display()))
        };
        let mut all = files.iter().map(read);
        let mut joined = all.next().context("a report to load")??;
        for other in all {
            let other = other?;
            joined.command = format!("{}; {}", joined.command, other.command);
            joined.quick |= other.quick;
            joined.rounds = joined.rounds.min(other.rounds);
            joined.drains.extend(other.drains);
            joined.latencies.extend(other.latencies);
            joined.in_progress.extend(other.in_progress);
            joined.standbys.extend(other.standbys);
            joined.snapshots.extend(other.snapshots);
        }
        Ok(joined)
    }

    /// Writes the JSON file, if one is wanted.
    pub(crate) fn save(&self, file: Option<&Path>) -> Result<()> {
        let Some(file) = file else { return Ok(()) };
        fs::write(file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("write {}", file.display()))
    }

    /// Contender and settings, every pair once.
    fn settings(&self) -> Vec<(&str, &str)> {
        let drains = self.drains.iter().map(|one| (one.contender.as_str(), one.settings.as_str()));
        let latencies = self.latencies.iter().map(|one| (one.contender.as_str(), one.settings.as_str()));
        let standbys = self.standbys.iter().map(|one| (one.contender.as_str(), one.settings.as_str()));
        let snapshots = self.snapshots.iter().map(|one| (one.contender.as_str(), one.settings.as_str()));
        let mut all: Vec<_> = drains.chain(latencies).chain(standbys).chain(snapshots).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for workload in summary::workloads(&self.drains) {
            let drains = summary::of_workload(&self.drains, workload);
            let first = drains.first().and_then(|line| line.rounds.first());
            let changes = thousands(first.map_or(0, |one| one.changes));
            let transactions = thousands(first.map_or(0, |one| one.counted.decoded_transactions));
            let rounds = counted(drains.iter().map(|line| line.rounds.len()).min().unwrap_or(0));
            writeln!(f, "\n{workload}: {changes} changes, transactions: {transactions}; {rounds}\n")?;
            f.write_str(&drain_table(&drains))?;
        }
        for per_second in summary::rates(&self.latencies) {
            let lines = summary::at_rate(&self.latencies, per_second);
            let rows: usize = lines.first().map_or(0, |line| line.rounds.iter().map(|one| one.rows).sum());
            let rounds = counted(lines.iter().map(|line| line.rounds.len()).min().unwrap_or(0));
            let (rate, rows) = (thousands(u64::from(per_second)), thousands(rows as u64));
            writeln!(
                f,
                "\nL1 at {rate} transactions/s: ms from the insert to an independent consumer; {rows} rows each; {rounds}\n"
            )?;
            f.write_str(&latency_table(&lines))?;
        }
        if let Some(first) = self.in_progress.first() {
            let rows = thousands(u64::from(first.rows));
            writeln!(
                f,
                "\nP1: from the COMMIT of {rows} rows to the last of them durable in Kafka, {}; medians\n",
                first.contender
            )?;
            f.write_str(&in_progress_table(&self.in_progress))?;
        }
        if let Some(first) = self.standbys.first() {
            writeln!(f, "\nS1: {} captured tables; medians\n", thousands(u64::from(first.tables)))?;
            f.write_str(&standby_table(&self.standbys))?;
        }
        if let Some(first) = self.snapshots.first() {
            writeln!(f, "\nI1: the first snapshot of {} rows; medians\n", thousands(u64::from(first.rows)))?;
            f.write_str(&snapshot_table(&self.snapshots))?;
        }
        writeln!(f, "\nWhere Headwater, exactly once, is not the best:\n")?;
        let losses = losses::losses(self);
        for loss in &losses {
            writeln!(f, "- {loss}")?;
        }
        if losses.is_empty() {
            writeln!(f, "- nowhere in this run")?;
        }
        writeln!(f, "\nSettings:\n")?;
        self.settings().iter().try_for_each(|(contender, settings)| writeln!(f, "- {contender}: {settings}"))
    }
}

fn drain_table(lines: &[Drains<'_>]) -> String {
    let head = [
        "contender",
        "changes/s",
        "lowest–highest",
        "of pg_recvlogical",
        "of Debezium",
        "CPU µs/change",
        "CPU s",
        "walsender s",
        "broker s",
        "peak MiB",
        "start s",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for line in lines {
        let rate = line.rate();
        let of = |kind: &str| {
            let other = summary::counterpart(lines, line.contender, kind);
            other.map_or_else(String::new, |other| format!("{:.2}", rate.median / other.rate().median))
        };
        let cpu = |cost: fn(&Measured) -> Cost| line.over(|one| cost(one).cpu_seconds()).median;
        rows.push(vec![
            line.contender.to_owned(),
            whole(rate.median),
            format!("{}–{}", whole(rate.lowest), whole(rate.highest)),
            of("pg_recvlogical"),
            of("debezium"),
            format!("{:.2}", line.over(Measured::micros_per_change).median),
            format!("{:.2}", cpu(|one| one.process)),
            format!("{:.2}", cpu(|one| one.walsender)),
            format!("{:.2}", cpu(|one| one.broker)),
            format!("{:.1}", line.over(|one| mebibytes(one.process.peak_rss_bytes)).median),
            format!("{:.2}", line.over(|one| one.start_seconds).median),
        ]);
    }
    table(&rows)
}

fn latency_table(lines: &[Latencies<'_>]) -> String {
    let head = [
        "contender",
        "p50",
        "p90",
        "p99",
        "p99 lowest–highest",
        "p99.9",
        "max",
        "writer's p50",
        "writer's p99",
        "CPU s",
        "broker s",
        "peak MiB",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for line in lines {
        let millis = |what: fn(&Latency) -> f64| format!("{:.1}", line.over(what).median);
        let p99 = line.over(|one| one.seen.p99);
        rows.push(vec![
            line.contender.to_owned(),
            millis(|one| one.seen.p50),
            millis(|one| one.seen.p90),
            millis(|one| one.seen.p99),
            format!("{:.1}–{:.1}", p99.lowest, p99.highest),
            millis(|one| one.seen.p999),
            millis(|one| one.seen.max),
            millis(|one| one.committed.p50),
            millis(|one| one.committed.p99),
            format!("{:.2}", line.over(|one| one.process.cpu_seconds()).median),
            format!("{:.2}", line.over(|one| one.broker.cpu_seconds()).median),
            format!("{:.1}", line.over(|one| mebibytes(one.process.peak_rss_bytes)).median),
        ]);
    }
    table(&rows)
}

fn in_progress_table(all: &[InProgress]) -> String {
    let head =
        ["the transaction is", "seconds", "lowest–highest", "CPU s", "walsender s", "broker s", "peak MiB"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for way in summary::in_order(all.iter().map(|one| one.way)) {
        let over =
            |what: fn(&InProgress) -> f64| Spread::of(all.iter().filter(|one| one.way == way).map(what));
        let seconds = over(|one| one.seconds);
        let cpu = [
            over(|one| one.process.cpu_seconds()),
            over(|one| one.walsender.cpu_seconds()),
            over(|one| one.broker.cpu_seconds()),
        ];
        let mut row = vec![way.to_string(), format!("{:.2}", seconds.median)];
        row.push(format!("{:.2}–{:.2}", seconds.lowest, seconds.highest));
        row.extend(cpu.map(|spread| format!("{:.2}", spread.median)));
        row.push(format!("{:.1}", over(|one| mebibytes(one.process.peak_rss_bytes)).median));
        rows.push(row);
    }
    table(&rows)
}

fn standby_table(all: &[Standby]) -> String {
    let head =
        ["contender", "first start s", "start s", "lowest–highest", "idle, % of a core", "resident MiB"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for contender in summary::in_order(all.iter().map(|one| one.contender.as_str())) {
        let of_it = || all.iter().filter(|one| one.contender == contender);
        let start = Spread::of(of_it().map(|one| one.start_seconds));
        rows.push(vec![
            contender.to_owned(),
            format!("{:.2}", Spread::of(of_it().map(|one| one.first_start_seconds)).median),
            format!("{:.2}", start.median),
            format!("{:.2}–{:.2}", start.lowest, start.highest),
            format!("{:.2}", Spread::of(of_it().map(Standby::idle_percent)).median),
            format!("{:.1}", Spread::of(of_it().map(|one| mebibytes(one.idle.peak_rss_bytes))).median),
        ]);
    }
    table(&rows)
}

fn snapshot_table(all: &[Snapshot]) -> String {
    let head = [
        "contender",
        "rows/s",
        "lowest–highest",
        "CPU µs/row",
        "backend s",
        "broker s",
        "peak MiB",
        "start s",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for contender in summary::in_order(all.iter().map(|one| one.contender.as_str())) {
        let over = |what: fn(&Snapshot) -> f64| {
            Spread::of(all.iter().filter(|one| one.contender == contender).map(what))
        };
        let rate = over(Snapshot::rows_per_second);
        rows.push(vec![
            contender.to_owned(),
            whole(rate.median),
            format!("{}–{}", whole(rate.lowest), whole(rate.highest)),
            format!("{:.2}", over(Snapshot::micros_per_row).median),
            format!("{:.2}", over(|one| one.backend.cpu_seconds()).median),
            format!("{:.2}", over(|one| one.broker.cpu_seconds()).median),
            format!("{:.1}", over(|one| mebibytes(one.process.peak_rss_bytes)).median),
            format!("{:.2}", over(|one| one.start_seconds).median),
        ]);
    }
    table(&rows)
}

/// The arguments without those that only say where to write.
fn command(mut arguments: impl Iterator<Item = String>) -> String {
    let mut kept = Vec::new();
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--json" | "--plots" => drop(arguments.next()),
            "--bench" | "--write-docs" => {}
            word if word.starts_with("--json=") || word.starts_with("--plots=") => {}
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

fn counted(rounds: usize) -> String {
    if rounds == 1 { "1 round".to_owned() } else { format!("medians of {rounds} rounds") }
}
