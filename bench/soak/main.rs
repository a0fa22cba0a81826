//! Hours of steady load: `scripts/soak`. Whatever grows with time, and not with load, shows here and nowhere else: memory,
//! threads, open files, the log that the slot retains.
//!
//! The daemon under test is the release binary, on real servers, over a table whose size does not change. Every sample is a
//! line; the verdict at the end is about the second half, when every buffer has its size.
#![allow(clippy::print_stdout, reason = "a command that prints a report")]

mod load;
mod sample;
mod verdict;

#[path = "../../tests/support/mod.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the tests' servers: what fails ends the soak"
)]
mod support;

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Parser;

use load::Load;
use sample::{Sample, Sampler};
use support::{Daemon, Kafka, Postgres};
use verdict::Bounds;

#[derive(Parser)]
#[command(about = "Runs Headwater under a steady load and fails when anything grows")]
struct Arguments {
    /// How long the load lasts.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// Changes a second.
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// `kafka.delivery`
    #[arg(long, default_value = "exactly_once")]
    delivery: String,
    /// How much resident memory may grow over the second half, in KiB.
    #[arg(long, default_value_t = 1024)]
    growth_kib: u32,
    /// How much log the slot may be behind in the second half, in MiB.
    #[arg(long, default_value_t = 64)]
    lag_mib: u32,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let postgres = Postgres::start(18, &[("synchronous_commit", "off"), ("max_wal_size", "1GB")]);
    let kafka = Kafka::start_with(&["-Xms512m", "-Xmx512m", "-XX:+UseG1GC"]);
    let db = postgres.database("soak");
    Load::prepare(&db);
    let retention = toml::toml! { "retention.ms" = 60_000 "segment.bytes" = 33_554_432 };
    let mut daemon = Daemon::builder(&db, &kafka)
        .set("kafka.delivery", arguments.delivery.as_str())
        .set("topics.settings", retention)
        .start();
    println!(
        "{} changes/s for {}, {}; a sample every {}\n\n{}",
        arguments.rate,
        humantime::format_duration(arguments.duration),
        arguments.delivery,
        humantime::format_duration(arguments.every),
        Sample::HEAD
    );
    let load = Load::begin(&db, arguments.rate, arguments.duration);
    let (begun, mut samples) = (Instant::now(), Vec::new());
    let mut observer = Sampler::new(daemon.id(), &db);
    while !load.is_done() {
        std::thread::sleep(arguments.every);
        daemon.assert_running();
        let sample = observer.look(begun.elapsed(), &daemon)?;
        println!("{sample}");
        samples.push(sample);
    }
    let written = load.finish(&db)?;
    let deadline = Instant::now() + DRAIN;
    while events(&daemon) < written {
        ensure!(Instant::now() < deadline, "{} of {written} changes after {DRAIN:?}", events(&daemon));
        std::thread::sleep(Duration::from_millis(100));
    }
    let (events, restarts) = (events(&daemon), daemon.metrics().value("headwater_restarts_total"));
    ensure!(daemon.terminate().success(), "headwater failed:\n{}", daemon.log());
    println!("\n{written} changes written, {events} events published, {restarts} restarts");
    let bounds = Bounds {
        growth_kib: f64::from(arguments.growth_kib),
        lag_mib: f64::from(arguments.lag_mib),
        rate: f64::from(arguments.rate),
    };
    let mut failures = bounds.judge(&samples);
    if events != written {
        failures.push(format!("{events} events of {written} changes"));
    }
    if restarts > 0.0 {
        failures.push(format!("{restarts} restarts"));
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    println!("nothing grew");
    Ok(())
}

/// Change events published so far.
fn events(daemon: &Daemon) -> u64 {
    let metrics = daemon.metrics();
    let of = |operation| metrics.get("headwater_events_total", &[("operation", operation)]).unwrap_or(0.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let sum = ["create", "update", "delete"].into_iter().map(of).sum::<f64>() as u64;
    sum
}

/// For what is under way when the load ends.
const DRAIN: Duration = Duration::from_secs(60);
