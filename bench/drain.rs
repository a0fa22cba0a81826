//! One contender drains one copy of the slot, with the clock running from the moment the server streams to it until
//! everything up to the last commit is where it belongs.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::backlog::Backlog;
use crate::contender::{Contender, Job};
use crate::cost::{Cost, Watched, machine_cpu_seconds};
use crate::equality::Counted;
use crate::ground::Ground;
use crate::rows::whole;
use crate::support::{DEADLINE, Db, unique, wait_for, wait_until};
use crate::topics;

/// What one contender took in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) workload: String,
    /// Counted from 1.
    pub(crate) round: usize,
    pub(crate) contender: String,
    pub(crate) settings: String,
    pub(crate) changes: u64,
    /// From the start of the process until the server streamed to it.
    pub(crate) start_seconds: f64,
    /// CPU time of the contender in that time.
    pub(crate) start_cpu_seconds: f64,
    /// From then until everything was durable in Kafka.
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
    round: usize,
    slot: &str,
) -> Result<Measured> {
    let prefix = unique("bench");
    let job = Job { database: backlog.db.name(), slot, prefix: &prefix, backlog: Some(&backlog.truth) };
    let mut broker = Watched::from_now(ground.kafka.id());
    let busy = machine_cpu_seconds();
    let born = Instant::now();
    let mut running = contender.start(ground, &job)?;
    let mut process = Watched::from_birth(running.id());
    let mut walsender = Watched::from_birth(streaming_to(&backlog.db, slot));
    let streaming = Instant::now();
    process.look();
    let start_cpu_seconds = process.cost().cpu_seconds();
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
    count_decoded(&backlog.db, slot, &mut counted)?;
    topics::count_and_delete(&ground.kafka, &prefix, &mut counted)?;
    backlog.truth.check(contender, &counted)?;
    let changes = backlog.truth.changes();
    Ok(Measured {
        workload: backlog.kind.name().to_owned(),
        round,
        contender: contender.name(),
        settings: contender.settings(),
        changes,
        start_seconds: (streaming - born).as_secs_f64(),
        start_cpu_seconds,
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
    /// CPU time of the contender itself for one change, without its start.
    pub(crate) fn micros_per_change(&self) -> f64 {
        (self.process.cpu_seconds() - self.start_cpu_seconds) * 1e6 / float(self.changes)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} changes/s in {:.2} s (start {:.2} s); CPU s: {:.2} after {:.2} to start, walsender {:.2} user + {:.2} system, broker {:.2}, \
             others {:.2}; peak {:.1} MiB",
            self.contender,
            whole(self.changes_per_second),
            self.seconds,
            self.start_seconds,
            self.process.cpu_seconds() - self.start_cpu_seconds,
            self.start_cpu_seconds,
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
pub(crate) fn streaming_to(db: &Db, slot: &str) -> u32 {
    let sql = format!("select active_pid from pg_replication_slots where slot_name = '{slot}'");
    wait_for(DEADLINE, "walsender", || {
        let pid = db.query(&sql).pop()?.pop()??;
        pid.parse().ok()
    })
}

/// What the server itself says that it decoded for the slot; a walsender reports it at its end at the latest.
pub(crate) fn count_decoded(db: &Db, slot: &str, counted: &mut Counted) -> Result<()> {
    let active = format!("select active from pg_replication_slots where slot_name = '{slot}'");
    wait_until(DEADLINE, "end of the walsender", || db.value(&active) == "f");
    let stats = |column: &str| -> Result<u64> {
        let sql = format!("select {column} from pg_stat_replication_slots where slot_name = '{slot}'");
        Ok(db.value(&sql).parse()?)
    };
    counted.decoded_transactions = stats("total_txns")?;
    counted.decoded_bytes = stats("total_bytes")?;
    db.exec(&format!("select pg_drop_replication_slot('{slot}')"));
    Ok(())
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1800);
