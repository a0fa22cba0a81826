//! What is promised, while things break: the daemon, the brokers, the database and the network between them, on real
//! servers. Every test ends in `verify`, which holds what readers got against what the database was told.

mod crash;
mod fencing;
mod idle;
mod kafka_outage;
mod postgres_restart;
mod spool;
mod stop;
mod verify;
mod workload;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::support::daemon::Builder;
use crate::support::metrics::Metrics;
use crate::support::{Consumer, DEADLINE, Daemon, Db, Kafka, Postgres, wait_until};

/// Lines of the log that a broken session is meant to give.
const FAILURES: [&str; 3] = ["session failed", "no Kafka broker is reachable", "unhealthy: work is waiting"];

/// A daemon from `db` to `kafka` that reports trouble as a warning and tries again soon.
fn daemon(db: &Db, kafka: &Kafka) -> Builder {
    let builder = Daemon::builder(db, kafka)
        .set("source.exclude_tables", vec!["public.truth"])
        .set("topics.partitions", 3)
        .set("admin.stall_timeout", "3s");
    FAILURES.iter().fold(builder, |builder, line| builder.allow_log(line))
}

fn slot(db: &Db) -> String {
    format!("headwater_{}", db.name())
}

/// Reads what a user of the topics gets, and nothing of the checkpoints.
fn reader(db: &Db, kafka: &Kafka) -> Consumer {
    kafka.consumer(&format!("{}.", db.name()))
}

/// Random numbers that can be had again: the seed is printed, and `HEADWATER_TEST_SEED` sets it.
fn seeded(test: &str) -> StdRng {
    let seed = match std::env::var("HEADWATER_TEST_SEED") {
        Ok(seed) => seed.parse().expect("HEADWATER_TEST_SEED is a number"),
        Err(_) => rand::rng().random(),
    };
    println!("{test}: HEADWATER_TEST_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// The broker that tests of this module may break, one at a time.
fn broker() -> MutexGuard<'static, Kafka> {
    static BROKER: LazyLock<Mutex<Kafka>> = LazyLock::new(|| Mutex::new(Kafka::start()));
    BROKER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The database server that tests of this module may break, one at a time.
fn server() -> MutexGuard<'static, Postgres> {
    static SERVER: LazyLock<Mutex<Postgres>> = LazyLock::new(|| Mutex::new(Postgres::start(18, &[])));
    SERVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A counter of the running process; 0 while it is not there.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are small whole numbers"
)]
fn counter(daemon: &Daemon, name: &str) -> u64 {
    let page = daemon.get("/metrics").ok();
    page.and_then(|page| Metrics::parse(&page.body).get(name, &[])).unwrap_or(0.0) as u64
}

/// Sessions that failed and were started again.
fn restarts(daemon: &Daemon) -> u64 {
    counter(daemon, "headwater_restarts_total")
}

/// Waits until so many events were handed over since the start of the process.
#[track_caller]
fn await_events(daemon: &Daemon, count: u64) {
    wait_until(DEADLINE, &format!("{count} events"), || events(daemon) >= count);
}

/// Events handed over since the start of the process.
fn events(daemon: &Daemon) -> u64 {
    counter(daemon, "headwater_events_total")
}

/// Lets `time` pass. What breaks is broken for a while; there is no condition to wait for.
fn pass(time: Duration) {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(time);
    drop(sender);
}
