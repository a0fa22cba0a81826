//! Transactions that the server sends while they are in progress: kept in the spool until their end is known, dropped when
//! they are rolled back, and given to the translator, message by message, when they commit. What the translator then sees
//! is what the server would have sent at the commit, so that ordinals and ids are the same either way.
//!
//! The server's view of our position does not change: a transaction in progress does not hold the confirmed position back,
//! because its commit comes later in the log. The server keeps what it needs to send it again (`restart_lsn`, see
//! `SnapBuildProcessRunningXacts`), and after a restart it does, from its first change on. So the spool need not outlive
//! the session.
//!
//! A logical decoding message carries the id of the whole transaction in a stream, also when it is a subtransaction's. So
//! when a savepoint is rolled back in a transaction that has emitted messages, which of them went along cannot be told, and
//! the server is asked to send transactions whole: those that were rolled back are not sent at a commit.

use std::fmt;

use crate::decode::{self, Message, Mode};
use crate::error::{Error, Kind, Result};
use crate::lsn::{Lsn, UnixMicros, Xid};
use crate::observe::FallbackReason;
use crate::source::ServerVersion;
use crate::spool::{Entry, Failure, Spool};

/// When a message was received, with respect to the blocks of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    /// The block, or the last one before.
    block: u64,
    after: bool,
}

impl Order {
    /// In the block of this number.
    pub(crate) const fn within(block: u64) -> Self {
        Self { block, after: false }
    }

    /// After that block, before the next.
    pub(crate) const fn after(block: u64) -> Self {
        Self { block, after: true }
    }

    /// Whether it came in a block: its layout is another then.
    pub(crate) fn is_in_stream(self) -> bool {
        !self.after
    }
}

/// The end of a transaction that was received before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamCommit {
    pub xid: Xid,
    pub commit_lsn: Lsn,
    pub end_lsn: Lsn,
    pub commit_time: UnixMicros,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is of no transaction in progress and to be translated now.
    Not,
    /// It is kept, or changed what is kept.
    Kept,
    /// It commits: [`Streamed::read`] goes first from now on.
    Committed(StreamCommit),
    /// It commits a transaction that holds nothing.
    Passed { end_lsn: Lsn },
    /// It cannot be kept: [`Streamed::broken`].
    Failed,
}

/// The next of a committed transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Read<'a> {
    Message {
        lsn: Lsn,
        order: Order,
        body: &'a [u8],
    },
    /// That was all.
    End(StreamCommit),
    /// It cannot be read: [`Streamed::broken`].
    Failed,
}

/// Why the server must send transactions whole.
#[derive(Debug)]
pub(crate) enum Broken {
    Spool(Failure),
    /// The stream does not carry the position at the replication origin, which belongs into the events.
    Origin,
    /// The stream does not tell which messages were rolled back with a savepoint.
    Message,
}

/// The transactions in progress of one session.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    /// None when streaming was not asked for.
    spool: Option<Spool>,
    /// Transaction of the block that is open.
    open: Option<Xid>,
    blocks: u64,
    /// Transactions in progress that have emitted messages.
    with_messages: Vec<Xid>,
    replay: Option<StreamCommit>,
    broken: Option<Broken>,
    /// The server sends BEGIN and COMMIT of transactions without changes.
    counts_empty: bool,
}

impl Streamed {
    /// The server streams, or not when there is no spool.
    pub(crate) fn new(spool: Option<Spool>, version: ServerVersion) -> Self {
        Self { spool, counts_empty: !version.at_least(SKIPS_EMPTY), ..Self::default() }
    }

