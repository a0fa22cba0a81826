//! The bytes received and not yet consumed: one buffer, reused, whose frames are read in place. It grows to the size
//! that a message announces and shrinks back when messages have been small again for a while, so that one large row
//! does not cost its size for ever.

use std::io;
use std::ops::Range;

use crate::error::Result;

use super::frame;

/// What one read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many bytes; less than the room that was offered means that the socket is empty for now.
    Bytes { read: usize, room: usize },
    /// Nothing there.
    WouldBlock,
    /// The server closed the connection.
    Closed,
}

/// A buffer between a socket and the frames.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    unread: Range<usize>,
    max_message: u64,
    /// Fills since the last one that needed more than [`BASE`].
    small_fills: u32,
}

impl Inbox {
    pub(super) fn new(max_message: u64) -> Self {
        Self { bytes: vec![0; BASE], unread: 0..0, max_message, small_fills: 0 }
    }

    /// What has come and is not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.unread.clone()).unwrap_or_default()
    }

    /// Takes messages of so many bytes from now on.
    pub(super) fn set_max_message(&mut self, max_message: u64) {
        self.max_message = max_message;
    }

    /// The largest message taken.
    pub(super) fn max_message(&self) -> u64 {
        self.max_message
    }

    /// Bytes held by the buffer.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Steps over `size` bytes of [`Self::unread`].
    pub(super) fn consume(&mut self, size: usize) {
        debug_assert!(size <= self.unread.len());
        self.unread.start = self.unread.start.saturating_add(size).min(self.unread.end);
    }

    /// The last `size` bytes consumed; they stay until the next [`Self::fill`].
    pub(super) fn consumed(&self, size: usize) -> &[u8] {
        self.unread
            .start
            .checked_sub(size)
            .and_then(|from| self.bytes.get(from..self.unread.start))
            .unwrap_or_default()
    }

    /// Gives the room of a large message back without waiting for small ones.
    pub(super) fn shrink(&mut self) {
        if self.bytes.len() > BASE && self.unread.len() <= BASE {
            self.small_fills = PATIENCE;
            self.make_room(0);
        }
    }

    /// Makes room, then reads once. Complete messages should have been consumed: without room for more, nothing is
    /// read, so that the buffer cannot grow beyond one message.
    ///
    /// # Errors
    /// Outer: what [`frame::size`] says of the message that has begun. Inner: what the socket says.
    pub(super) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> Result<io::Result<Fill>> {
        let needed = frame::size(self.unread(), self.max_message)?.unwrap_or(0);
        Ok(self.fill_for(needed, read))
    }

    /// As [`Self::fill`], and makes room for the beginning of the next message even when the first one is complete.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub(super) fn fill_past(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> Result<io::Result<Fill>> {
        let message = frame::size(self.unread(), self.max_message)?.unwrap_or(0);
        Ok(self.fill_for(message.max(self.unread.len()).saturating_add(BEYOND), read))
    }

    fn fill_for(
        &mut self,
        needed: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<Fill> {
        self.make_room(needed);
        let room = self.bytes.get_mut(self.unread.end..).unwrap_or_default();
        let offered = room.len();
        if offered == 0 {
            return Ok(Fill::Bytes { read: 0, room: 0 });
        }
        match read(room) {
            Ok(0) => Ok(Fill::Closed),
            Ok(read) => {
                self.unread.end += read.min(offered);
                Ok(Fill::Bytes { read, room: offered })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Fill::WouldBlock),
            Err(error) => Err(error),
        }
    }

    /// Leaves room for the whole of the message that has begun.
    fn make_room(&mut self, needed: usize) {
        let wanted = needed.max(self.unread.len()).max(BASE);
        self.small_fills = if wanted > BASE { 0 } else { self.small_fills.saturating_add(1) };
        let shrink = self.bytes.len() > BASE && self.small_fills > PATIENCE;
        if wanted > self.bytes.len() || shrink {
            let mut fresh = vec![0; wanted];
            let unread = self.unread();
            if let Some(front) = fresh.get_mut(..unread.len()) {
                front.copy_from_slice(unread);
            }
            self.unread = 0..unread.len();
            self.bytes = fresh;
        } else if self.unread.is_empty() {
            self.unread = 0..0;
        } else if self.unread.start > 0
            && (self.bytes.len() - self.unread.start < needed
                || self.bytes.len() - self.unread.end < BASE / 4)
        {
            self.bytes.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
        }
    }
}

