//! The checkpoint itself, as it is stored: one JSON object per pipeline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::lsn::Lsn;

/// Everything that is durable up to here: every transaction whose commit record ends at or before `end_lsn` in whole,
/// and `ordinal` records of the transaction that commits at `partial_commit_lsn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// `system_identifier` of the cluster.
    pub system_id: u64,
    pub timeline: u32,
    /// Shared, so that a position can be told at every turn without an allocation.
    pub slot: Arc<str>,
    /// May be confirmed to the slot: nothing before it is needed again.
    pub end_lsn: Lsn,
    /// End of the commit record of the last transaction published, for `source.sequence`; none before the first.
    pub last_commit_end_lsn: Option<Lsn>,
    /// A transaction published in part.
    pub partial: Option<Partial>,
    /// A snapshot that nothing follows: it is under way, or nothing was to follow. Not a position to go on at.
    pub snapshot: Option<SnapshotProgress>,
}

/// How far a snapshot has come. An interrupted one starts over, so all but the first two are for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotProgress {
    /// All tables were read (`snapshot.mode = "only"`).
    pub completed: bool,
    /// The slot was made for this snapshot, so that nothing else needs it.
    pub owns_slot: bool,
    pub tables: u64,
    pub tables_read: u64,
    pub rows: u64,
}

/// How much of a transaction is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    pub commit_lsn: Lsn,
    /// Ordinals below this one are durable.
    pub ordinal: u64,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    system_id: String,
    timeline: u32,
    slot: String,
    commit_lsn: String,
    ordinal: u64,
    partial_commit_lsn: Option<String>,
    last_commit_lsn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotProgress>,
    ts_ms: i64,
}

const VERSION: u32 = 1;
/// With `snapshot`: a program that does not know it must not go on at such a position.
const VERSION_OF_SNAPSHOT: u32 = 2;

impl Position {
    /// The stored form; `ts_ms` is the time of writing, for people.
    #[must_use]
    pub fn to_json(&self, ts_ms: i64) -> Vec<u8> {
        let stored = Stored {
            version: if self.snapshot.is_some() { VERSION_OF_SNAPSHOT } else { VERSION },
            system_id: self.system_id.to_string(),
            timeline: self.timeline,
            slot: self.slot.to_string(),
            commit_lsn: self.end_lsn.to_string(),
            ordinal: self.partial.map_or(0, |partial| partial.ordinal),
            partial_commit_lsn: self.partial.map(|partial| partial.commit_lsn.to_string()),
            last_commit_lsn: self.last_commit_end_lsn.map(|lsn| lsn.to_string()),
            snapshot: self.snapshot,
            ts_ms,
        };
        // A struct of numbers and text always has a JSON form.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Kind::Checkpoint`] when it is not one, or of a version that this program does not know.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let bad = |why: String| Error::new(Kind::Checkpoint, why).context("read checkpoint");
        let stored: Stored = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
        if !(VERSION..=VERSION_OF_SNAPSHOT).contains(&stored.version) {
            let known = format!("only {VERSION} and {VERSION_OF_SNAPSHOT}");
            return Err(bad(format!("version {} is not known, {known}", stored.version)));
        }
        let lsn = |text: &str| text.parse::<Lsn>().map_err(|error| bad(error.to_string()));
        Ok(Self {
            system_id: stored.system_id.parse().map_err(|_| bad("system_id is not a number".into()))?,
            timeline: stored.timeline,
            slot: stored.slot.into(),
            end_lsn: lsn(&stored.commit_lsn)?,
            last_commit_end_lsn: stored.last_commit_lsn.as_deref().map(lsn).transpose()?,
            partial: match stored.partial_commit_lsn {
                Some(text) => Some(Partial { commit_lsn: lsn(&text)?, ordinal: stored.ordinal }),
                None => None,
            },
            snapshot: stored.snapshot,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let position = Position {
            system_id: u64::MAX,
            timeline: 2,
            slot: "s".into(),
            end_lsn: Lsn(0x1_0000_0000),
            last_commit_end_lsn: None,
            partial: Some(Partial { commit_lsn: Lsn(7), ordinal: 3 }),
            snapshot: None,
        };
        assert_eq!(Position::from_json(&position.to_json(5)).unwrap(), position);
        let progress = SnapshotProgress { owns_slot: true, tables: 3, tables_read: 1, ..Default::default() };
        let position = Position { snapshot: Some(progress), ..position };
        assert_eq!(Position::from_json(&position.to_json(5)).unwrap(), position);
    }

    #[test]
    fn programs_that_know_no_snapshots_refuse_one() {
        let stored = |snapshot| {
            let position = Position {
                system_id: 1,
                timeline: 1,
                slot: "s".into(),
                end_lsn: Lsn(1),
                last_commit_end_lsn: None,
                partial: None,
                snapshot,
            };
            String::from_utf8(position.to_json(5)).unwrap()
        };
        assert!(stored(None).starts_with("{\"version\":1,") && !stored(None).contains("snapshot"));
        assert!(stored(Some(SnapshotProgress::default())).starts_with("{\"version\":2,"));
    }
}
