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
    ts_ms: i64,
}

const VERSION: u32 = 1;

impl Position {
    /// The stored form; `ts_ms` is the time of writing, for people.
    #[must_use]
    pub fn to_json(&self, ts_ms: i64) -> Vec<u8> {
        let stored = Stored {
            version: VERSION,
            system_id: self.system_id.to_string(),
            timeline: self.timeline,
            slot: self.slot.to_string(),
            commit_lsn: self.end_lsn.to_string(),
            ordinal: self.partial.map_or(0, |partial| partial.ordinal),
            partial_commit_lsn: self.partial.map(|partial| partial.commit_lsn.to_string()),
            last_commit_lsn: self.last_commit_end_lsn.map(|lsn| lsn.to_string()),
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
        if stored.version != VERSION {
            return Err(bad(format!("version {} is not known, only {VERSION}", stored.version)));
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
        };
        assert_eq!(Position::from_json(&position.to_json(5)).unwrap(), position);
    }
}
