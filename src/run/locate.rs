//! Where Debezium stopped within a transaction, as a position of ours: the messages of the stream are counted from the end of
//! the transaction before, through the translator that will count them again, up to the last change that Debezium wrote.
//! Pure.

use crate::checkpoint::Partial;
use crate::decode::{self, Message, Mode};
use crate::encode::Records;
use crate::error::Result;
use crate::import::offsets::Part;
use crate::lsn::Lsn;
use crate::run::describe::Describe;
use crate::run::translate::{At, Translator};

/// Looks for the place.
pub(crate) struct Locator {
    part: Part,
    translator: Translator,
    /// Commit LSN of the transaction, once it has begun.
    commit_lsn: Option<Lsn>,
    /// Changes of the log record [`Part::lsn`] so far.
    seen: u64,
    /// What was counted before the first of them.
    before: Option<Partial>,
    records: Records,
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Exactly here; none: nothing of the transaction would be written again.
    Exact(Option<Partial>),
    /// Before the last log record, of which some changes are written and it is not known how many.
    Repeats { partial: Option<Partial>, changes: u64 },
    /// The transaction does not come: it starts behind the last whole one.
    Elsewhere,
}

impl Locator {
    /// `translator` starts at the end of the transaction before.
    pub(crate) fn new(part: Part, translator: Translator) -> Self {
        Self { part, translator, commit_lsn: None, seen: 0, before: None, records: Records::default() }
    }

    /// Whether the transaction has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.commit_lsn.is_some()
    }

    /// Takes the next message; the place, when it is found.
    pub(crate) fn message(
        &mut self,
        at: At,
        body: &[u8],
        describe: &mut dyn Describe,
    ) -> Result<Option<Place>> {
        let message = decode::parse(body, Mode { in_stream: false, parallel_abort: false })?;
        let changes = match &message {
            Message::Begin { final_lsn, xid, .. } => {
                let is_it = self.part.xid.is_none_or(|wanted| wanted == *xid) && *final_lsn >= self.part.lsn;
                if !is_it {
                    return Ok(Some(Place::Elsewhere));
                }
                self.commit_lsn = Some(*final_lsn);
                0
            }
            Message::Commit { .. } => return Ok(Some(self.end())),
            Message::Insert { .. }
            | Message::Update { .. }
            | Message::Delete { .. }
            | Message::Logical { transactional: true, .. } => 1,
            Message::Truncate { relations, .. } => relations.iter().count() as u64,
            _ => 0,
        };
        if changes > 0 {
            if let Some(place) = self.before_change(at.lsn, changes) {
                return Ok(Some(place));
            }
        }
        self.translator.message(at, body, describe, &mut self.records)?;
        self.records.clear(KEPT_BYTES);
        Ok(None)
    }

    /// Whether the place is before this message.
    fn before_change(&mut self, lsn: Lsn, changes: u64) -> Option<Place> {
        if lsn > self.part.lsn {
            return Some(self.end());
        }
        if lsn < self.part.lsn {
            return None;
        }
        if self.seen == 0 {
            self.before = self.counted();
        }
        match self.part.processed {
            Some(processed) if self.seen >= processed => Some(self.end()),
            // A truncation of several tables is one message: all of it is written again.
            Some(processed) if self.seen + changes > processed => {
                let partial = self.counted();
                Some(Place::Repeats { partial, changes: processed - self.seen })
            }
            None if self.seen > 0 => Some(Place::Repeats { partial: self.before, changes: self.seen }),
            _ => {
                self.seen += changes;
                None
            }
        }
    }

    /// Everything up to here is written.
    fn end(&self) -> Place {
        Place::Exact(self.counted())
    }

    /// What was counted of the transaction; BEGIN comes before its first change, and was written if there was one.
    fn counted(&self) -> Option<Partial> {
        let (commit_lsn, ordinal) = self.translator.assembler().partial().or_else(|| {
            let only_begin = self.part.processed == Some(0) && self.seen == 0;
            self.commit_lsn.filter(|_| only_begin).map(|commit_lsn| (commit_lsn, 1))
        })?;
        Some(Partial { commit_lsn, ordinal })
    }
}

