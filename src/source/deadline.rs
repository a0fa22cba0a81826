//! One end for many steps: connecting, TLS and authentication share a time limit, whichever of them is slow.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A moment after which a sequence of steps has failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now; a limit beyond what the clock counts is none.
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// What is left, none without an end.
    ///
    /// # Errors
    /// `TimedOut` when nothing is left.
    pub(super) fn left(self) -> io::Result<Option<Duration>> {
        let Some(end) = self.0 else { return Ok(None) };
        match end.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Waits until `fd` is ready for `events`.
    ///
    /// # Errors
    /// `TimedOut` when that is not so in time.
    pub(super) fn wait(self, fd: BorrowedFd<'_>, events: PollFlags) -> io::Result<()> {
        loop {
            let timeout = self.left()?.map(timespec);
            match poll(&mut [PollFd::new(&fd, events)], timeout.as_ref()) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// For poll; capped at what it takes.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn ends() {
        let (socket, _peer) = UnixStream::pair().unwrap();
        let error =
            Deadline::after(Duration::from_millis(1)).wait(socket.as_fd(), PollFlags::IN).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(Deadline::after(Duration::MAX).left().unwrap().is_none());
        Deadline::after(Duration::MAX).wait(socket.as_fd(), PollFlags::OUT).unwrap();
    }
}
