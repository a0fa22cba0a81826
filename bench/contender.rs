//! Who reads a slot, and what the benchmark must know of it.

use anyhow::Result;

use crate::equality::{Counted, Truth};
use crate::ground::Ground;

/// A reader of a slot, with its settings.
pub(crate) trait Contender {
    /// Its line in the table; the same name over all rounds.
    fn name(&self) -> String;

    /// What it was run with, for the report.
    fn settings(&self) -> String;

    /// Whether it also writes BEGIN and END records.
    fn has_transaction_topic(&self) -> bool {
        false
    }

    /// Whether it may do work again that it has done: more than the log holds is no mistake then, less is.
    fn may_repeat(&self) -> bool {
        false
    }

    /// Starts to read the slot of `job`; does not wait for anything.
    fn start<'a>(&self, ground: &'a Ground, job: &Job<'a>) -> Result<Box<dyn Running + 'a>>;
}

/// What to read.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) database: &'a str,
    pub(crate) slot: &'a str,
    /// Of the topics; no other contender's begin with it.
    pub(crate) prefix: &'a str,
    /// What the log holds, for a drain; a live stream has no end.
    pub(crate) backlog: Option<&'a Truth>,
}

/// A contender at work.
pub(crate) trait Running {
    /// Its process.
    fn id(&self) -> u32;

    /// Whether it has written, durably, everything up to the end of the backlog.
    fn is_done(&mut self) -> Result<bool>;

    /// Ends it, and adds what it counted itself. The clock has stopped.
    fn finish(self: Box<Self>, counted: &mut Counted) -> Result<()>;
}
