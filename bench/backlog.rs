//! A database with a backlog, and copies of one slot that was made before it.

use anyhow::{Context as _, Result};
use headwater::lsn::Lsn;

use crate::arguments::Arguments;
use crate::equality::Truth;
use crate::ground::Ground;
use crate::support::{Db, unique};
use crate::workload::Kind;

/// What the contenders drain. Its end drops the database with its slots.
pub(crate) struct Backlog {
    pub(crate) db: Db,
    pub(crate) kind: Kind,
    /// What is in it, as the server itself counts.
    pub(crate) truth: Truth,
    prefix: String,
    warm_up_slots: Vec<String>,
}

impl Backlog {
    pub(crate) fn prepare(
        ground: &Ground,
        kind: Kind,
        arguments: &Arguments,
        contenders: usize,
    ) -> Result<Self> {
        let db = ground.postgres.database("bench");
        let size = arguments.size(kind);
        kind.create_tables(ground, &db)?;
        db.exec(&format!("create publication {PUBLICATION} for tables in schema public"));
        let prefix = unique("backlog");
        db.exec(&format!("select pg_create_logical_replication_slot('{prefix}', 'pgoutput')"));
        let warm_up_slots: Vec<String> =
            (0..arguments.warm_ups(kind)).map(|number| format!("{prefix}_warm_up_{number}")).collect();
        let turns =
            (0..arguments.rounds()).flat_map(|round| (0..contenders).map(move |index| (round, index)));
        let copies = turns.map(|(round, index)| slot_name(&prefix, round, index));
        for copy in copies.chain(warm_up_slots.iter().cloned()) {
            db.exec(&format!("select pg_copy_logical_replication_slot('{prefix}', '{copy}')"));
        }
        kind.write(ground, &db, size)?;
        db.exec("checkpoint");
        let truth = truth(&db, &prefix)?;
        Ok(Self { db, kind, truth, prefix, warm_up_slots })
    }

    /// The copies for runs that do not count.
    pub(crate) fn warm_up_slots(&self) -> &[String] {
        &self.warm_up_slots
    }

    /// The copy that belongs to one contender in one round.
    pub(crate) fn slot(&self, round: usize, index: usize) -> String {
        slot_name(&self.prefix, round, index)
    }
}

fn slot_name(prefix: &str, round: usize, index: usize) -> String {
    format!("{prefix}_{round}_{index}")
}

/// Counts the messages in the backlog by their kind, with the server's own decoding and without consuming them.
fn truth(db: &Db, slot: &str) -> Result<Truth> {
    let rows = db.query(&format!(
        "select chr(kind), count(*), sum(bytes), max(lsn) from (
             select lsn, get_byte(data, 0) as kind, length(data) as bytes from pg_logical_slot_peek_binary_changes(
                 '{slot}', null, null, 'proto_version', '1', 'publication_names', '{PUBLICATION}')) messages
         group by 1"
    ));
    let mut truth = Truth::default();
    for row in rows {
        let text = |index: usize| row.get(index).cloned().flatten().context("a value in each column");
        let (kind, count) = (text(0)?, text(1)?.parse()?);
        truth.bytes += text(2)?.parse::<u64>()?;
        match kind.as_str() {
            "I" => truth.inserts = count,
            "U" => truth.updates = count,
            "D" => truth.deletes = count,
            "C" => {
                truth.transactions = count;
                truth.end_lsn = text(3)?.parse::<Lsn>()?;
            }
            _ => {}
        }
    }
    Ok(truth)
}

/// Of every table, made before the slots.
pub(crate) const PUBLICATION: &str = "bench";
