//! The ledger: which batches are under way, and up to where everything is durable.
//!
//! Batches may become durable in any order; the position moves only over a prefix of them without a hole. Pure.

use std::collections::VecDeque;

use crate::sink::BatchId;

/// Batches in the order they were sealed, each with what becomes true once it and all before it are durable.
#[derive(Debug)]
pub struct Ledger<T> {
    next: u64,
    pending: VecDeque<Pending<T>>,
}

#[derive(Debug)]
struct Pending<T> {
    durable: bool,
    entry: T,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { next: 0, pending: VecDeque::new() }
    }
}

impl<T> Ledger<T> {
    /// Seals a batch: `entry` holds once it and every batch before it are durable.
    pub fn seal(&mut self, entry: T) -> BatchId {
        let batch = BatchId(self.next);
        self.next += 1;
        self.pending.push_back(Pending { durable: false, entry });
        batch
    }

    /// `batch` is durable.
    ///
    /// # Panics
    /// When the batch was never sealed or was told durable before: an acknowledgement without its send would let the
    /// slot pass what Kafka does not hold.
    pub fn durable(&mut self, batch: BatchId) {
        let first = self.next - self.pending.len() as u64;
        assert!(
            batch.0 >= first && batch.0 < self.next,
            "batch {} acknowledged, {first}..{} sent",
            batch.0,
            self.next
        );
        let index = usize::try_from(batch.0 - first).unwrap_or(usize::MAX);
        if let Some(pending) = self.pending.get_mut(index) {
            assert!(!pending.durable, "batch {} acknowledged twice", batch.0);
            pending.durable = true;
        }
    }

    /// Takes the next entry that holds now, oldest first.
    pub fn settled(&mut self) -> Option<T> {
        self.pending
            .front()
            .is_some_and(|pending| pending.durable)
            .then(|| self.pending.pop_front())
            .flatten()
            .map(|p| p.entry)
    }

    /// Batches under way.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moves_over_a_prefix_without_a_hole() {
        let mut ledger = Ledger::default();
        let batches: Vec<_> = (0..4).map(|n| ledger.seal(n)).collect();
        ledger.durable(batches[1]);
        assert_eq!(ledger.settled(), None);
        ledger.durable(batches[0]);
        assert_eq!([ledger.settled(), ledger.settled(), ledger.settled()], [Some(0), Some(1), None]);
        ledger.durable(batches[3]);
        assert_eq!(ledger.settled(), None);
        assert_eq!(ledger.len(), 2);
    }

    #[test]
    #[should_panic(expected = "acknowledged twice")]
    fn refuses_a_second_acknowledgement() {
        let mut ledger = Ledger::default();
        let (first, second) = (ledger.seal(()), ledger.seal(()));
        ledger.durable(second);
        ledger.durable(second);
        ledger.durable(first);
    }

    #[test]
    #[should_panic(expected = "acknowledged, 0..0 sent")]
    fn refuses_an_acknowledgement_without_a_send() {
        Ledger::<()>::default().durable(BatchId(0));
    }

    proptest! {
        #[test]
        fn settles_all_in_order_whatever_the_order_of_acks(order in Just((0..40u64).collect::<Vec<_>>()).prop_shuffle()) {
            let mut ledger = Ledger::default();
            for n in 0..40u64 { ledger.seal(n); }
            let (mut seen, mut acked) = (Vec::new(), std::collections::HashSet::new());
            for n in order {
                ledger.durable(BatchId(n));
                acked.insert(n);
                while let Some(entry) = ledger.settled() {
                    prop_assert!((0..=entry).all(|n| acked.contains(&n)));
                    seen.push(entry);
                }
            }
            prop_assert_eq!(seen, (0..40).collect::<Vec<_>>());
        }
    }
}
