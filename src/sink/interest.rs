//! Whether the caller of something slow still waits for it. A start asks both servers at once; when one of them says no,
//! what is under way at the other ends by itself, within a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by who waits and who works; clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest(Arc<AtomicBool>);

impl Interest {
    /// Nobody waits any more.
    pub(crate) fn lose(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
