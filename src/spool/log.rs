//! What one transaction has sent so far: a chain of blocks, and where its last run begins. Pure.

use crate::lsn::Xid;

use super::blocks::Blocks;
use super::entry;

/// Messages of one subtransaction without another's between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) at: u64,
    pub(super) xid: Xid,
    /// Where the run before it begins.
    pub(super) previous: Option<u64>,
}

/// The log of one transaction.
#[derive(Debug, Default)]
pub(super) struct Log {
    chain: Vec<u32>,
    length: u64,
    last: Option<Run>,
    /// The last run takes no more messages.
    closed: bool,
}

impl Log {
    /// Bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Its blocks, in order.
    pub(super) fn chain(&self) -> &[u32] {
        &self.chain
    }

    /// The last run.
    pub(super) fn last(&self) -> Option<Run> {
        self.last
    }

    /// After a cut: the run that is the last one now.
    pub(super) fn set_last(&mut self, run: Option<Run>) {
        self.last = run;
        self.closed = true;
    }

    /// The next message begins a run.
    pub(super) fn close_run(&mut self) {
        self.closed = true;
    }

    /// Makes `xid` the subtransaction of the next message: the run that begins with it, whose header is to be appended, if
    /// it does not go on with the last one.
    pub(super) fn run(&mut self, xid: Xid) -> Option<Run> {
        if !self.closed && self.last.is_some_and(|run| run.xid == xid) {
            return None;
        }
        let run = Run { at: self.length, xid, previous: self.last.map(|run| run.at) };
        self.last = Some(run);
        self.closed = false;
        self.grow(entry::RUN as u64);
        Some(run)
    }

    /// So many bytes are appended.
    pub(super) fn grow(&mut self, bytes: u64) {
        self.length += bytes;
    }

    /// Takes blocks for its length; false when there are not enough.
    pub(super) fn allocate(&mut self, blocks: &mut Blocks) -> bool {
        while (self.chain.len() as u64) * blocks.size() < self.length {
            match blocks.take() {
                Some(block) => self.chain.push(block),
                None => return false,
            }
        }
        true
    }

    /// Forgets everything from `at` on; blocks that hold nothing any more are free.
    pub(super) fn cut(&mut self, at: u64, blocks: &mut Blocks) {
        let keep = usize::try_from(at.div_ceil(blocks.size())).unwrap_or(usize::MAX);
        for block in self.chain.drain(keep.min(self.chain.len())..) {
            blocks.give(block);
        }
        self.length = at;
        if at == 0 {
            self.last = None;
        }
    }
}