    /// Whether the server streams.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.spool.is_some()
    }

    /// When a message outside of blocks is received now.
    pub(crate) fn order(&self) -> Order {
        Order::after(self.blocks)
    }

    /// The committed transaction that [`Streamed::read`] has not come to the end of.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// Why it cannot go on.
    pub(crate) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Bytes and transactions that are held.
    pub(crate) fn held(&self) -> (u64, usize) {
        self.spool.as_ref().map_or((0, 0), |spool| (spool.bytes(), spool.transactions()))
    }

    /// Takes a message that starts at `lsn`, if it is of a transaction in progress.
    #[inline]
    pub(crate) fn take(&mut self, lsn: Lsn, body: &[u8]) -> Result<Taken> {
        if self.spool.is_none() {
            return Ok(Taken::Not);
        }
        match body.first() {
            Some(b'S' | b'E' | b'c' | b'A') => self.control(body),
            _ if self.open.is_some() => self.keep(lsn, body),
            _ => Ok(Taken::Not),
        }
    }

    fn keep(&mut self, lsn: Lsn, body: &[u8]) -> Result<Taken> {
        let Some(spool) = &mut self.spool else { return Ok(Taken::Not) };
        match (decode::subtransaction(body), body.first()) {
            (Some(subxid), _) => {
                let kept = spool.append(subxid, lsn, body);
                Ok(self.or_broken(kept))
            }
            (None, Some(b'M')) => {
                // Within a block.
                let Some(xid) = self.open else { return Ok(Taken::Not) };
                if !self.with_messages.contains(&xid) {
                    self.with_messages.push(xid);
                }
                let kept = spool.append(xid, lsn, body);
                Ok(self.or_broken(kept))
            }
            (None, Some(b'O')) => {
                self.broken = Some(Broken::Origin);
                Ok(Taken::Failed)
            }
            (None, tag) => {
                let tag = tag.copied().map_or(' ', char::from);
                Err(Error::new(Kind::Decode, format!("a message {tag:?} that was not asked for in a stream")))
            }
        }
    }

    fn control(&mut self, body: &[u8]) -> Result<Taken> {
        let Some(spool) = &mut self.spool else { return Ok(Taken::Not) };
        let message = decode::parse(body, Mode::default())?;
        match (message, self.open) {
            (Message::StreamStart { xid, .. }, None) => {
                self.blocks += 1;
                self.open = Some(xid);
                spool.begin(xid, self.blocks);
                Ok(Taken::Kept)
            }
            (Message::StreamStop, Some(_)) => {
                self.open = None;
                let kept = spool.end();
                Ok(self.or_broken(kept))
            }
            (Message::StreamAbort { xid, subxid, .. }, None)
                if xid != subxid && self.with_messages.contains(&xid) =>
            {
                self.broken = Some(Broken::Message);
                Ok(Taken::Failed)
            }
            (Message::StreamAbort { xid, subxid, .. }, None) => {
                if xid == subxid {
                    self.with_messages.retain(|other| *other != xid);
                }
                let kept = spool.abort(xid, subxid);
                Ok(self.or_broken(kept))
            }
            (Message::StreamCommit { xid, commit_lsn, end_lsn, commit_time }, None) => {
                self.with_messages.retain(|other| *other != xid);
                if !spool.commit(xid) && !self.counts_empty {
                    return Ok(Taken::Passed { end_lsn });
                }
                let commit = StreamCommit { xid, commit_lsn, end_lsn, commit_time };
                self.replay = Some(commit);
                Ok(Taken::Committed(commit))
            }
            (_, open) => {
                let place = if open.is_some() { "within" } else { "without" };
                Err(Error::new(Kind::Decode, format!("a message of the stream came {place} a block")))
            }
        }
    }

    /// The next message of the committed transaction.
    pub(crate) fn read(&mut self) -> Read<'_> {
        let (Some(spool), Some(commit)) = (&mut self.spool, self.replay) else { return Read::Failed };
        match spool.read() {
            Ok(Some(Entry { lsn, block, body })) => Read::Message { lsn, order: Order::within(block), body },
            Ok(None) => {
                self.replay = None;
                Read::End(commit)
            }
            Err(failure) => {
                self.broken = Some(Broken::Spool(failure));
                Read::Failed
            }
        }
    }

    fn or_broken(&mut self, kept: Result<(), Failure>) -> Taken {
        match kept {
            Ok(()) => Taken::Kept,
            Err(failure) => {
                self.broken = Some(Broken::Spool(failure));
                Taken::Failed
            }
        }
    }
}

impl Broken {
    /// The `reason` label of `headwater_spool_fallbacks_total`.
    pub(crate) fn reason(&self) -> FallbackReason {
        match self {
            Self::Spool(Failure::Full { .. }) => FallbackReason::Full,
            Self::Spool(Failure::Disk { .. }) => FallbackReason::Disk,
            Self::Origin => FallbackReason::Origin,
            Self::Message => FallbackReason::Message,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spool(failure) => failure.fmt(f),
            Self::Origin => f.write_str("a transaction in progress comes from a replication origin"),
            Self::Message => f.write_str(
                "a savepoint was rolled back in a transaction in progress that has emitted logical decoding messages",
            ),
        }
    }
}

