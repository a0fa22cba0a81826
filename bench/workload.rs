//! What is written into the database before anybody reads: the workloads W1, W2, W4, W5 and W6. Sizes are
//! those of docs/benchmarks.md, or a tenth or less.

use std::fmt;

use anyhow::Result;

use crate::ground::Ground;
use crate::programs;
use crate::support::Db;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Workload {
    /// How fast a backlog is drained.
    Backlog(Kind),
    /// How long after its COMMIT a large transaction is published.
    InProgress,
    /// What starting and having nothing to do costs.
    Standby,
    /// How fast a table is read for the first time.
    Snapshot,
    /// How late single rows arrive on a live stream.
    Latency { per_second: u32 },
}

/// The backlogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// W1: transactions of pgbench, three updates and an insert each.
    Pgbench,
    /// W2: one INSERT of many rows of ten columns.
    OneInsert,
    /// W4: updates of rows with values in TOAST, with the whole old row in the log.
    Toasted,
    /// W5: transactions of four inserts each, spread over 500 tables.
    ManyTables,
    /// W6: W2's INSERT, ten times as long.
    HugeInsert,
}

/// How much of a workload is written: one part of this many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) divisor: u32,
}

impl Kind {
    /// Name in docs and reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pgbench => "W1",
            Self::OneInsert => "W2",
            Self::Toasted => "W4",
            Self::ManyTables => "W5",
            Self::HugeInsert => "W6",
        }
    }

    /// For a look instead of a measurement.
    pub(crate) const fn quick_divisor(self) -> u32 {
        match self {
            Self::Pgbench | Self::OneInsert | Self::Toasted => 10,
            Self::ManyTables => 40,
            Self::HugeInsert => 100,
        }
    }

    /// Tables, and rows that nobody captures.
    pub(crate) fn create_tables(self, ground: &Ground, db: &Db) -> Result<()> {
        match self {
            Self::Pgbench => {
                let mut init = programs::pgbench(ground, db)?;
                init.args(["--initialize", "--quiet", "--scale", PGBENCH_SCALE]);
                programs::run(init)
            }
            Self::OneInsert | Self::HugeInsert => {
                db.exec(WIDE_TABLE);
                Ok(())
            }
            Self::Toasted => {
                db.exec(DOCUMENTS_TABLE);
                db.exec(&format!(
                    "insert into documents select g, 0, 'document ' || g, {}, {} from generate_series(1, {DOCUMENTS}) g",
                    long_text("g"),
                    long_text("-g")
                ));
                Ok(())
            }
            Self::ManyTables => {
                db.exec(&format!(
                    "do $$ begin for i in 0..{} loop execute format('create table t_%s
                     (id bigint primary key, amount int, note text, at timestamptz)', i); end loop; end $$",
                    TABLES - 1
                ));
                Ok(())
            }
        }
    }

    /// The changes.
    pub(crate) fn write(self, ground: &Ground, db: &Db, Size { divisor }: Size) -> Result<()> {
        match self {
            Self::Pgbench => {
                let mut load = programs::pgbench(ground, db)?;
                let each = PGBENCH_TRANSACTIONS / divisor / PGBENCH_CLIENTS;
                load.args(["--no-vacuum", "--protocol", "prepared", "--random-seed", "1"]);
                load.args(["--client", &PGBENCH_CLIENTS.to_string(), "--jobs", &PGBENCH_CLIENTS.to_string()]);
                load.args(["--transactions", &each.to_string()]);
                programs::run(load)
            }
            Self::OneInsert => {
                db.exec(&wide_insert(ROWS / divisor));
                Ok(())
            }
            Self::HugeInsert => {
                db.exec(&wide_insert(HUGE_ROWS / divisor));
                Ok(())
            }
            Self::Toasted => {
                // Five rows a transaction; every fourth transaction writes new bodies, the others leave them in TOAST.
                db.exec(&format!(
                    "do $$ declare first int; begin for i in 1..{} loop
                     first := (i * 5) % {DOCUMENTS} + 1;
                     if i % 4 = 0 then update documents set version = version + 1, body = {}
                         where id between first and first + 4;
                     else update documents set version = version + 1, title = 'document ' || i
                         where id between first and first + 4;
                     end if; commit; end loop; end $$",
                    TOASTED_TRANSACTIONS / divisor,
                    long_text("id + i"),
                ));
                Ok(())
            }
            Self::ManyTables => {
                db.exec(&format!(
                    "do $$ begin for i in 1..{} loop for j in 0..3 loop
                     execute format('insert into t_%s values ($1, $2, $3, now())', (i * 7919 + j * 131) % {TABLES})
                     using i * 4 + j, i % 1000, 'note ' || i; end loop; commit; end loop; end $$",
                    MANY_TABLES_TRANSACTIONS / divisor
                ));
                Ok(())
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Size {
    /// Rows of W2, and the statement that inserts them.
    pub(crate) fn of_one_insert(self) -> (u32, String) {
        let rows = ROWS / self.divisor;
        (rows, wide_insert(rows))
    }
}

fn wide_insert(rows: u32) -> String {
    format!("{WIDE_ROWS} from generate_series(1, {rows}) g")
}

/// An expression of 2,560 characters that do not compress, more than a row keeps in its page.
fn long_text(seed: &str) -> String {
    format!("(select string_agg(md5(n::text || '/' || ({seed})::text), '') from generate_series(1, 80) n)")
}

const PGBENCH_SCALE: &str = "10";
const PGBENCH_TRANSACTIONS: u32 = 200_000;
const PGBENCH_CLIENTS: u32 = 2;
const ROWS: u32 = 1_000_000;
const HUGE_ROWS: u32 = 10_000_000;
const DOCUMENTS: u32 = 10_000;
const TOASTED_TRANSACTIONS: u32 = 20_000;
const TABLES: u32 = 500;
const MANY_TABLES_TRANSACTIONS: u32 = 200_000;
const DOCUMENTS_TABLE: &str = "create table documents (id bigint primary key, version int not null, title text,
    body text, attachment text);
    alter table documents replica identity full, alter body set storage external, alter attachment set storage external";
const WIDE_TABLE: &str =
    "create table wide (id bigint primary key, customer int, quantity smallint, price numeric(12,2),
    placed timestamptz, shipped date, status text, note text, paid boolean, weight double precision)";
const WIDE_ROWS: &str = "insert into wide select g, g % 10007, g % 13, (g % 100000) / 100.0,
    timestamptz '2024-01-01 00:00:00+00' + g * interval '1 second', date '2024-01-01' + g % 365,
    'status ' || g % 7, md5(g::text), g % 2 = 0, g / 3.0";
