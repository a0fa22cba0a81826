//! The rounds of a report by workload and contender: medians and their spread, and who is compared with whom.

use crate::drain::Measured;
use crate::latency::Latency;

/// The middle of several rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

/// All rounds of one contender in one workload.
pub(crate) struct Drains<'a> {
    pub(crate) contender: &'a str,
    pub(crate) rounds: Vec<&'a Measured>,
}

/// All rounds of one contender at one rate.
pub(crate) struct Latencies<'a> {
    pub(crate) contender: &'a str,
    pub(crate) rounds: Vec<&'a Latency>,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Self { median, lowest: end(values.first()), highest: end(values.last()) }
    }
}

impl Drains<'_> {
    pub(crate) fn over(&self, what: impl Fn(&Measured) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(|one| what(one)))
    }

    pub(crate) fn rate(&self) -> Spread {
        self.over(|one| one.changes_per_second)
    }
}

impl Latencies<'_> {
    pub(crate) fn over(&self, what: impl Fn(&Latency) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(|one| what(one)))
    }
}

/// The workloads, by name.
pub(crate) fn workloads(drains: &[Measured]) -> Vec<&str> {
    let mut all = in_order(drains.iter().map(|one| one.workload.as_str()));
    all.sort_unstable();
    all
}

/// The contenders of a workload in the order in which they first ran.
pub(crate) fn of_workload<'a>(drains: &'a [Measured], workload: &str) -> Vec<Drains<'a>> {
    let of = |contender: &str| -> Vec<&'a Measured> {
        drains.iter().filter(|one| one.workload == workload && one.contender == contender).collect()
    };
    let names = drains.iter().filter(|one| one.workload == workload).map(|one| one.contender.as_str());
    in_order(names).into_iter().map(|contender| Drains { contender, rounds: of(contender) }).collect()
}

/// The rates at which latency was measured, in their order.
pub(crate) fn rates(latencies: &[Latency]) -> Vec<u32> {
    in_order(latencies.iter().map(|one| one.per_second))
}

/// The contenders at one rate in the order in which they first ran.
pub(crate) fn at_rate(latencies: &[Latency], per_second: u32) -> Vec<Latencies<'_>> {
    let at: Vec<&Latency> = latencies.iter().filter(|one| one.per_second == per_second).collect();
    let names = in_order(at.iter().map(|one| one.contender.as_str()));
    let of = |contender: &str| at.iter().filter(|one| one.contender == contender).copied().collect();
    names.into_iter().map(|contender| Latencies { contender, rounds: of(contender) }).collect()
}

/// The contender whose name begins with `kind` and that `name` is measured against: on the same socket if there is one,
/// with the same topics if it writes any.
pub(crate) fn counterpart<'a, 'b>(lines: &'b [Drains<'a>], name: &str, kind: &str) -> Option<&'b Drains<'a>> {
    let has = |line: &Drains<'_>, text: &str| line.contender.contains(text) == name.contains(text);
    let of_kind = || lines.iter().filter(|line| line.contender.starts_with(kind));
    of_kind()
        .find(|line| has(line, UNIX) && has(line, TOPIC))
        .or_else(|| of_kind().find(|line| has(line, TOPIC)))
        .or_else(|| of_kind().find(|line| has(line, UNIX)))
        .or_else(|| of_kind().next())
}

/// Every value once, where it first is.
pub(crate) fn in_order<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut once = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

/// A figure of a latency.
pub(crate) type OfLatency = fn(&Latency) -> f64;

/// Those that are compared.
pub(crate) const PERCENTILES: [(&str, OfLatency); 2] =
    [("p50", |one| one.seen.p50), ("p99", |one| one.seen.p99)];

/// What follows the name of a contender that came by a Unix socket.
pub(crate) const UNIX: &str = ", Unix socket";
const TOPIC: &str = "BEGIN/END topic";