/// What the buffer of records, which nobody reads, may keep between messages.
const KEPT_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lsn::Xid;
    use crate::run::streamed::Order;
    use crate::run::translate::Now;
    use crate::run::translate::tests::{Nobody, relation, translator};

    const COMMIT: u64 = 100;

    fn begin(xid: u32) -> Vec<u8> {
        [b"B".as_slice(), &COMMIT.to_be_bytes(), &0u64.to_be_bytes(), &xid.to_be_bytes()].concat()
    }

    fn commit() -> Vec<u8> {
        [b"C\0".as_slice(), &COMMIT.to_be_bytes(), &110u64.to_be_bytes(), &0u64.to_be_bytes()].concat()
    }

    fn logical(transactional: bool) -> Vec<u8> {
        let lsn = 65u64.to_be_bytes();
        [b"M", &[u8::from(transactional)][..], &lsn, b"p\0", &0u32.to_be_bytes()].concat()
    }

    /// A row without columns.
    fn insert(oid: u32) -> Vec<u8> {
        [b"I".as_slice(), &oid.to_be_bytes(), b"N\0\0"].concat()
    }

    fn truncate() -> Vec<u8> {
        [b"T".as_slice(), &2u32.to_be_bytes(), b"\0", &1u32.to_be_bytes(), &1u32.to_be_bytes()].concat()
    }

    /// BEGIN, rows at 50 and 60, three at 70 and one at 80, COMMIT; row 60 is of a table that is not captured.
    fn stream() -> Vec<(u64, Vec<u8>)> {
        let after = Order::after(0);
        let captured = [(50, 1), (60, 2), (70, 1), (70, 1), (70, 1), (80, 1)];
        let mut messages = vec![(50, begin(7)), (0, relation(after, 1, "t"))];
        let mut other = relation(after, 2, "t");
        let name = other.windows(6).position(|bytes| bytes == b"public").unwrap();
        other.splice(name..name + 6, *b"hidden");
        messages.push((0, other));
        messages.extend(captured.map(|(lsn, oid)| (lsn, insert(oid))));
        messages.push((110, commit()));
        messages
    }

    fn place(stream: &[(u64, Vec<u8>)], lsn: u64, processed: Option<u64>) -> Option<Place> {
        let part = Part { last_commit_end_lsn: Some(Lsn(40)), xid: Some(Xid(7)), lsn: Lsn(lsn), processed };
        let mut locator = Locator::new(part, translator());
        stream.iter().find_map(|(lsn, body)| {
            let at = At { lsn: Lsn(*lsn), now: Now(Duration::ZERO), order: Order::after(0) };
            locator.message(at, body, &mut Nobody).unwrap()
        })
    }

    fn ordinal(ordinal: u64) -> Partial {
        Partial { commit_lsn: Lsn(COMMIT), ordinal }
    }

    #[test]
    fn changes_are_counted_up_to_the_last_that_was_written() {
        // BEGIN is ordinal 0, and rows of tables that are not captured have none.
        for (lsn, processed, expected) in [
            (50, Some(0), 1),
            (50, Some(1), 2),
            (60, Some(1), 2),
            (70, Some(1), 3),
            (70, Some(2), 4),
            (70, Some(3), 5),
            (80, Some(1), 6),
            (50, None, 2),
            (80, None, 6),
        ] {
            assert_eq!(
                place(&stream(), lsn, processed),
                Some(Place::Exact(Some(ordinal(expected)))),
                "{lsn} {processed:?}"
            );
        }
    }

    #[test]
    fn what_is_not_known_is_written_again() {
        assert_eq!(
            place(&stream(), 70, None),
            Some(Place::Repeats { partial: Some(ordinal(2)), changes: 1 })
        );
        let mut truncated = stream();
        truncated[5] = (70, truncate());
        assert_eq!(
            place(&truncated, 70, Some(1)),
            Some(Place::Repeats { partial: Some(ordinal(2)), changes: 1 })
        );
        assert_eq!(place(&truncated, 70, Some(2)), Some(Place::Exact(Some(ordinal(4)))));
    }

    #[test]
    fn messages_of_the_transaction_count_and_others_do_not() {
        let mut with = stream();
        with.insert(0, (90, logical(false)));
        assert_eq!(place(&with, 60, Some(1)), Some(Place::Exact(Some(ordinal(2)))));
        let inside = with.iter().position(|(lsn, _)| *lsn == 70).unwrap();
        with.insert(inside, (65, logical(true)));
        assert_eq!(place(&with, 65, Some(1)), Some(Place::Exact(Some(ordinal(3)))));
        assert_eq!(place(&with, 70, Some(1)), Some(Place::Exact(Some(ordinal(4)))));
    }

    #[test]
    fn another_transaction_is_not_it() {
        let mut other = stream();
        other[0].1 = begin(8);
        assert_eq!(place(&other, 70, Some(1)), Some(Place::Elsewhere));
        assert_eq!(place(&stream(), COMMIT + 1, Some(1)), Some(Place::Elsewhere));
        assert_eq!(place(&stream()[..3], 70, Some(1)), None);
    }
}
