//! Proof of equal work: what the log holds, counted by the server's own decoding, against what each contender counted and
//! what an independent reader found in the topics.

use std::fmt;

use anyhow::{Result, ensure};
use headwater::lsn::Lsn;
use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::rows::thousands;

/// What a backlog holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub(crate) inserts: u64,
    pub(crate) updates: u64,
    pub(crate) deletes: u64,
    pub(crate) transactions: u64,
    /// Of all messages of protocol 1.
    pub(crate) bytes: u64,
    /// End of the last commit: who has acknowledged it is done.
    pub(crate) end_lsn: Lsn,
}

/// What one contender did, as far as it can be counted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counted {
    /// Change events by the contender's own counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events: Option<Events>,
    /// Records in the topics of tables, read by a `read_committed` consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_records: Option<u64>,
    /// Records in the topic of transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transaction_records: Option<u64>,
    /// Transactions that the server decoded for the contender's slot.
    pub(crate) decoded_transactions: u64,
    /// Their size, by the server's count.
    pub(crate) decoded_bytes: u64,
}

/// Events by operation.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Events {
    pub(crate) inserts: u64,
    pub(crate) updates: u64,
    pub(crate) deletes: u64,
}

impl Truth {
    pub(crate) const fn changes(&self) -> u64 {
        self.inserts + self.updates + self.deletes
    }

    /// What all topics together must hold. A delete has a tombstone.
    pub(crate) const fn records(&self, transaction_topic: bool) -> u64 {
        let of_transactions = if transaction_topic { 2 * self.transactions } else { 0 };
        self.changes() + self.deletes + of_transactions
    }

    /// Fails the benchmark when a contender did less than the log holds, or more and may not.
    pub(crate) fn check(&self, contender: &dyn Contender, counted: &Counted) -> Result<()> {
        let (name, transaction_topic) = (contender.name(), contender.has_transaction_topic());
        let check = |what: &str, found: u64, expected: u64| {
            let equal = found == expected || (found > expected && contender.may_repeat());
            ensure!(equal, "{name}: {found} {what}, but the log holds {expected}");
            Ok(())
        };
        check("decoded transactions", counted.decoded_transactions, self.transactions)?;
        if let Some(Events { inserts, updates, deletes }) = counted.events {
            check("inserts", inserts, self.inserts)?;
            check("updates", updates, self.updates)?;
            check("deletes", deletes, self.deletes)?;
        }
        if let Some(records) = counted.change_records {
            check("records of changes", records, self.records(false))?;
        }
        if let Some(records) = counted.transaction_records {
            let expected = self.records(transaction_topic) - self.records(false);
            check("records of transactions", records, expected)?;
        }
        Ok(())
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} changes ({} inserts, {} updates, {} deletes) in {} transactions, {} bytes of pgoutput",
            thousands(self.changes()),
            thousands(self.inserts),
            thousands(self.updates),
            thousands(self.deletes),
            thousands(self.transactions),
            thousands(self.bytes)
        )
    }
}
