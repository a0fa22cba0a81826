//! The cases that Headwater loses: found in the report, so that none is left out when figures are new.

use crate::drain::{Measured, mebibytes};
use crate::report::Report;
use crate::rows::{thousands, whole};
use crate::snapshot::Snapshot;
use crate::summary::{self, Drains, Spread};

/// A line for every figure in which another contender is better than Headwater, exactly once over the same kind of socket.
pub(crate) fn losses(report: &Report) -> Vec<String> {
    let mut all = Vec::new();
    for workload in summary::workloads(&report.drains) {
        let lines = summary::of_workload(&report.drains, workload);
        for socket in ["", summary::UNIX] {
            let of_ours = format!("{OURS}{socket}");
            let Some(ours) = lines.iter().find(|line| line.contender == of_ours) else { continue };
            let what = format!("{workload}{socket}");
            for other in lines.iter().filter(|line| is_rival(line.contender, socket)) {
                all.extend(lost(&what, ours, other));
            }
        }
    }
    for per_second in summary::rates(&report.latencies) {
        let lines = summary::at_rate(&report.latencies, per_second);
        let Some(ours) = lines.iter().find(|line| line.contender == OURS) else { continue };
        for other in lines.iter().filter(|line| is_rival(line.contender, "")) {
            for (what, of) in summary::PERCENTILES {
                let (our, their) = (ours.over(of).median, other.over(of).median);
                if their < our {
                    let (rate, name) = (thousands(u64::from(per_second)), other.contender);
                    all.push(format!("L1 at {rate}/s, {what}: {our:.1} ms, {name} {their:.1} ms"));
                }
            }
        }
    }
    let rate = |contender: &str| {
        let of_it = report.snapshots.iter().filter(|one| one.contender == contender);
        Spread::of(of_it.map(Snapshot::rows_per_second)).median
    };
    let ours = rate(OURS);
    for other in summary::in_order(report.snapshots.iter().map(|one| one.contender.as_str())) {
        let rate = rate(other);
        if rate > ours && is_rival(other, "") {
            let share = ours / rate;
            let (ours, rate) = (whole(ours), whole(rate));
            all.push(format!("I1, rate: {ours} rows/s, {other} {rate} ({share:.2} of it)"));
        }
    }
    all
}

/// The figures of `workload` in which `other` is better than `ours`.
fn lost(workload: &str, ours: &Drains<'_>, other: &Drains<'_>) -> Vec<String> {
    let mut all = Vec::new();
    let name = other.contender;
    let (our_rate, rate) = (ours.rate().median, other.rate().median);
    if rate > our_rate {
        let share = our_rate / rate;
        let (our_rate, rate) = (whole(our_rate), whole(rate));
        all.push(format!("{workload}, rate: {our_rate} changes/s, {name} {rate} ({share:.2} of it)"));
    }
    for Figure { name: what, of, unit } in FIGURES {
        let (our, their) = (ours.over(of).median, other.over(of).median);
        if their < our {
            all.push(format!("{workload}, {what}: {our:.2} {unit}, {name} {their:.2} {unit}"));
        }
    }
    all
}

/// Somebody else over the same kind of socket.
fn is_rival(contender: &str, socket: &str) -> bool {
    !contender.starts_with("headwater") && contender.ends_with(summary::UNIX) != socket.is_empty()
}

struct Figure {
    name: &'static str,
    of: fn(&Measured) -> f64,
    unit: &'static str,
}

const OURS: &str = "headwater, exactly once";
const FIGURES: [Figure; 3] = [
    Figure { name: "CPU per change", of: Measured::micros_per_change, unit: "µs" },
    Figure { name: "peak memory", of: |one| mebibytes(one.process.peak_rss_bytes), unit: "MiB" },
    Figure { name: "start", of: |one| one.start_seconds, unit: "s" },
];
