//! Instructions per change, from the message to the record that the sink takes, counted by callgrind and held against
//! the recorded figures: `scripts/gate`. A count does not depend on how busy the machine is, so a few per cent show.
//!
//! The program runs itself under callgrind, for each workload twice, N and 2 N repetitions: the difference is what N cost,
//! without start and warm-up. Figures further than [`BOUND`] from `benches/instructions.toml`, to either side, are an error.
//! Code of another compiler, or copying with other instructions, is another count: then the comparison is printed and
//! fails nobody. `HEADWATER_UPDATE=1` records.

mod workloads;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;
use workloads::Workload;

/// The recorded figures.
#[derive(Deserialize)]
struct Recorded {
    compiler: String,
    machine: String,
    /// Per change, by workload.
    instructions: BTreeMap<String, f64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run", workload, repetitions] => run(workload, repetitions),
        [] => compare(),
        _ => Err(anyhow!("usage: instructions [run WORKLOAD REPETITIONS]")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("instructions: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// What callgrind counts.
fn run(name: &str, repetitions: &str) -> Result<()> {
    let workload =
        workloads::all().into_iter().find(|workload| workload.name == name).context("no such workload")?;
    let mut rehearsal = workload.rehearse()?;
    for _ in 0..repetitions.parse::<u64>()? {
        workload.repeat(&mut rehearsal)?;
    }
    rehearsal.turn()?;
    Ok(())
}

fn compare() -> Result<()> {
    let (compiler, machine) = (compiler()?, machine());
    let mut counted = BTreeMap::new();
    for workload in workloads::all() {
        counted.insert(workload.name.to_owned(), per_event(&workload)?);
    }
    if env::var_os("HEADWATER_UPDATE").is_some() {
        fs::write(FIGURES, record(&compiler, &machine, &counted)).context(FIGURES)?;
        say(&format!("recorded in {FIGURES}"));
    }
    let text = fs::read_to_string(FIGURES).context(FIGURES)?;
    let recorded: Recorded = toml::from_str(&text).context(FIGURES)?;
    let mut beyond = Vec::new();
    for (name, figure) in &counted {
        let Some(before) = recorded.instructions.get(name) else {
            bail!("{FIGURES} has no figure for {name:?}; record it: {RECORD}");
        };
        let change = figure / before - 1.0;
        say(&format!("{figure:>8.0} instructions, {:>+6.1} % of {before:.0}: {name}", change * 100.0));
        if change.abs() > BOUND {
            beyond.push(name.as_str());
        }
    }
    if beyond.is_empty() {
        return Ok(());
    }
    let beyond = beyond.join(", ");
    if (compiler.as_str(), machine.as_str()) != (recorded.compiler.as_str(), recorded.machine.as_str()) {
        say(&format!(
            "not compared, as this is {compiler} on {machine} and the figures are of {} on {}; beyond {:.0} %: {beyond}. \
             To record them here: {RECORD}",
            recorded.compiler,
            recorded.machine,
            BOUND * 100.0
        ));
        return Ok(());
    }
    bail!(
        "beyond {:.0} % of the recorded figure: {beyond}. If that is meant, say why in the commit and record it: {RECORD}",
        BOUND * 100.0
    )
}

/// Instructions per change in steady state.
fn per_event(workload: &Workload) -> Result<f64> {
    let [once, twice] = [REPETITIONS, 2 * REPETITIONS].map(|repetitions| count(workload.name, repetitions));
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    Ok((twice?.saturating_sub(once?)) as f64 / (REPETITIONS * workload.events) as f64)
}

/// All instructions of one run.
fn count(workload: &str, repetitions: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", workload, &repetitions.to_string()])
        .output()
        .context("run valgrind; to install it: apt-get install -y valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{workload}: callgrind ended with {}:\n{said}", output.status);
    }
    let total = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    total.with_context(|| format!("{workload}: callgrind counted nothing:\n{said}"))
}

fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("run rustc")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

/// What the C library chooses its way of copying by.
fn machine() -> String {
    #[cfg(target_arch = "x86_64")]
    let features = if std::arch::is_x86_feature_detected!("avx2") { " with AVX2" } else { " without AVX2" };
    #[cfg(not(target_arch = "x86_64"))]
    let features = "";
    format!("{}{features}", env::consts::ARCH)
}

fn record(compiler: &str, machine: &str, counted: &BTreeMap<String, f64>) -> String {
    let mut text = format!(
        "# Instructions per change, from the message to the record that the sink takes: see benches/instructions.rs. Made by\n\
         # {RECORD}\ncompiler = {compiler:?}\nmachine = {machine:?}\n\n[instructions]\n"
    );
    for (name, figure) in counted {
        let _ = writeln!(text, "{name:?} = {figure:.1}");
    }
    text
}

#[allow(clippy::print_stdout, reason = "the report of a command line")]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr, reason = "the failure of a command line")]
fn complain(text: &str) {
    eprintln!("{text}");
}

/// How far a count may be from the recorded one.
const BOUND: f64 = 0.05;
const REPETITIONS: u64 = 2000;
/// Cargo runs benchmarks in the root of the package.
const FIGURES: &str = "benches/instructions.toml";
const RECORD: &str = "HEADWATER_UPDATE=1 scripts/gate";
