//! The replication stream: frames out of one reused buffer, status updates back. Nothing here decides when to read or
//! when to confirm; the pipeline does. The order of use is
//!
//! ```text
//! loop { wait → fill → while let Some(frame) = next_frame()? { … } → send_status, when due }
//! ```
//!
//! A frame borrows the buffer, so it must be done with before the next call; nothing is copied.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use postgres_protocol::message::frontend;
use rustix::event::{PollFd, PollFlags, poll};

use crate::error::{Error, Kind, Result};
use crate::lsn::{Lsn, UnixMicros};

use super::connection::{Connection, broken, closed, log_notice, protocol, unexpected};
use super::deadline::{Deadline, timespec};
use super::frame::{self, Frame};
use super::inbox::Fill;
use super::quote::{identifier, replication_literal};
use super::server_message::ServerMessage;
use super::version::ServerVersion;

/// What to stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions<'a> {
    pub slot: &'a str,
    pub publication: &'a str,
    /// Transactions that commit at or after this are sent, or after the slot's `confirmed_flush_lsn` if that is later.
    pub start: Lsn,
    /// Of pgoutput: 1 from PostgreSQL 10, 2 from 14, 4 from 16.
    pub protocol: u8,
    /// Send large transactions while they are in progress; with protocol 2 and up. `parallel`, of protocol 4, would only add
    /// the position and time of a rollback, which nobody asks for.
    pub streaming: bool,
    /// Send logical decoding messages; ignored before 14.
    pub messages: bool,
}

/// What woke [`ReplicationStream::wait`]; neither: the time is up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// There is something to read, or the connection is closed.
    pub socket: bool,
    /// The other descriptor is readable.
    pub wake: bool,
}

/// A standby status update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Received.
    pub written: Lsn,
    /// Durable; the slot's `confirmed_flush_lsn` follows it.
    pub flushed: Lsn,
    pub applied: Lsn,
    pub now: UnixMicros,
    /// Ask the server for a keepalive at once.
    pub reply: bool,
}

/// A running stream.
#[derive(Debug)]
pub struct ReplicationStream {
    connection: Connection,
    out: BytesMut,
}

impl Connection {
    /// `START_REPLICATION`.
    ///
    /// # Errors
    /// [`Kind::SlotBusy`], [`Kind::SlotMissing`], [`Kind::SlotInvalidated`], [`Kind::SlotMismatch`] and others as the
    /// server says.
    pub fn start(mut self, options: &StreamOptions<'_>) -> Result<ReplicationStream> {
        let command = start_command(options, self.version());
        self.begin(&command).map_err(|error| error.context("start replication"))?;
        Ok(ReplicationStream { connection: self, out: BytesMut::with_capacity(64) })
    }

    fn begin(&mut self, command: &str) -> Result<()> {
        let deadline = Deadline::after(self.patience);
        let mut out = BytesMut::new();
        frontend::query(command, &mut out).map_err(|error| {
            Error::new(Kind::Config, "source.slot or source.publication holds a null byte").with_source(error)
        })?;
        self.write(&out, deadline)?;
        match self.message(deadline)? {
            (b'W', _) => Ok(()),
            (b'E', body) => Err(ServerMessage::parse(body).into_error()),
            (tag, _) => Err(unexpected(tag)),
        }
    }
}

impl ReplicationStream {
    /// The server's version.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.connection.version()
    }

    /// Waits until the stream can be read, `wake` can be read, or `timeout` is over. Returns at once while decrypted
    /// bytes are waiting. A caller that has no room says so with `reading`: only a broken connection wakes it then.
    pub fn wait(&self, wake: BorrowedFd<'_>, reading: bool, timeout: Duration) -> io::Result<Ready> {
        let buffered = reading && self.connection.wire.has_buffered();
        let timeout = timespec(if buffered { Duration::ZERO } else { timeout });
        let interest = if reading { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&self.connection.wire, interest), PollFd::new(&wake, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            // A signal: let the caller look at its clock.
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [socket, wake] = fds.map(|fd| !fd.revents().is_empty());
        Ok(Ready { socket: socket || buffered, wake })
    }

    /// Reads once into the buffer. Consume the frames there before the next call: they make the room.
    ///
    /// # Errors
    /// [`Kind::MessageTooLarge`] and [`Kind::SourceProtocol`] as [`frame::parse`]; [`Kind::SourceUnreachable`] when
    /// the connection broke. Its end is [`Fill::Closed`]: what came before it is still to be read.
    pub fn fill(&mut self) -> Result<Fill> {
        let Connection { inbox, wire, .. } = &mut self.connection;
        inbox.fill(|room| wire.read(room))?.map_err(broken)
    }

    /// The next whole message in the buffer; none until there was another [`Self::fill`].
    ///
    /// # Errors
    /// What the server says; [`Kind::SourceUnreachable`] when it ended the stream.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        let inbox = &mut self.connection.inbox;
        loop {
            // A frame cannot be returned from within the loop that goes on for others, so it is taken apart first.
            let taken = match frame::parse(inbox.unread(), inbox.max_message())? {
                None => return Ok(None),
                Some((Frame::XLogData { start, end, sent, body }, used)) => {
                    (used, Taken::Data { start, end, sent, length: body.len() })
                }
                Some((Frame::Keepalive { wal_end, sent, reply_requested }, used)) => {
                    (used, Taken::Keepalive(Frame::Keepalive { wal_end, sent, reply_requested }))
                }
                Some((Frame::Other { tag, body }, used)) => (used, Taken::Other { tag, length: body.len() }),
            };
            inbox.consume(taken.0);
            match taken.1 {
                Taken::Data { start, end, sent, length } => {
                    return Ok(Some(Frame::XLogData { start, end, sent, body: inbox.consumed(length) }));
                }
                Taken::Keepalive(frame) => return Ok(Some(frame)),
                Taken::Other { tag, length } => aside(tag, inbox.consumed(length))?,
            }
        }
    }

    /// The error for [`Fill::Closed`], once every frame is consumed.
    #[must_use]
    pub fn closed(&self) -> Error {
        closed()
    }

    /// Gives back what the buffer took for a large message: the caller needs the memory for something else.
    pub fn shrink(&mut self) {
        self.connection.inbox.shrink();
    }

    /// Bytes that the buffer holds at present, for the memory budget.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.connection.inbox.capacity()
    }

    /// Sends a standby status update.
    ///
    /// # Errors
    /// [`Kind::SourceUnreachable`] when the socket takes it neither now nor within the connect timeout.
    pub fn send_status(&mut self, status: &Status) -> Result<()> {
        debug_assert!(status.flushed <= status.written && status.applied <= status.written);
        self.out.clear();
        write_status(status, &mut self.out);
        let deadline = Deadline::after(self.connection.patience);
        self.connection
            .wire
            .write_all(&self.out, deadline)
            .map_err(|error| broken(error).context("send status"))
    }

    /// Says goodbye and waits a moment for the server to close the connection. What it still sends is thrown away: closing
    /// a socket with bytes to read resets the connection, and the server would not see the last status.
    pub fn stop(mut self) {
        self.out.clear();
        frontend::copy_done(&mut self.out);
        frontend::terminate(&mut self.out);
        let deadline = Deadline::after(GOODBYE);
        let Connection { wire, .. } = &mut self.connection;
        // The server notices a closed socket too.
        if wire.write_all(&self.out, deadline).is_ok() {
            let _ = wire.discard(deadline);
        }
    }
}

