//! A bell between threads: an eventfd that the thread reading the stream polls beside its socket, so that a commit that
//! finished elsewhere is seen at once and not at the next timeout.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

use crate::error::{Error, Kind, Result};

/// Clones ring the same bell.
#[derive(Clone, Debug)]
pub struct Wake(Arc<OwnedFd>);

impl Wake {
    /// A silent bell.
    pub fn new() -> Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|error| {
            Error::new(Kind::Internal, "no event descriptor").with_source(error).context("create wake")
        })?;
        Ok(Self(Arc::new(fd)))
    }

    /// Makes the descriptor readable.
    pub fn ring(&self) {
        // Fails only when the counter is full, and then the descriptor is readable all the same.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Makes the descriptor unreadable again; whether it had been rung. Look for work after this, never before it.
    pub fn silence(&self) -> bool {
        rustix::io::read(&self.0, &mut [0u8; 8]).is_ok()
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_until_silenced() {
        let wake = Wake::new().unwrap();
        assert!(!wake.silence());
        wake.clone().ring();
        wake.ring();
        assert!(wake.silence());
        assert!(!wake.silence());
    }
}
