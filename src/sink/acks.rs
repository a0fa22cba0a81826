//! Which batches are acknowledged in whole, without transactions: one thread counts reports, the other knows how many
//! records each batch has. Both sides are a ring of counters, so that a report costs one addition and no lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters for the batches that are not acknowledged yet; batch `n` uses slot `n % SLOTS`.
#[derive(Debug)]
pub(super) struct Acks {
    slots: Box<[Slot]>,
}

#[derive(Debug)]
struct Slot {
    acknowledged: AtomicU64,
    /// Records of the batch once it is closed; [`OPEN`] before.
    records: AtomicU64,
}

const OPEN: u64 = u64::MAX;

impl Acks {
    /// Batches that may be open or unacknowledged at the same time.
    pub(super) const SLOTS: u64 = 1024;

    pub(super) fn new() -> Self {
        let slot = |_| Slot { acknowledged: AtomicU64::new(0), records: AtomicU64::new(OPEN) };
        Self { slots: (0..Self::SLOTS).map(slot).collect() }
    }

    /// Counts acknowledged records of a batch; whether it is complete now.
    pub(super) fn acknowledge(&self, batch: u64, records: u64) -> bool {
        let slot = self.slot(batch);
        let acknowledged = slot.acknowledged.fetch_add(records, Ordering::SeqCst) + records;
        acknowledged == slot.records.load(Ordering::SeqCst)
    }

    /// Says how many records a batch has; whether all are acknowledged already.
    pub(super) fn close(&self, batch: u64, records: u64) -> bool {
        self.slot(batch).records.store(records, Ordering::SeqCst);
        self.is_complete(batch)
    }

    pub(super) fn is_complete(&self, batch: u64) -> bool {
        let slot = self.slot(batch);
        let acknowledged = slot.acknowledged.load(Ordering::SeqCst);
        let records = slot.records.load(Ordering::SeqCst);
        assert!(acknowledged <= records, "more records acknowledged than sent");
        acknowledged == records
    }

    /// Frees the slot of a complete batch.
    pub(super) fn retire(&self, batch: u64) {
        let slot = self.slot(batch);
        slot.records.store(OPEN, Ordering::SeqCst);
        slot.acknowledged.store(0, Ordering::SeqCst);
    }

    fn slot(&self, batch: u64) -> &Slot {
        // The remainder is below the number of slots.
        &self.slots[usize::try_from(batch % Self::SLOTS).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_when_all_came_back() {
        let acks = Acks::new();
        assert!(!acks.acknowledge(5, 2));
        assert!(!acks.close(5, 3));
        assert!(!acks.is_complete(5));
        assert!(acks.acknowledge(5, 1));
        assert!(acks.is_complete(5));
        acks.retire(5);
        assert!(!acks.acknowledge(5 + Acks::SLOTS, 3));
        assert!(acks.close(5 + Acks::SLOTS, 3));
    }

    #[test]
    fn an_open_batch_is_never_complete() {
        let acks = Acks::new();
        acks.acknowledge(0, 7);
        assert!(!acks.is_complete(0));
    }
}