/// Large enough that a read while behind takes what the kernel has, small enough for a budget of 32 MiB.
const BASE: usize = 256 * 1024;
/// Room behind a message, for what tells whether another one of its kind follows.
const BEYOND: usize = 4096;
/// Small fills before a large buffer is given back.
const PATIENCE: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn feed<'a>(bytes: &'a mut &[u8]) -> impl FnOnce(&mut [u8]) -> io::Result<usize> + 'a {
        move |room| io::Read::read(bytes, room)
    }

    #[test]
    fn gives_a_message_back_whatever_the_pieces() {
        let whole = b"C\0\0\0\x0bSELECT\0C\0\0\0\x08END\0";
        for cut in 1..whole.len() {
            let mut inbox = Inbox::new(1000);
            let mut seen = Vec::new();
            for mut piece in [&whole[..cut], &whole[cut..]] {
                assert!(matches!(inbox.fill(feed(&mut piece)).unwrap().unwrap(), Fill::Bytes { .. }));
                while let Some((_, used)) = frame::parse(inbox.unread(), 1000).unwrap() {
                    inbox.consume(used);
                    seen.push(inbox.consumed(used).to_vec());
                }
            }
            assert_eq!(seen.concat(), whole, "cut at {cut}");
            assert_eq!(seen.len(), 2, "cut at {cut}");
        }
    }

    #[test]
    fn grows_for_a_large_message_and_shrinks_again() {
        let length: u32 = 1_000_000;
        let mut large = vec![b'd'];
        large.extend(length.to_be_bytes());
        large.resize(length as usize + 1, b'x');
        let mut inbox = Inbox::new(2_000_000);
        let mut rest = &large[..];
        while !rest.is_empty() {
            assert!(matches!(inbox.fill(feed(&mut rest)).unwrap().unwrap(), Fill::Bytes { .. }));
        }
        assert_eq!(inbox.unread(), large);
        assert_eq!(inbox.capacity(), large.len());
        inbox.consume(large.len());
        for _ in 0..=PATIENCE {
            let mut small = &b"Z\0\0\0\x05I"[..];
            inbox.fill(feed(&mut small)).unwrap().unwrap();
            assert_eq!(inbox.unread(), b"Z\0\0\0\x05I");
            inbox.consume(6);
        }
        assert_eq!(inbox.capacity(), BASE);
    }

    #[test]
    fn never_grows_beyond_the_limit() {
        let mut inbox = Inbox::new(1000);
        let mut header = &b"d\x7f\0\0\0"[..];
        inbox.fill(feed(&mut header)).unwrap().unwrap();
        let error = inbox.fill(|_| unreachable!("reads although the message is too large")).unwrap_err();
        assert_eq!(error.kind(), Kind::MessageTooLarge);
        assert_eq!(inbox.capacity(), BASE);
    }

    #[test]
    fn reads_nothing_while_full_of_messages_not_consumed() {
        let mut inbox = Inbox::new(1000);
        let mut endless = io::repeat(b'Z');
        inbox.bytes[..6].copy_from_slice(b"Z\0\0\0\x05I");
        inbox.unread = 0..6;
        inbox.fill(|room| io::Read::read(&mut endless, room)).unwrap().unwrap();
        assert_eq!(inbox.fill(|_| unreachable!()).unwrap().unwrap(), Fill::Bytes { read: 0, room: 0 });
        assert_eq!(inbox.capacity(), BASE);
    }

    #[test]
    fn tells_an_empty_socket_from_a_closed_one() {
        let mut inbox = Inbox::new(1000);
        assert_eq!(inbox.fill(|_| Err(io::ErrorKind::WouldBlock.into())).unwrap().unwrap(), Fill::WouldBlock);
        assert_eq!(inbox.fill(|_| Ok(0)).unwrap().unwrap(), Fill::Closed);
    }
}
