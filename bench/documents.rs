//! A report into the documents: the tables between the marks of docs/benchmarks.md and README.md, and the plots.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::chart::{Bar, Chart, Group};
use crate::drain::{Measured, mebibytes};
use crate::report::Report;
use crate::rows::{table, thousands, whole};
use crate::summary::{self, Drains, Spread};

/// Replaces what stands between the marks, and the plots that it shows.
pub(crate) fn write(report: &Report) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    plots(report, &root.join("docs/benchmarks"))?;
    replace(&root.join("docs/benchmarks.md"), &results(report))?;
    replace(&root.join("README.md"), &short_table(report))
}

/// Writes the pictures that the report has figures for.
pub(crate) fn plots(report: &Report, directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    for (name, chart) in charts(report) {
        let file = directory.join(format!("{name}.svg"));
        fs::write(&file, chart.svg()).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

fn charts(report: &Report) -> Vec<(&'static str, Chart)> {
    let mut all = Vec::new();
    if !report.drains.is_empty() {
        let rate =
            drain_chart(report, "Rate, changes/s (more is better)", |one| one.changes_per_second, whole);
        let cpu = drain_chart(
            report,
            "CPU time, µs per change (less is better)",
            Measured::micros_per_change,
            tenths,
        );
        let rss = |one: &Measured| mebibytes(one.process.peak_rss_bytes);
        let memory = drain_chart(report, "Peak resident memory, MiB (less is better)", rss, tenths);
        all.extend([("rate", rate), ("cpu", cpu), ("memory", memory)]);
    }
    if !report.latencies.is_empty() {
        all.push(("latency", latency_chart(report)));
    }
    all
}

fn drain_chart(report: &Report, title: &str, of: fn(&Measured) -> f64, write: fn(f64) -> String) -> Chart {
    let group = |workload: &str| {
        let lines = summary::of_workload(&report.drains, workload);
        let bars = lines.iter().map(|line| bar(line.contender, line.over(of), write));
        Group { label: workload.to_owned(), bars: bars.collect() }
    };
    let groups = summary::workloads(&report.drains).into_iter().map(group).collect();
    Chart { title: title.to_owned(), groups }
}

fn latency_chart(report: &Report) -> Chart {
    let mut groups = Vec::new();
    for per_second in summary::rates(&report.latencies) {
        let lines = summary::at_rate(&report.latencies, per_second);
        for (name, of) in summary::PERCENTILES {
            let bars = lines.iter().map(|line| bar(line.contender, line.over(of), tenths)).collect();
            let label = format!("{} transactions/s, {name}", thousands(u64::from(per_second)));
            groups.push(Group { label, bars });
        }
    }
    Chart { title: "Latency from insert to consumer, ms (less is better)".to_owned(), groups }
}

fn bar(contender: &str, value: Spread, write: fn(f64) -> String) -> Bar {
    Bar { label: contender.to_owned(), value, text: write(value.median) }
}

fn results(report: &Report) -> String {
    let quick = if report.quick { " These are figures of `--quick`: a look, not a measurement." } else { "" };
    let busiest = report.drains.iter().map(|one| one.other_cpu_seconds / (one.start_seconds + one.seconds));
    let others = busiest.fold(0.0, f64::max);
    let mut text = format!(
        "```\n{}\n```\n\n`scripts/bench {}`.{quick} Everything else on the machine, the bench's own reading of figures and the rest of the \
         servers' processes included, took at most {others:.2} cores in any drain.\n",
        report.machine,
        report.command.trim()
    );
    for (name, chart) in charts(report) {
        text.extend(["\n![", &chart.title, "](benchmarks/", name, ".svg)\n"]);
    }
    text + &report.to_string()
}

/// What the README shows: four contenders over TCP.
fn short_table(report: &Report) -> String {
    let head = [
        "",
        "W1 changes/s",
        "W2 changes/s",
        "CPU per change (W1)",
        "latency at 1,000/s, p50 / p99",
        "peak RSS",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (contender, name) in SHORT {
        let of = |workload: &str| -> Option<Drains<'_>> {
            summary::of_workload(&report.drains, workload)
                .into_iter()
                .find(|line| line.contender == contender)
        };
        let rate = |workload| of(workload).map_or_else(none, |line| whole(line.rate().median));
        let cpu = of("W1").map(|line| line.over(Measured::micros_per_change).median);
        let live =
            summary::at_rate(&report.latencies, 1000).into_iter().find(|line| line.contender == contender);
        let latency =
            live.map(|line| (line.over(|one| one.seen.p50).median, line.over(|one| one.seen.p99).median));
        let drains = report.drains.iter().filter(|one| one.contender == contender);
        let peak = drains.map(|one| mebibytes(one.process.peak_rss_bytes)).fold(0.0, f64::max);
        rows.push(vec![
            name.to_owned(),
            rate("W1"),
            rate("W2"),
            cpu.map_or_else(none, |micros| format!("{micros:.1} µs")),
            latency.map_or_else(none, |(p50, p99)| format!("{p50:.1} / {p99:.1} ms")),
            format!("{} MiB", whole(peak)),
        ]);
    }
    table(&rows)
}

/// Puts `text` between the marks of a file.
fn replace(file: &Path, text: &str) -> Result<()> {
    let name = file.display();
    let old = fs::read_to_string(file).with_context(|| format!("read {name}"))?;
    let (before, rest) = old.split_once(BEGIN).with_context(|| format!("{BEGIN} in {name}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{END} in {name}"))?;
    fs::write(file, format!("{before}{BEGIN}\n{}\n{END}{after}", text.trim_end()))
        .with_context(|| format!("write {name}"))
}

fn tenths(number: f64) -> String {
    format!("{number:.1}")
}

fn none() -> String {
    "–".to_owned()
}

const BEGIN: &str = "<!-- bench -->";
const END: &str = "<!-- /bench -->";
const SHORT: [(&str, &str); 4] = [
    ("headwater, exactly once", "Headwater, exactly once"),
    ("headwater, at least once", "Headwater, at least once"),
    ("pg_recvlogical to /dev/null", "`pg_recvlogical` to /dev/null"),
    ("debezium, at least once", "Debezium 3.7 on Kafka Connect 4.3, tuned, at least once"),
];