impl AsFd for ReplicationStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.wire.as_fd()
    }
}

/// A frame without its borrow.
enum Taken {
    Data { start: Lsn, end: Lsn, sent: UnixMicros, length: usize },
    Keepalive(Frame<'static>),
    Other { tag: u8, length: usize },
}

/// What is not part of the stream.
#[cold]
fn aside(tag: u8, body: &[u8]) -> Result<()> {
    match tag {
        b'N' => log_notice(body),
        b'S' | b'A' => {}
        b'E' => return Err(ServerMessage::parse(body).into_error().context("read replication stream")),
        b'c' | b'C' | b'Z' => {
            return Err(Error::new(
                Kind::SourceUnreachable,
                "the server ended the stream (it is probably shutting down)",
            ));
        }
        tag => return Err(protocol(format!("a message of type {:?} in the stream", char::from(tag)))),
    }
    Ok(())
}

fn write_status(status: &Status, out: &mut BytesMut) {
    out.put_u8(b'd');
    out.put_u32(4 + 1 + 4 * 8 + 1);
    out.put_u8(b'r');
    out.put_u64(status.written.0);
    out.put_u64(status.flushed.0);
    out.put_u64(status.applied.0);
    out.put_i64(status.now.to_postgres());
    out.put_u8(status.reply.into());
}

fn start_command(options: &StreamOptions<'_>, version: ServerVersion) -> String {
    let slot = identifier(options.slot);
    // A list of identifiers inside a literal: quoted twice.
    let publications = replication_literal(&identifier(options.publication));
    let mut plugin = format!("proto_version '{}', publication_names {publications}", options.protocol);
    if options.streaming {
        plugin.push_str(", streaming 'on'");
    }
    if options.messages && version.at_least(14) {
        plugin.push_str(", messages 'true'");
    }
    format!("START_REPLICATION SLOT {slot} LOGICAL {} ({plugin})", options.start)
}

/// For the last two messages, and for the server to act on them.
const GOODBYE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: StreamOptions<'_> = StreamOptions {
        slot: "shop",
        publication: "my \"pub\"'s",
        start: Lsn(0x1_0000_00AB),
        protocol: 1,
        streaming: false,
        messages: true,
    };

    #[test]
    fn asks_for_what_the_version_knows() {
        assert_eq!(
            start_command(&OPTIONS, ServerVersion(130_000)),
            "START_REPLICATION SLOT \"shop\" LOGICAL 1/AB (proto_version '1', publication_names '\"my \"\"pub\"\"''s\"')"
        );
        let options = StreamOptions { publication: "p", protocol: 2, streaming: true, ..OPTIONS };
        assert_eq!(
            start_command(&options, ServerVersion(180_000)),
            "START_REPLICATION SLOT \"shop\" LOGICAL 1/AB (proto_version '2', publication_names '\"p\"', streaming 'on', messages 'true')"
        );
    }

    #[test]
    fn writes_the_status_update_of_the_manual() {
        let mut out = BytesMut::new();
        let status = Status {
            written: Lsn(3),
            flushed: Lsn(2),
            applied: Lsn(1),
            now: UnixMicros::from_postgres(7),
            reply: true,
        };
        write_status(&status, &mut out);
        let mut expected = vec![b'd', 0, 0, 0, 38, b'r'];
        for number in [3_u64, 2, 1, 7] {
            expected.extend(number.to_be_bytes());
        }
        expected.push(1);
        assert_eq!(out, expected);
    }
}
