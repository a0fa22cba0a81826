//! One contender drains one copy of the slot, with the clock running from the moment the server streams to it until it
//! has acknowledged the last commit.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::backlog::Backlog;
use crate::contender::Contender;
use crate::cost::{Cost, Watched, machine_cpu_seconds};
use crate::equality::Counted;
use crate::ground::Ground;
use crate::rows::thousands;
use crate::support::{DEADLINE, wait_for, wait_until};

/// What one contender took in one round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) workload: &'static str,
    pub(crate) contender: String,
    pub(crate) settings: String,
    pub(crate) changes: u64,
    /// From the start of the process until the server streamed to it.
    pub(crate) start_seconds: f64,
    /// From then until the last commit was acknowledged.
    pub(crate) seconds: f64,
    pub(crate) changes_per_second: f64,
    /// Of the contender, from its birth.
    pub(crate) process: Cost,
    pub(crate) walsender: Cost,
    pub(crate) broker: Cost,
    /// Everybody else on the machine in that time: a measure of how far to believe the numbers.
    pub(crate) other_cpu_seconds: f64,
    pub(crate) counted: Counted,
}

/// Runs `contender` on `slot`, checks that it did all of the work, and drops the slot.
pub(crate) fn drain(
    ground: &Ground,
    backlog: &Backlog,
    contender: &dyn Contender,
    slot: &str,
) -> Result<Measured> {
    let mut broker = Watched::from_now(ground.kafka.id());
    let busy = machine_cpu_seconds();
    let born = Instant::now();
    let mut running = contender.start(ground, backlog, slot)?;
    let mut process = Watched::from_birth(running.id());
    let mut walsender = Watched::from_birth(streaming_to(backlog, slot));
    let streaming = Instant::now();
    let mut look = || {
        for watched in [&mut process, &mut walsender, &mut broker] {
            watched.look();
        }
    };
    look();
    while !running.is_done()? {
        ensure!(streaming.elapsed() < LONGEST, "{} is not through after {LONGEST:?}", contender.name());
        thread::sleep(BETWEEN_LOOKS);
        look();
    }
    let seconds = streaming.elapsed().as_secs_f64();
    look();
    let (process, walsender, broker) = (process.cost(), walsender.cost(), broker.cost());
    let known = process.cpu_seconds() + walsender.cpu_seconds() + broker.cpu_seconds();
    let other_cpu_seconds = (machine_cpu_seconds() - busy - known).max(0.0);
    let mut counted = Counted::default();
    running.finish(&mut counted)?;
    count_decoded(backlog, slot, &mut counted)?;
    let name = contender.name();
    backlog.truth.check(&name, &counted, contender.has_transaction_topic())?;
    let changes = backlog.truth.changes();
    Ok(Measured {
        workload: backlog.kind.name(),
        contender: name,
        settings: contender.settings(),
        changes,
        start_seconds: (streaming - born).as_secs_f64(),
        seconds,
        changes_per_second: float(changes) / seconds,
        process,
        walsender,
        broker,
        other_cpu_seconds,
        counted,
    })
}

impl Measured {
    /// CPU time of the contender itself for one change.
    pub(crate) fn micros_per_change(&self) -> f64 {
        self.process.cpu_seconds() * 1e6 / float(self.changes)
    }
}

impl fmt::Display for Measured {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive rate, for people")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} changes/s in {:.2} s (start {:.2} s); CPU s: {:.2}, walsender {:.2} user + {:.2} system, broker {:.2}, \
             others {:.2}; peak {:.1} MiB",
            self.contender,
            thousands(self.changes_per_second as u64),
            self.seconds,
            self.start_seconds,
            self.process.cpu_seconds(),
            self.walsender.user_seconds,
            self.walsender.system_seconds,
            self.broker.cpu_seconds(),
            self.other_cpu_seconds,
            mebibytes(self.process.peak_rss_bytes)
        )
    }
}

/// For people.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    float(bytes) / 1_048_576.0
}

#[allow(clippy::cast_precision_loss, reason = "counts and sizes are far below 2^53")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// Waits until the server streams a slot to somebody: the process that does.
fn streaming_to(backlog: &Backlog, slot: &str) -> u32 {
    let sql = format!("select active_pid from pg_replication_slots where slot_name = '{slot}'");
    wait_for(DEADLINE, "walsender", || {
        let pid = backlog.db.query(&sql).pop()?.pop()??;
        pid.parse().ok()
    })
}

/// What the server itself says that it decoded for the slot; a walsender reports it at its end at the latest.
fn count_decoded(backlog: &Backlog, slot: &str, counted: &mut Counted) -> Result<()> {
    let active = format!("select active from pg_replication_slots where slot_name = '{slot}'");
    wait_until(DEADLINE, "end of the walsender", || backlog.db.value(&active) == "f");
    let stats = |column: &str| -> Result<u64> {
        let sql = format!("select {column} from pg_stat_replication_slots where slot_name = '{slot}'");
        Ok(backlog.db.value(&sql).parse()?)
    };
    counted.decoded_transactions = stats("total_txns")?;
    counted.decoded_bytes = stats("total_bytes")?;
    backlog.db.exec(&format!("select pg_drop_replication_slot('{slot}')"));
    Ok(())
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(900);
