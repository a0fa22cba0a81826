//! Writes single-row transactions at a fixed rate. Each row carries the time it was due.
//!
//! One connection cannot commit thousands of rows a second without one waiting for the other, and tokio's timers tick in
//! milliseconds, which is as much as what is measured: so there are several connections, each on a thread of its own
//! that sleeps until the next of its rows is due. Commits are synchronous: with `synchronous_commit = off` the log is
//! flushed by the WAL writer every 200 ms, and a walsender sends nothing that is not flushed.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use tokio_postgres::NoTls;

use crate::support::Db;

/// What to write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) per_second: u32,
    /// Not measured: a Java machine compiles what it runs.
    pub(crate) warm_up_seconds: u32,
    pub(crate) seconds: u32,
}

/// What was written.
pub(crate) struct Written {
    /// From due to the answer to the commit, by row.
    pub(crate) late_micros: Vec<u64>,
}

/// One connection's share: every [`CONNECTIONS`]th row from `first`.
struct Share {
    stream: Stream,
    first: u32,
    start: Instant,
    start_micros: u64,
}

impl Stream {
    /// Rows in all, numbered from 0.
    pub(crate) const fn rows(&self) -> u32 {
        self.per_second * (self.warm_up_seconds + self.seconds)
    }

    /// Those of the warm-up, the first ones.
    pub(crate) const fn warm_up_rows(&self) -> u32 {
        self.per_second * self.warm_up_seconds
    }

    /// Writes them into the table `live` and returns when the last one is committed.
    pub(crate) fn write(self, db: &Db) -> Result<Written> {
        let start = Instant::now() + LEAD;
        let start_micros = now_micros() + u64::try_from(LEAD.as_micros())?;
        let shares: Vec<Vec<u64>> = thread::scope(|scope| {
            let share = |first| Share { stream: self, first, start, start_micros };
            let all: Vec<_> =
                (0..CONNECTIONS).map(|first| scope.spawn(move || share(first).write(db))).collect();
            all.into_iter()
                .map(|one| one.join().map_err(|_| anyhow!("a writer panicked"))?)
                .collect::<Result<_>>()
        })?;
        let late = |row: u32| shares[(row % CONNECTIONS) as usize].get((row / CONNECTIONS) as usize).copied();
        let late_micros = (0..self.rows()).map(|row| late(row).context("a row that was not written"));
        Ok(Written { late_micros: late_micros.collect::<Result<_>>()? })
    }
}

impl Share {
    fn write(&self, db: &Db) -> Result<Vec<u64>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (client, connection) = runtime.block_on(tokio_postgres::connect(&db.url(), NoTls))?;
        let connection = runtime.spawn(connection);
        let insert = runtime.block_on(async {
            client.batch_execute("set synchronous_commit = on").await?;
            client.prepare("insert into live values ($1, $2, 'a row of a live stream')").await
        })?;
        let mut late_micros = Vec::with_capacity((self.stream.rows() / CONNECTIONS) as usize + 1);
        for row in (self.first..self.stream.rows()).step_by(CONNECTIONS as usize) {
            let due = Duration::from_micros(u64::from(row) * 1_000_000 / u64::from(self.stream.per_second));
            thread::sleep((self.start + due).saturating_duration_since(Instant::now()));
            let due_us = self.start_micros + u64::try_from(due.as_micros())?;
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                [&i64::from(row), &i64::try_from(due_us)?];
            runtime.block_on(client.execute(&insert, &values))?;
            late_micros.push(now_micros().saturating_sub(due_us));
        }
        drop(client);
        runtime.block_on(connection)??;
        Ok(late_micros)
    }
}

/// Microseconds since 1970.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// More than are needed for 5,000 commits a second, so that one that is held up does not hold up the others.
const CONNECTIONS: u32 = 8;
/// Time to connect before the first row is due.
const LEAD: Duration = Duration::from_millis(500);
