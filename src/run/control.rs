//! How others reach the data thread: a word to stop, and the bell that ends its wait.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Result;
use crate::sink::Wake;

/// Shared by the data thread and whoever stops the process.
#[derive(Debug)]
pub(crate) struct Control {
    stopping: AtomicBool,
    wake: Wake,
}

impl Control {
    /// Nothing was said yet.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { stopping: AtomicBool::new(false), wake: Wake::new()? })
    }

    /// Tells the data thread to drain and end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake.ring();
    }

    /// Whether [`Control::stop`] was called.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The bell, for a sink to ring when something became durable.
    pub(crate) fn bell(&self) -> Wake {
        self.wake.clone()
    }

    /// What the wait polls.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Silences the bell after a wait.
    pub(crate) fn woken(&self) {
        self.wake.silence();
    }
}
