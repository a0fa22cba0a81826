//! I1: the first snapshot of one table, over one connection. The clock runs from the moment the server sends the rows until all of
//! them are durable in Kafka. Beside it the server's own `COPY` to /dev/null, which is what reading costs alone.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;
use crate::backlog::PUBLICATION;
use crate::contender::{Contender as _, Job};
use crate::cost::{Cost, Watched};
use crate::debezium::Debezium;
use crate::drain::{float, mebibytes};
use crate::ends::Ends;
use crate::equality::Counted;
use crate::ground::Ground;
use crate::headwater::Headwater;
use crate::rows::{thousands, whole};
use crate::support::{DEADLINE, Db, unique, wait_for, wait_until};
use crate::topics;
use crate::workload::Kind;

/// One snapshot in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) contender: String,
    pub(crate) settings: String,
    pub(crate) rows: u32,
    /// From the start of the process until the server sent rows to it.
    pub(crate) start_seconds: f64,
    /// From then until all rows were durable in Kafka.
    pub(crate) seconds: f64,
    /// Of the contender, from its birth.
    pub(crate) process: Cost,
    /// Of the server's process that read the table.
    pub(crate) backend: Cost,
    pub(crate) broker: Cost,
}

/// Who reads.
pub(crate) enum Reader {
    /// The server alone.
    Copy,
    Headwater(Headwater),
    Debezium(Debezium),
}

/// The table that all read.
pub(crate) struct Table {
    db: Db,
    rows: u32,
}

impl Table {
    /// W2's rows, read once so that nobody is the first.
    pub(crate) fn prepare(ground: &Ground, arguments: &Arguments) -> Result<Self> {
        let db = ground.postgres.database("snapshot");
        Kind::OneInsert.create_tables(ground, &db)?;
        let (rows, insert) = arguments.size(Kind::OneInsert).of_one_insert();
        db.exec(&insert);
        db.exec(&format!("create publication {PUBLICATION} for tables in schema public"));
        db.exec("vacuum analyze");
        db.exec(COPY);
        Ok(Self { db, rows })
    }
}

/// Has `reader` take the snapshot, and counts the rows that it wrote.
pub(crate) fn measure(ground: &Ground, table: &Table, reader: &Reader) -> Result<Snapshot> {
    let prefix = unique("snapshot");
    let job = Job { database: table.db.name(), slot: &prefix, prefix: &prefix, backlog: None };
    let mut broker = Watched::from_now(ground.kafka.id());
    let mut one = match reader {
        Reader::Copy => copy(table)?,
        Reader::Headwater(headwater) => {
            let born = Instant::now();
            let mut daemon = headwater.builder(ground, &job).set("snapshot.mode", "only").spawn();
            let mut ended = None;
            let one = watch(table, reader, daemon.id(), born, || {
                ended = daemon.exit_status();
                Ok(ended.is_some())
            })?;
            ensure!(ended.is_some_and(|status| status.success()), "headwater failed:\n{}", daemon.log());
            one
        }
        Reader::Debezium(debezium) => {
            let born = Instant::now();
            let mut ends = Ends::new(&ground.kafka, &prefix)?;
            let running = debezium.start(ground, &job)?;
            let one =
                watch(table, reader, running.id(), born, || Ok(ends.records()? >= u64::from(table.rows)))?;
            running.finish(&mut Counted::default())?;
            one
        }
    };
    broker.look();
    one.broker = broker.cost();
    if !matches!(reader, Reader::Copy) {
        let mut counted = Counted::default();
        topics::count_and_delete(&ground.kafka, &prefix, &mut counted)?;
        let (found, rows) = (counted.change_records, u64::from(table.rows));
        ensure!(found == Some(rows), "{found:?} records of {rows} rows");
        drop_slots(&table.db);
    }
    Ok(one)
}

fn copy(table: &Table) -> Result<Snapshot> {
    let session = table.db.connect();
    let mut backend = Watched::from_birth(session.value("select pg_backend_pid()").parse()?);
    let begun = Instant::now();
    session.exec(COPY);
    let seconds = begun.elapsed().as_secs_f64();
    backend.look();
    let (backend, none) = (backend.cost(), Cost::default());
    Ok(Snapshot {
        contender: Reader::Copy.name(),
        settings: Reader::Copy.settings(),
        rows: table.rows,
        start_seconds: 0.0,
        seconds,
        process: none,
        backend,
        broker: none,
    })
}

/// Looks at a process that was born then until all is durable.
fn watch(
    table: &Table,
    reader: &Reader,
    id: u32,
    born: Instant,
    mut is_done: impl FnMut() -> Result<bool>,
) -> Result<Snapshot> {
    let mut process = Watched::from_birth(id);
    let session = table.db.connect();
    let backend =
        wait_for(DEADLINE, "reading of the table", || session.query(READING).pop()?.pop()??.parse().ok());
    let reading = Instant::now();
    let mut backend = Watched::from_birth(backend);
    while !is_done()? {
        ensure!(reading.elapsed() < LONGEST, "{} is not through after {LONGEST:?}", reader.name());
        thread::sleep(BETWEEN_LOOKS);
        process.look();
        backend.look();
    }
    let seconds = reading.elapsed().as_secs_f64();
    Ok(Snapshot {
        contender: reader.name(),
        settings: reader.settings(),
        rows: table.rows,
        start_seconds: (reading - born).as_secs_f64(),
        seconds,
        process: process.cost(),
        backend: backend.cost(),
        broker: Cost::default(),
    })
}

/// A snapshot may leave a slot behind, for a stream that is not wanted here.
fn drop_slots(db: &Db) {
    let left = "select count(*) from pg_replication_slots where database = current_database() and active";
    wait_until(DEADLINE, "end of the walsender", || db.value(left) == "0");
    db.exec("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()");
}

impl Reader {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Copy => "COPY to /dev/null by the server".to_owned(),
            Self::Headwater(headwater) => headwater.name(),
            Self::Debezium(debezium) => debezium.name(),
        }
    }

    fn settings(&self) -> String {
        match self {
            Self::Copy => COPY.to_owned(),
            Self::Headwater(headwater) => format!("snapshot.mode = \"only\", {}", headwater.settings()),
            Self::Debezium(debezium) => debezium.settings(),
        }
    }
}

impl Snapshot {
    pub(crate) fn rows_per_second(&self) -> f64 {
        float(self.rows.into()) / self.seconds
    }

    /// CPU time of the contender for one row, its start included.
    pub(crate) fn micros_per_row(&self) -> f64 {
        self.process.cpu_seconds() * 1e6 / float(self.rows.into())
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} rows in {:.2} s, {} rows/s (start {:.2} s); CPU s: {:.2}, backend {:.2}, broker {:.2}; peak {:.1} MiB",
            self.contender,
            thousands(self.rows.into()),
            self.seconds,
            whole(self.rows_per_second()),
            self.start_seconds,
            self.process.cpu_seconds(),
            self.backend.cpu_seconds(),
            self.broker.cpu_seconds(),
            mebibytes(self.process.peak_rss_bytes)
        )
    }
}

const COPY: &str = "copy wide to '/dev/null'";
/// Whoever reads the table's rows by now.
const READING: &str =
    "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    and state <> 'idle' and query ~* '^(copy|select).*\"wide\"'";
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1800);
