//! What several pipelines in one process cost, and what a second slot on one database gains: `scripts/bench-scaling`.
//!
//! Idle: as many pipelines as databases, none of which changes. Drain: the backlog of W1 (three updates and an insert a
//! transaction) by one slot, and by two with the tables in groups; the counts prove that both did all of it. Crowd: pipelines
//! that each drain a backlog of their own at once, within the default `limits.memory`.
#![allow(clippy::print_stdout, reason = "a command that prints a report")]

#[allow(dead_code, reason = "the benchmark's; not all of it is needed here")]
mod cost;

#[path = "../tests/support/mod.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the tests' servers: what fails ends the benchmark"
)]
mod support;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Parser as _;

use cost::{Cost, Watched, machine_cpu_seconds};
use support::daemon::Builder;
use support::{Daemon, Db, Kafka, Postgres, unique};

/// Measures several pipelines in one process
#[derive(Debug, clap::Parser)]
#[command(name = "scripts/bench-scaling")]
struct Arguments {
    /// Transactions of the backlog, of four changes each
    #[arg(long, default_value_t = 200_000)]
    transactions: u32,
    /// How often each drain runs
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// `cargo bench` says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let cores = thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    println!("{cores} cores, load at the start {}\n", load.trim());
    let postgres = Postgres::start(18, &POSTGRES_SETTINGS);
    let kafka = Kafka::start_with(&["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"]);
    println!(
        "| idle pipelines | resident | threads | descriptors | CPU of a core | connections to the brokers |\n|---:|---:|---:|---:|---:|---:|"
    );
    for count in [1, 2, 4, 8, 16] {
        idle(&postgres, &kafka, count)?;
    }
    println!(
        "\n| drain | seconds | changes/s | daemon CPU | walsenders CPU | broker CPU | peak resident | others' CPU |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    );
    for round in 0..=arguments.rounds {
        for groups in [1, 2] {
            // A Java machine that has just started compiles while it serves.
            let transactions = if round == 0 { arguments.transactions / 10 } else { arguments.transactions };
            let note = if round == 0 { ", not counted" } else { "" };
            drain(&postgres, &kafka, transactions, groups, note)?;
        }
    }
    crowd(&postgres, &kafka, arguments.transactions / 4)
}

/// `count` pipelines on as many databases, with nothing to do.
fn idle(postgres: &Postgres, kafka: &Kafka, count: u32) -> Result<()> {
    let databases: Vec<Db> = (0..count).map(|_| postgres.database("idle")).collect();
    for db in &databases {
        db.exec("create table t (id int primary key)");
    }
    let pipelines = databases.iter().map(|db| pipeline(db.name(), db, "")).collect::<Result<_>>()?;
    let mut daemon =
        several(kafka, pipelines).set("limits.memory", format!("{}MiB", 40 + 24 * count)).start();
    for db in &databases {
        db.exec("insert into t values (1)");
    }
    daemon.wait_metric("headwater_transactions_published_total", |published| published >= f64::from(count));
    let id = daemon.id();
    thread::sleep(SETTLE);
    let mut watched = Watched::from_now(id);
    thread::sleep(IDLE);
    watched.look();
    let share = watched.cost().cpu_seconds() / IDLE.as_secs_f64() * 100.0;
    let threads = fs::read_dir(format!("/proc/{id}/task"))?.count();
    let descriptors = fs::read_dir(format!("/proc/{id}/fd"))?.count();
    let sockets = connections_to_brokers(id, kafka)?;
    println!(
        "| {count} | {:.1} MiB | {threads} | {descriptors} | {share:.2} % | {sockets} |",
        mib(resident(id)?)
    );
    ensure!(daemon.terminate().success(), "{}", daemon.log());
    drop_slots(postgres, &databases);
    Ok(())
}

/// The backlog of W1 over `groups` slots of one database.
fn drain(postgres: &Postgres, kafka: &Kafka, transactions: u32, groups: usize, note: &str) -> Result<()> {
    let db = postgres.database("drain");
    db.exec(TABLES);
    let name = unique("groups");
    let topics = format!("topics.pattern = \"{name}.{{schema}}.{{table}}\"");
    let pipelines = GROUPS[..groups]
        .iter()
        .enumerate()
        .map(|(group, exclude)| {
            let tables = if group == 0 && groups == 1 { "" } else { exclude };
            pipeline(&format!("{name}_{group}"), &db, &format!("{tables}\n{topics}"))
        })
        .collect::<Result<_>>()?;
    let mut daemon = several(kafka, pipelines).start();
    ensure!(daemon.terminate().success(), "{}", daemon.log());
    db.exec(&format!("call work({transactions})"));
    let measured = run(&db, kafka, &mut daemon, f64::from(transactions) * 4.0)?;
    println!("| {groups} slot{}{note} | {measured}", if groups > 1 { "s" } else { "" });
    ensure!(daemon.terminate().success(), "{}", daemon.log());
    drop_slots(postgres, &[db]);
    Ok(())
}

/// Pipelines that each have a backlog, in the memory of one.
fn crowd(postgres: &Postgres, kafka: &Kafka, transactions: u32) -> Result<()> {
    let databases: Vec<Db> = (0..CROWD).map(|_| postgres.database("crowd")).collect();
    let pipelines = databases.iter().map(|db| pipeline(db.name(), db, "")).collect::<Result<_>>()?;
    for db in &databases {
        db.exec(TABLES);
    }
    let mut daemon = several(kafka, pipelines).start();
    ensure!(daemon.terminate().success(), "{}", daemon.log());
    for db in &databases {
        db.exec(&format!("call work({transactions})"));
    }
    let changes = f64::from(transactions) * 4.0 * f64::from(CROWD);
    let measured = run(&databases[0], kafka, &mut daemon, changes)?;
    println!("| {CROWD} databases at once, 64MiB | {measured}");
    ensure!(daemon.terminate().success(), "{}", daemon.log());
    drop_slots(postgres, &databases);
    Ok(())
}

/// Runs the daemon until it has published so many changes; cells of the table.
fn run(db: &Db, kafka: &Kafka, daemon: &mut Daemon, changes: f64) -> Result<String> {
    let mut broker = Watched::from_now(kafka.id());
    let busy = machine_cpu_seconds();
    daemon.resume();
    daemon.wait_ready();
    let begun = Instant::now();
    let mut process = Watched::from_birth(daemon.id());
    let senders = db.query("select pid from pg_stat_replication");
    let mut senders: Vec<Watched> =
        senders.iter().filter_map(|row| Some(Watched::from_birth(row[0].as_ref()?.parse().ok()?))).collect();
    let end = db.value("select pg_current_wal_lsn()");
    let behind = format!("select count(*) from pg_replication_slots where confirmed_flush_lsn < '{end}'");
    let mut look = || {
        process.look();
        broker.look();
        senders.iter_mut().for_each(Watched::look);
    };
    while db.value(&behind) != "0" {
        look();
        daemon.assert_running();
        ensure!(begun.elapsed() < LONGEST, "not through after {LONGEST:?}");
        thread::sleep(BETWEEN_LOOKS);
    }
    let seconds = begun.elapsed().as_secs_f64();
    look();
    let published = daemon.metrics().value("headwater_events_total");
    ensure!((published - changes).abs() < 0.5, "{published} changes were published of {changes}");
    let senders: f64 = senders.iter().map(|sender| sender.cost().cpu_seconds()).sum();
    let each = |cpu: f64| format!("{:.1} µs", cpu / changes * 1e6);
    let (process, broker): (Cost, Cost) = (process.cost(), broker.cost());
    let others = machine_cpu_seconds() - busy - senders - process.cpu_seconds() - broker.cpu_seconds();
    Ok(format!(
        "{seconds:.1} | {:.0} | {} | {} | {} | {:.1} MiB | {others:.1} s |",
        changes / seconds,
        each(process.cpu_seconds()),
        each(senders),
        each(broker.cpu_seconds()),
        mib(process.peak_rss_bytes),
    ))
}

fn several(kafka: &Kafka, pipelines: Vec<toml::Table>) -> Builder {
    Builder::new("")
        .unset("name")
        .brokers(kafka.brokers())
        .set("snapshot.mode", "never")
        .set("checkpoint.interval", "100ms")
        .set("events.transaction_metadata", "block")
        .set("pipeline", pipelines)
}

fn pipeline(name: &str, db: &Db, more: &str) -> Result<toml::Table> {
    let text = format!("name = {name:?}\nsource.url = {:?}\n{more}", db.url());
    Ok(text.parse()?)
}

fn drop_slots(postgres: &Postgres, databases: &[Db]) {
    for db in databases {
        db.exec("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()");
    }
    postgres.session("postgres").exec("checkpoint");
}

fn resident(id: u32) -> Result<u64> {
    let pages: u64 =
        fs::read_to_string(format!("/proc/{id}/statm"))?.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(pages * 4096)
}

/// Established TCP connections of a process to the port of the broker.
fn connections_to_brokers(id: u32, kafka: &Kafka) -> Result<usize> {
    let port: u16 = kafka.brokers().rsplit(':').next().unwrap_or_default().parse()?;
    let remote = format!(":{port:04X}");
    let own: Vec<String> = fs::read_dir(format!("/proc/{id}/fd"))?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{id}/net/tcp"))?;
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    Ok(lines
        .filter(|cells| {
            cells[2].ends_with(&remote) && cells[3] == "01" && own.iter().any(|inode| inode == cells[9])
        })
        .count())
}

#[allow(clippy::cast_precision_loss, reason = "memory of a process")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

const POSTGRES_SETTINGS: [(&str, &str); 6] = [
    ("shared_buffers", "128MB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("synchronous_commit", "off"),
    ("track_io_timing", "off"),
];

/// What the second group has is left to it by the first: half of the changes each.
const GROUPS: [&str; 2] = [
    "source.tables = [\"public.accounts\", \"public.history\"]",
    "source.tables = [\"public.tellers\", \"public.branches\"]",
];

/// As pgbench has them, at scale 10.
const TABLES: &str = "
    create table accounts (aid int primary key, bid int, abalance int, filler char(84));
    create table tellers (tid int primary key, bid int, tbalance int, filler char(84));
    create table branches (bid int primary key, bbalance int, filler char(88));
    create table history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    insert into accounts select n, n % 10, 0, '' from generate_series(1, 100000) n;
    insert into tellers select n, n % 10, 0, '' from generate_series(1, 100) n;
    insert into branches select n, 0, '' from generate_series(1, 10) n;
    create procedure work(transactions int) language plpgsql as $$
    begin
        for n in 1..transactions loop
            update accounts set abalance = abalance + n % 1000 where aid = 1 + n * 7919 % 100000;
            update tellers set tbalance = tbalance + n % 1000 where tid = 1 + n % 100;
            update branches set bbalance = bbalance + n % 1000 where bid = 1 + n % 10;
            insert into history values (1 + n % 100, 1 + n % 10, 1 + n * 7919 % 100000, n % 1000, now());
            commit;
        end loop;
    end $$";

const CROWD: u32 = 6;
const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);
const LONGEST: Duration = Duration::from_secs(900);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
