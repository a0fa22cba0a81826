//! S1: what a daemon costs that has nothing to do. How long it takes to stream with 1,000 captured tables, the first time, when
//! it creates topics, slot and checkpoint, and again; then its CPU time while nothing changes.

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
use crate::support::unique;
use crate::topics;

/// One daemon in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Standby {
    pub(crate) contender: String,
    pub(crate) settings: String,
    pub(crate) tables: u32,
    /// From the start of the process until the server streamed to it, for the first time.
    pub(crate) first_start_seconds: f64,
    /// And when everything is there.
    pub(crate) start_seconds: f64,
    pub(crate) idle_seconds: f64,
    /// While nothing changed.
    pub(crate) idle: Cost,
}

/// Runs `headwater` on a database of its own.
pub(crate) fn measure(ground: &Ground, headwater: &Headwater, quick: bool) -> Result<Standby> {
    let tables = if quick { TABLES / 10 } else { TABLES };
    let idle_for = if quick { IDLE / 4 } else { IDLE };
    let db = ground.postgres.database("standby");
    db.exec(&format!(
        "do $$ begin for i in 1..{tables} loop
         execute format('create table t_%s (id bigint primary key, amount int, note text, at timestamptz)', i);
         if i % 100 = 0 then commit; end if; end loop; end $$"
    ));
    db.exec(&format!("create publication {PUBLICATION} for tables in schema public"));
    let name = unique("standby");
    db.exec(&format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')"));
    let job = Job { database: db.name(), slot: &name, prefix: &name, backlog: None };
    let timed = || {
        let born = Instant::now();
        let daemon = headwater.builder(ground, &job).spawn();
        streaming_to(&db, &name);
        (daemon, born.elapsed().as_secs_f64())
    };
    let (mut first, first_start_seconds) = timed();
    ensure!(first.terminate().success(), "headwater failed:\n{}", first.log());
    let (mut daemon, start_seconds) = timed();
    thread::sleep(SETTLE);
    let (mut watched, begun) = (Watched::from_now(daemon.id()), Instant::now());
    thread::sleep(idle_for);
    watched.look();
    let idle_seconds = begun.elapsed().as_secs_f64();
    ensure!(daemon.terminate().success(), "headwater failed:\n{}", daemon.log());
    topics::count_and_delete(&ground.kafka, &name, &mut Counted::default())?;
    db.exec(&format!("select pg_drop_replication_slot('{name}')"));
    Ok(Standby {
        contender: headwater.name(),
        settings: headwater.settings(),
        tables,
        first_start_seconds,
        start_seconds,
        idle_seconds,
        idle: watched.cost(),
    })
}

impl Standby {
    /// Percent of one core.
    pub(crate) fn idle_percent(&self) -> f64 {
        self.idle.cpu_seconds() / self.idle_seconds * 100.0
    }
}

impl fmt::Display for Standby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} tables; streaming after {:.2} s the first time, then after {:.2} s; idle {:.2} % of a core; resident {:.1} MiB",
            self.contender,
            self.tables,
            self.first_start_seconds,
            self.start_seconds,
            self.idle_percent(),
            mebibytes(self.idle.peak_rss_bytes)
        )
    }
}

const TABLES: u32 = 1000;
/// After the start.
const SETTLE: Duration = Duration::from_secs(2);
const IDLE: Duration = Duration::from_secs(60);
