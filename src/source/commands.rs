//! The replication commands that ask for something before the stream begins
//! (<https://www.postgresql.org/docs/current/protocol-replication.html>), in the grammar of each version.

use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::lsn::Lsn;

use super::connection::{Connection, protocol};
use super::quote::identifier;
use super::version::ServerVersion;

/// The answer to `IDENTIFY_SYSTEM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Unique to the cluster, the same on its standbys.
    pub system_id: u64,
    pub timeline: u32,
    /// The end of the log that is flushed to disk.
    pub flushed: Lsn,
    pub database: Option<String>,
}

/// What becomes of the snapshot that a new slot begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlotSnapshot {
    /// It is dropped.
    #[default]
    Nothing,
    /// Other sessions can use it by name for as long as this connection runs no other command.
    Export,
}

/// A slot to be.
#[derive(Clone, Copy, Debug)]
pub struct NewSlot<'a> {
    pub name: &'a str,
    pub snapshot: SlotSnapshot,
    /// Decode PREPARE TRANSACTION; from 15.
    pub two_phase: bool,
    /// Synchronised to standbys; from 17.
    pub failover: bool,
}

/// The answer to `CREATE_REPLICATION_SLOT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedSlot {
    /// The slot streams what commits after this.
    pub consistent_point: Lsn,
    /// For `SET TRANSACTION SNAPSHOT`; with [`SlotSnapshot::Export`].
    pub snapshot_name: Option<String>,
}

impl Connection {
    /// `IDENTIFY_SYSTEM`.
    pub fn identify_system(&mut self) -> Result<Identity> {
        let rows =
            self.query("IDENTIFY_SYSTEM", self.patience).map_err(|error| error.context("identify system"))?;
        let [system_id, timeline, flushed, database] = first_row(rows, "IDENTIFY_SYSTEM")?;
        let field = |value: Option<String>| value.unwrap_or_default();
        let bad = |value: &str| protocol(format!("IDENTIFY_SYSTEM gave {value:?}"));
        let (system_id, timeline, flushed) = (field(system_id), field(timeline), field(flushed));
        Ok(Identity {
            system_id: system_id.parse().map_err(|_| bad(&system_id))?,
            timeline: timeline.parse().map_err(|_| bad(&timeline))?,
            flushed: flushed.parse().map_err(|_| bad(&flushed))?,
            database,
        })
    }

    /// `CREATE_REPLICATION_SLOT … LOGICAL pgoutput`. The server waits for the transactions that are in progress to
    /// end, so give it patience.
    pub fn create_slot(&mut self, slot: &NewSlot<'_>, patience: Duration) -> Result<CreatedSlot> {
        let command = create_slot_command(slot, self.version())?;
        let rows =
            self.query(&command, patience).map_err(|error| error.context("create replication slot"))?;
        let [_name, point, snapshot_name, _plugin] = first_row(rows, "CREATE_REPLICATION_SLOT")?;
        let point = point.unwrap_or_default();
        let consistent_point =
            point.parse().map_err(|_| protocol(format!("CREATE_REPLICATION_SLOT gave {point:?}")))?;
        Ok(CreatedSlot { consistent_point, snapshot_name })
    }
}

fn create_slot_command(slot: &NewSlot<'_>, version: ServerVersion) -> Result<String> {
    let too_old = |what: &str, since: u32| {
        let detail = format!("{what} slots need PostgreSQL {since}; the server is {version}");
        Err(Error::new(Kind::SourceSettings, detail))
    };
    if slot.two_phase && !version.at_least(15) {
        return too_old("two-phase", 15);
    }
    if slot.failover && !version.at_least(17) {
        return too_old("failover", 17);
    }
    let name = identifier(slot.name);
    if !version.at_least(15) {
        let snapshot = match slot.snapshot {
            SlotSnapshot::Nothing => "NOEXPORT_SNAPSHOT",
            SlotSnapshot::Export => "EXPORT_SNAPSHOT",
        };
        return Ok(format!("CREATE_REPLICATION_SLOT {name} LOGICAL pgoutput {snapshot}"));
    }
    let mut options = match slot.snapshot {
        SlotSnapshot::Nothing => "SNAPSHOT 'nothing'".to_owned(),
        SlotSnapshot::Export => "SNAPSHOT 'export'".to_owned(),
    };
    if slot.two_phase {
        options.push_str(", TWO_PHASE true");
    }
    if slot.failover {
        options.push_str(", FAILOVER true");
    }
    Ok(format!("CREATE_REPLICATION_SLOT {name} LOGICAL pgoutput ({options})"))
}

fn first_row<const N: usize>(rows: Vec<Vec<Option<String>>>, command: &str) -> Result<[Option<String>; N]> {
    let row = rows.into_iter().next().unwrap_or_default();
    let columns = row.len();
    row.try_into().map_err(|_| protocol(format!("{command} gave {columns} columns instead of {N}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: NewSlot<'_> =
        NewSlot { name: "shop", snapshot: SlotSnapshot::Nothing, two_phase: false, failover: false };

    #[test]
    fn speaks_the_grammar_of_each_version() {
        for (version, slot, expected) in [
            (100_000, SLOT, "CREATE_REPLICATION_SLOT \"shop\" LOGICAL pgoutput NOEXPORT_SNAPSHOT"),
            (
                140_000,
                NewSlot { snapshot: SlotSnapshot::Export, ..SLOT },
                "CREATE_REPLICATION_SLOT \"shop\" LOGICAL pgoutput EXPORT_SNAPSHOT",
            ),
            (150_000, SLOT, "CREATE_REPLICATION_SLOT \"shop\" LOGICAL pgoutput (SNAPSHOT 'nothing')"),
            (
                170_000,
                NewSlot { two_phase: true, failover: true, ..SLOT },
                "CREATE_REPLICATION_SLOT \"shop\" LOGICAL pgoutput (SNAPSHOT 'nothing', TWO_PHASE true, FAILOVER true)",
            ),
        ] {
            assert_eq!(create_slot_command(&slot, ServerVersion(version)).unwrap(), expected);
        }
    }

    #[test]
    fn refuses_what_the_version_lacks() {
        for (version, slot) in
            [(140_000, NewSlot { two_phase: true, ..SLOT }), (160_000, NewSlot { failover: true, ..SLOT })]
        {
            let error = create_slot_command(&slot, ServerVersion(version)).unwrap_err();
            assert_eq!(error.kind(), Kind::SourceSettings);
        }
    }
}
