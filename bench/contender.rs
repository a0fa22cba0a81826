//! Who reads a backlog, and what the benchmark must know of it.

use anyhow::Result;

use crate::backlog::Backlog;
use crate::equality::Counted;
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

    /// Starts to drain `slot`; does not wait for anything.
    fn start<'a>(
        &self,
        ground: &'a Ground,
        backlog: &'a Backlog,
        slot: &str,
    ) -> Result<Box<dyn Running + 'a>>;
}

/// A contender at work.
pub(crate) trait Running {
    /// Its process.
    fn id(&self) -> u32;

    /// Whether it has acknowledged the end of the backlog, so that it would not get it again.
    fn is_done(&mut self) -> Result<bool>;

    /// Ends it, and adds what it counted and what can be found of its work. The clock has stopped.
    fn finish(self: Box<Self>, counted: &mut Counted) -> Result<()>;
}
