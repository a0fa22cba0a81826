//! P1: how long after its COMMIT a large transaction is published, with its rows streamed into the spool while it was in
//! progress and without. The clock runs from the answer to COMMIT until all of it is durable in Kafka
//! (`headwater_transactions_published_total`).

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::backlog::PUBLICATION;
use crate::contender::{Contender as _, Job};
use crate::cost::{Cost, Watched};
use crate::drain::{mebibytes, streaming_to};
use crate::equality::Counted;
use crate::ground::Ground;
use crate::headwater::Headwater;
use crate::support::{Db, unique, wait_until};
use crate::topics;
use crate::workload::{Kind, Size};

/// One transaction in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InProgress {
    pub(crate) contender: String,
    pub(crate) way: Way,
    pub(crate) rows: u32,
    /// From the answer to COMMIT until all of it was durable in Kafka.
    pub(crate) seconds: f64,
    /// Of the daemon in that time, with the peak of its whole life.
    pub(crate) process: Cost,
    pub(crate) walsender: Cost,
    pub(crate) broker: Cost,
}

/// How the transaction comes to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    /// Into the spool, while it is in progress.
    pub(crate) streamed: bool,
    /// COMMIT comes when the server has read all rows from its log, as after a long transaction; otherwise right behind them.
    pub(crate) late_commit: bool,
}

impl Way {
    /// All of them, the plain one first.
    pub(crate) const ALL: [Self; 4] = [
        Self { streamed: false, late_commit: true },
        Self { streamed: true, late_commit: true },
        Self { streamed: false, late_commit: false },
        Self { streamed: true, late_commit: false },
    ];
}

/// Runs `headwater` on a database of its own.
pub(crate) fn measure(ground: &Ground, headwater: &Headwater, way: Way, size: Size) -> Result<InProgress> {
    let db = ground.postgres.database("in_progress");
    Kind::OneInsert.create_tables(ground, &db)?;
    db.exec(&format!("create publication {PUBLICATION} for tables in schema public"));
    let name = unique("in_progress");
    db.exec(&format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')"));
    let job = Job { database: db.name(), slot: &name, prefix: &name, backlog: None };
    let mut builder = headwater.builder(ground, &job);
    if way.streamed {
        builder = builder.set("limits.spool_dir", ".").set("limits.spool", "4GiB");
    }
    let mut daemon = builder.start();
    let mut whole_life = Watched::from_birth(daemon.id());
    let walsender = streaming_to(&db, &name);
    let session = db.connect();
    session.exec("begin");
    let (rows, insert) = size.of_one_insert();
    session.exec(&insert);
    if way.late_commit {
        await_read(&db, &name);
    }
    let mut after = [daemon.id(), walsender, ground.kafka.id()].map(Watched::from_now);
    session.exec("commit");
    let committed = Instant::now();
    while daemon.metrics().get("headwater_transactions_published_total", &[]) < Some(1.0) {
        ensure!(committed.elapsed() < LONGEST, "not published after {LONGEST:?}");
        thread::sleep(BETWEEN_LOOKS);
    }
    let seconds = committed.elapsed().as_secs_f64();
    for watched in after.iter_mut().chain([&mut whole_life]) {
        watched.look();
    }
    let [process, walsender, broker] = after.map(|watched| watched.cost());
    let events = daemon.metrics().get("headwater_events_total", &[]);
    ensure!(events == Some(f64::from(rows)), "{events:?} events of {rows} rows");
    ensure!(daemon.terminate().success(), "headwater failed:\n{}", daemon.log());
    topics::count_and_delete(&ground.kafka, &name, &mut Counted::default())?;
    db.exec(&format!("select pg_drop_replication_slot('{name}')"));
    let peak_rss_bytes = whole_life.cost().peak_rss_bytes;
    let process = Cost { peak_rss_bytes, ..process };
    Ok(InProgress { contender: headwater.name(), way, rows, seconds, process, walsender, broker })
}

/// Waits until the server has decoded what is in the log.
fn await_read(db: &Db, slot: &str) {
    let now = db.current_lsn();
    let sql = format!(
        "select sent_lsn >= '{now}' from pg_stat_replication r join pg_replication_slots s on s.active_pid = r.pid
         where s.slot_name = '{slot}'"
    );
    wait_until(LONGEST, "reading of the log", || db.value(&sql) == "t");
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.streamed { "streamed into the spool" } else { "sent at its COMMIT" })?;
        f.write_str(if self.late_commit {
            ", COMMIT after the server has read the rows"
        } else {
            ", COMMIT at once"
        })
    }
}

impl fmt::Display for InProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}: {:.2} s after COMMIT; CPU s in them: {:.2}, walsender {:.2}, broker {:.2}; peak {:.1} MiB",
            self.contender,
            self.way,
            self.seconds,
            self.process.cpu_seconds(),
            self.walsender.cpu_seconds(),
            self.broker.cpu_seconds(),
            mebibytes(self.process.peak_rss_bytes)
        )
    }
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(600);
