//! The end-to-end benchmark: `scripts/bench`. Real servers, one backlog, and several readers of it in turn.
//!
//! Every reader drains a copy of the same slot, made before the workload was written, so that all decode the same log on
//! the same server; they alternate in rounds, so that a slow minute of the machine meets all of them. That they did equal
//! work is counted, not assumed: see `equality`. A new reader implements `contender::Contender`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that prints a report")]

mod arguments;
mod backlog;
mod chart;
mod contender;
mod cost;
mod debezium;
mod documents;
mod drain;
mod ends;
mod equality;
mod ground;
mod headwater;
mod in_progress;
mod latency;
mod losses;
mod machine;
mod pg_recvlogical;
mod programs;
mod report;
mod rows;
mod snapshot;
mod standby;
mod summary;
mod topics;
mod workload;
mod writer;

#[path = "../tests/support/mod.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the tests' servers: what fails ends the benchmark"
)]
mod support;

use anyhow::Result;
use clap::Parser as _;

use arguments::Arguments;
use backlog::Backlog;
use ground::Ground;
use in_progress::Way;
use machine::Machine;
use report::Report;
use snapshot::Table;
use workload::{Kind, Workload};

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let report =
        if arguments.report.is_empty() { run(&arguments)? } else { Report::load(&arguments.report)? };
    println!("{report}");
    if let Some(directory) = &arguments.plots {
        documents::plots(&report, directory)?;
    }
    if arguments.write_docs {
        documents::write(&report)?;
    }
    Ok(())
}

/// All workloads. The report is saved after every measurement, so that a failure costs one.
fn run(arguments: &Arguments) -> Result<Report> {
    let machine = Machine::look()?;
    println!("{machine}\n");
    let ground = Ground::start();
    let mut report = Report::new(machine, arguments);
    for workload in arguments.workloads() {
        match workload {
            Workload::Latency { per_second } => latency_rounds(&ground, arguments, per_second, &mut report)?,
            Workload::Backlog(kind) => backlog_rounds(&ground, arguments, kind, &mut report)?,
            Workload::InProgress => in_progress_rounds(&ground, arguments, &mut report)?,
            Workload::Standby => standby_rounds(&ground, arguments, &mut report)?,
            Workload::Snapshot => snapshot_rounds(&ground, arguments, &mut report)?,
        }
    }
    Ok(report)
}

/// All live contenders at one rate, one after the other, as often as there are rounds.
fn latency_rounds(
    ground: &Ground,
    arguments: &Arguments,
    per_second: u32,
    report: &mut Report,
) -> Result<()> {
    let contenders = arguments.live_contenders();
    for (round, index) in turns(arguments.rounds(), contenders.len()) {
        let one = latency::measure(ground, &*contenders[index], round + 1, arguments.stream(per_second))?;
        println!("L1 {per_second}/s: round {}: {one}", round + 1);
        report.latencies.push(one);
        report.save(arguments.json.as_deref())?;
    }
    Ok(())
}

/// All contenders, one after the other, as often as there are rounds.
fn backlog_rounds(ground: &Ground, arguments: &Arguments, kind: Kind, report: &mut Report) -> Result<()> {
    let contenders = arguments.contenders(kind);
    let backlog = Backlog::prepare(ground, kind, arguments, contenders.len())?;
    println!("{kind}: {}", backlog.truth);
    if let Some(contender) = contenders.first().filter(|_| report.drains.is_empty()) {
        // A Java machine that has just started compiles while it serves, for half a minute of work.
        for slot in backlog.warm_up_slots() {
            let drain = drain::drain(ground, &backlog, &**contender, 0, slot)?;
            println!("  not counted, to warm the broker up: {drain}");
        }
    }
    for (round, index) in turns(arguments.rounds(), contenders.len()) {
        let slot = backlog.slot(round, index);
        let drain = drain::drain(ground, &backlog, &*contenders[index], round + 1, &slot)?;
        println!("  round {}: {drain}", round + 1);
        report.drains.push(drain);
        report.save(arguments.json.as_deref())?;
    }
    Ok(())
}

/// Every way of one transaction, one after the other, as often as there are rounds.
fn in_progress_rounds(ground: &Ground, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let Some(headwater) = arguments.alone().into_iter().next() else { return Ok(()) };
    for (round, index) in turns(arguments.rounds(), Way::ALL.len()) {
        let one = in_progress::measure(ground, &headwater, Way::ALL[index], arguments.size(Kind::OneInsert))?;
        println!("P1: round {}: {one}", round + 1);
        report.in_progress.push(one);
        report.save(arguments.json.as_deref())?;
    }
    Ok(())
}

/// Both modes, one after the other, as often as there are rounds.
fn standby_rounds(ground: &Ground, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let headwaters = arguments.alone();
    for (round, index) in turns(arguments.rounds(), headwaters.len()) {
        let one = standby::measure(ground, &headwaters[index], arguments.quick)?;
        println!("S1: round {}: {one}", round + 1);
        report.standbys.push(one);
        report.save(arguments.json.as_deref())?;
    }
    Ok(())
}

/// Everybody who reads a table, one after the other, as often as there are rounds.
fn snapshot_rounds(ground: &Ground, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let readers = arguments.readers();
    let table = Table::prepare(ground, arguments)?;
    for (round, index) in turns(arguments.rounds(), readers.len()) {
        let one = snapshot::measure(ground, &table, &readers[index])?;
        println!("I1: round {}: {one}", round + 1);
        report.snapshots.push(one);
        report.save(arguments.json.as_deref())?;
    }
    Ok(())
}

/// Round and contender, turn by turn: whoever comes first in a round comes last in the next.
fn turns(rounds: usize, contenders: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rounds).flat_map(move |round| (0..contenders).map(move |turn| (round, (turn + round) % contenders)))
}