/// Transactions without changes are not sent from this version on.
const SKIPS_EMPTY: u32 = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Settings;

    const VERSION: ServerVersion = ServerVersion(180_001);

    fn streamed(version: ServerVersion) -> Streamed {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            directory: directory.path().to_owned(),
            name: "shop".into(),
            limit: 64 * 1024,
            buffer: 1024,
        };
        Streamed::new(Some(Spool::open(&settings).unwrap()), version)
    }

    const START: &[u8] = b"S\0\0\0\x07\x01";
    const STOP: &[u8] = b"E";

    fn insert(subxid: u8) -> Vec<u8> {
        [b"I\0\0\0", &[subxid][..], b"\0\0\0\x01N\0\0"].concat()
    }

    fn abort(subxid: u8) -> Vec<u8> {
        [b"A\0\0\0\x07\0\0\0", &[subxid][..]].concat()
    }

    fn commit() -> Vec<u8> {
        [b"c\0\0\0\x07\0", &100_u64.to_be_bytes()[..], &110_u64.to_be_bytes(), &[0; 8]].concat()
    }

    fn lsns(streamed: &mut Streamed) -> Vec<u64> {
        let mut lsns = Vec::new();
        loop {
            match streamed.read() {
                Read::Message { lsn, order, .. } => {
                    assert!(order.is_in_stream());
                    lsns.push(lsn.0);
                }
                Read::End(StreamCommit { xid: Xid(7), commit_lsn: Lsn(100), end_lsn: Lsn(110), .. }) => {
                    return lsns;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn keeps_a_transaction_until_its_commit() {
        let mut streamed = streamed(VERSION);
        for (lsn, body) in [
            (1, START),
            (2, &insert(7)),
            (3, &insert(8)),
            (4, STOP),
            (0, &abort(8)),
            (5, START),
            (6, &insert(9)),
            (7, STOP),
        ] {
            assert_eq!(streamed.take(Lsn(lsn), body).unwrap(), Taken::Kept);
        }
        assert_eq!(streamed.take(Lsn(8), b"B").unwrap(), Taken::Not, "of another transaction");
        assert_eq!(streamed.order(), Order::after(2));
        assert!(matches!(streamed.take(Lsn(9), &commit()).unwrap(), Taken::Committed(_)));
        assert!(streamed.is_replaying());
        assert_eq!(lsns(&mut streamed), [2, 6]);
        assert!(!streamed.is_replaying());
    }

    #[test]
    fn what_holds_nothing_passes_as_the_server_would_let_it_pass() {
        for (version, begins) in [(VERSION, false), (ServerVersion(140_020), true)] {
            let mut streamed = streamed(version);
            for body in [START, &insert(8), STOP, &abort(8), START, STOP] {
                streamed.take(Lsn(1), body).unwrap();
            }
            let taken = streamed.take(Lsn(2), &commit()).unwrap();
            assert_eq!(matches!(taken, Taken::Committed(_)), begins, "{taken:?}");
            assert_eq!(taken == Taken::Passed { end_lsn: Lsn(110) }, !begins);
            if begins {
                assert!(lsns(&mut streamed).is_empty());
            }
        }
    }

    #[test]
    fn a_rollback_drops_everything() {
        let mut streamed = streamed(VERSION);
        for body in [START, &insert(7), STOP] {
            streamed.take(Lsn(1), body).unwrap();
        }
        assert_eq!(streamed.held(), (64 * 1024, 1));
        streamed.take(Lsn(1), &abort(7)).unwrap();
        assert_eq!(streamed.held(), (0, 0));
    }

    #[test]
    fn says_why_it_cannot_go_on() {
        let mut origin = streamed(VERSION);
        origin.take(Lsn(1), START).unwrap();
        assert_eq!(origin.take(Lsn(1), b"O\0\0\0\0\0\0\0\0there\0").unwrap(), Taken::Failed);
        assert_eq!(origin.broken().unwrap().reason(), FallbackReason::Origin);
        let mut full = streamed(VERSION);
        full.take(Lsn(1), START).unwrap();
        let row = [insert(7), vec![0; 70_000]].concat();
        assert_eq!(full.take(Lsn(1), &row).unwrap(), Taken::Failed);
        assert_eq!(full.broken().unwrap().reason(), FallbackReason::Full);
    }

    #[test]
    fn keeps_messages_unless_a_savepoint_may_have_taken_them_along() {
        let message: &[u8] = b"M\0\0\0\x07\x01";
        let mut whole = streamed(VERSION);
        for (lsn, body) in [(1, START), (2, &insert(8)), (3, message), (4, &insert(7)), (5, STOP)] {
            assert_eq!(whole.take(Lsn(lsn), body).unwrap(), Taken::Kept);
        }
        assert!(matches!(whole.take(Lsn(6), &commit()).unwrap(), Taken::Committed(_)));
        assert_eq!(lsns(&mut whole), [2, 3, 4]);
        // The next transaction of the id has emitted none.
        for body in [START, &insert(8), STOP, &abort(8), START, message, STOP, &abort(7)] {
            assert_eq!(whole.take(Lsn(7), body).unwrap(), Taken::Kept);
        }
        for body in [START, message, STOP] {
            whole.take(Lsn(8), body).unwrap();
        }
        assert_eq!(whole.take(Lsn(9), &abort(8)).unwrap(), Taken::Failed);
        assert_eq!(whole.broken().unwrap().reason(), FallbackReason::Message);
    }

    #[test]
    fn refuses_blocks_within_blocks_and_what_was_not_asked_for() {
        let within: [&[u8]; 4] = [START, &abort(7), &commit(), b"B\0\0\0\x07"];
        for body in within {
            let mut streamed = streamed(VERSION);
            streamed.take(Lsn(1), START).unwrap();
            assert_eq!(streamed.take(Lsn(1), body).unwrap_err().kind(), Kind::Decode, "{body:?}");
        }
        assert!(streamed(VERSION).take(Lsn(1), STOP).is_err());
        let mut without = Streamed::new(None, VERSION);
        assert_eq!(without.take(Lsn(1), START).unwrap(), Taken::Not, "the translator refuses it");
    }
}
