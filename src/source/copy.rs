//! One connection of a snapshot: a session whose only transaction sees the database as it was at one moment, and the rows that
//! COPY sends from it. The order of use is [`SnapshotReader::open`], [`SnapshotReader::import`] or
//! [`SnapshotReader::export`] before anything else, then for each table
//!
//! ```text
//! start → loop { wait_for_any → fill → step, while it gives rows }, until it says Done
//! ```
//!
//! Nothing blocks from `start` on. A row borrows the buffer; whether it is the last one of its table is told by the tag of
//! the message behind it, so a row is given when that has come too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustix::event::{PollFd, PollFlags, poll};

use crate::config::Source;
use crate::error::{Error, Kind, Result};
use crate::lsn::{Lsn, Oid, Xid};

use super::connection::{Connection, broken, closed, log_notice, protocol, unexpected};
use super::deadline::{Deadline, timespec};
use super::frame;
use super::inbox::Fill;
use super::quote::{qualified, replication_literal};
use super::server_message::ServerMessage;

/// The connection.
#[derive(Debug)]
pub struct SnapshotReader {
    connection: Connection,
    /// What the server has said; told when it is ready again or the connection has ended.
    failed: Option<Error>,
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied<'a> {
    /// A row in COPY's text format; `last` of its table.
    Row { line: &'a [u8], last: bool },
    /// The table is read, and the connection is ready for another one.
    Done,
    /// Nothing whole: [`SnapshotReader::fill`].
    Nothing,
}

impl SnapshotReader {
    /// Connects as `source` says and begins a transaction. Rows of more than `max_message` bytes are refused; a lock that
    /// is not had within `lock_timeout` is an error.
    pub fn open(name: &str, source: &Source, max_message: u64, lock_timeout: Duration) -> Result<Self> {
        let connect = || -> Result<Self> {
            let connection = Connection::open_plain(name, source, max_message)?;
            let mut reader = Self { connection, failed: None };
            reader.settle(lock_timeout)?;
            reader.ask("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
            Ok(reader)
        };
        connect().map_err(|error| error.context("open connection of the snapshot"))
    }

    /// What would end a long transaction is off; what would leave rows out without a word is an error; and rows come in the order in
    /// which they lie in the table, whoever else reads it.
    fn settle(&mut self, lock_timeout: Duration) -> Result<()> {
        let lock_timeout = format!("lock_timeout = {}", lock_timeout.as_millis());
        let mut settings = vec![
            "statement_timeout = 0",
            "idle_in_transaction_session_timeout = 0",
            "row_security = off",
            "synchronize_seqscans = off",
            "client_min_messages = error",
            lock_timeout.as_str(),
        ];
        if self.connection.version().at_least(17) {
            settings.push("transaction_timeout = 0");
        }
        for setting in settings {
            self.ask(&format!("SET {setting}"))?;
        }
        Ok(())
    }

    fn ask(&mut self, statement: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.connection.query(statement, self.connection.patience)
    }

    /// The only value of an answer.
    fn value<T: std::str::FromStr>(&mut self, statement: &str) -> Result<T> {
        let value = self.ask(statement)?.into_iter().flatten().next().flatten().unwrap_or_default();
        value
            .parse()
            .map_err(|_| protocol(format!("a question about the snapshot was answered with {value:?}")))
    }

    /// Sees what `snapshot` sees, the name of a snapshot that another transaction has exported and still holds.
    pub fn import(&mut self, snapshot: &str) -> Result<()> {
        let statement = format!("SET TRANSACTION SNAPSHOT {}", replication_literal(snapshot));
        self.ask(&statement).map(|_| ()).map_err(|error| error.context("import snapshot"))
    }

    /// Exports what this transaction sees, for as long as it lasts. Returns the name, and where the log stood then.
    pub fn export(&mut self) -> Result<(String, Lsn)> {
        let mut export = || -> Result<(String, Lsn)> {
            let name = self.value("SELECT pg_export_snapshot()")?;
            let lsn = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END";
            Ok((name, self.value(lsn)?))
        };
        export().map_err(|error| error.context("export snapshot"))
    }

    /// The newest transaction that had ended when the snapshot was taken: it has no changes that are still to be streamed.
    pub fn last_transaction(&mut self) -> Result<Xid> {
        let statement = "SELECT (txid_snapshot_xmax(txid_current_snapshot()) - 1) & 4294967295";
        self.value(statement).map(Xid).map_err(|error| error.context("read snapshot"))
    }

    /// Locks the tables against everything that would change or empty them as a whole, as any SELECT does, until the end of
    /// the transaction. `tables` are (schema, table).
    pub fn lock(&mut self, tables: &[(&str, &str)]) -> Result<()> {
        let names: Vec<_> = tables.iter().map(|(schema, table)| qualified(schema, table)).collect();
        let statement = format!("LOCK TABLE {} IN ACCESS SHARE MODE", names.join(", "));
        self.connection.query(&statement, LOCK_PATIENCE).map(|_| ()).map_err(|error| {
            let error = error.context("lock tables of the snapshot");
            match error.sqlstate() {
                Some("55P03") => error.with_hint(
                    "somebody holds a captured table exclusively (ALTER TABLE, TRUNCATE, VACUUM FULL); it is tried again: see pg_locks, or raise snapshot.lock_timeout",
                ),
                _ => error,
            }
        })
    }

    /// A table of those that was written anew or emptied as a whole after the snapshot was taken: the snapshot sees it empty.
    /// Ask when they are locked.
    pub fn rewritten(&mut self, tables: &[Oid]) -> Result<Option<String>> {
        let oids: Vec<_> = tables.iter().map(ToString::to_string).collect();
        // The table is read as of the snapshot, the function looks at the catalog as it is.
        let statement = format!(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid IN ({}) AND c.relkind = 'r' AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode LIMIT 1",
            oids.join(", ")
        );
        let rows = self.ask(&statement).map_err(|error| error.context("look for rewritten tables"))?;
        Ok(rows.into_iter().flatten().next().flatten())
    }

    /// Begins to read what `statement` copies.
    pub fn start(&mut self, statement: &str) -> Result<()> {
        let mut out = BytesMut::new();
        frontend::query(statement, &mut out)
            .map_err(|error| Error::new(Kind::Config, "a statement holds a null byte").with_source(error))?;
        self.connection.write(&out, Deadline::after(self.connection.patience))
    }

    /// The next row, or what has come in its place.
    ///
    /// # Errors
    /// What the server says.
    pub fn step(&mut self) -> Result<Copied<'_>> {
        let inbox = &mut self.connection.inbox;
        loop {
            let (unread, max) = (inbox.unread(), inbox.max_message());
            let Some((tag, length, used)) =
                frame::message(unread, max)?.map(|(tag, body, used)| (tag, body.len(), used))
            else {
                return Ok(Copied::Nothing);
            };
            if tag == COPY_DATA {
                let Some(following) = following(unread, used, max)? else { return Ok(Copied::Nothing) };
                inbox.consume(used);
                return Ok(Copied::Row { line: inbox.consumed(length), last: following == COPY_DONE });
            }
            inbox.consume(used);
            let body = inbox.consumed(length);
            match tag {
                b'N' => log_notice(body),
                b'E' => self.failed = Some(ServerMessage::parse(body).into_error()),
                b'Z' => return self.failed.take().map_or(Ok(Copied::Done), Err),
                // CopyOutResponse, CopyDone, CommandComplete; changed settings and notifications.
                b'H' | COPY_DONE | b'C' | b'S' | b'A' => {}
                tag => return Err(unexpected(tag)),
            }
        }
    }

    /// Reads once. Take the rows there first: they make the room.
    ///
    /// # Errors
    /// [`Kind::MessageTooLarge`] for a row beyond the limit; [`Kind::SourceUnreachable`] when the connection broke or ended.
    pub fn fill(&mut self) -> Result<Fill> {
        let Connection { inbox, wire, .. } = &mut self.connection;
        match inbox.fill_past(|room| wire.read(room))?.map_err(broken)? {
            // A FATAL error ends the connection; it says more than its end.
            Fill::Closed => Err(self.failed.take().unwrap_or_else(closed)),
            fill => Ok(fill),
        }
    }

    /// Ends the transaction. What is wrong now, after everything was read, is wrong for nobody.
    pub fn finish(mut self) {
        let ended = self.ask("COMMIT");
        let mut out = BytesMut::new();
        frontend::terminate(&mut out);
        let deadline = Deadline::after(self.connection.patience);
        if let Err(error) = ended.and_then(|_| self.connection.write(&out, deadline)) {
            tracing::debug!(%error, "a connection of the snapshot ended early");
        }
    }
}

/// Waits until one of `readers` has something to read, `wake` has, or `timeout` is over.
pub fn wait_for_any<'a>(
    readers: impl Iterator<Item = &'a SnapshotReader>,
    wake: BorrowedFd<'_>,
    timeout: Duration,
) -> io::Result<()> {
    let wires: Vec<_> = readers.map(|reader| &reader.connection.wire).collect();
    let buffered = wires.iter().any(|wire| wire.has_buffered());
    let timeout = timespec(if buffered { Duration::ZERO } else { timeout });
    let wires = wires.iter().map(|wire| PollFd::from_borrowed_fd(wire.as_fd(), PollFlags::IN));
    let mut fds: Vec<_> = wires.chain([PollFd::from_borrowed_fd(wake, PollFlags::IN)]).collect();
    match poll(&mut fds, Some(&timeout)) {
        // A signal: let the caller look at its clock.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The tag of the message that follows the first `used` bytes, but for those that may come at any time; none while it has not come.
fn following(unread: &[u8], used: usize, max: u64) -> Result<Option<u8>> {
    let mut rest = unread.get(used..).unwrap_or_default();
    loop {
        match rest.first() {
            None => return Ok(None),
            Some(b'N' | b'S' | b'A') => {}
            Some(tag) => return Ok(Some(*tag)),
        }
        match frame::size(rest, max)?.and_then(|size| rest.get(size..)) {
            Some(after) => rest = after,
            None => return Ok(None),
        }
    }
}

const COPY_DATA: u8 = b'd';
const COPY_DONE: u8 = b'c';
/// For the locks of all tables, each of which has `snapshot.lock_timeout`.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::super::fixture::message;
    use super::*;

    #[test]
    fn what_may_come_at_any_time_is_not_what_follows() {
        let row = message(b'd', b"1\n");
        let used = row.len();
        let behind = |more: &[&[u8]]| {
            let bytes = [&[row.as_slice()], more].concat().concat();
            following(&bytes, used, 1000).unwrap()
        };
        let (notice, done) = (message(b'N', b"MHello\0\0"), message(b'c', b""));
        assert_eq!(behind(&[]), None);
        assert_eq!(behind(&[b"d"]), Some(b'd'));
        assert_eq!(behind(&[&done]), Some(COPY_DONE));
        assert_eq!(behind(&[&notice]), None);
        assert_eq!(behind(&[&notice[..7]]), None);
        assert_eq!(behind(&[&notice, &done]), Some(COPY_DONE));
        assert_eq!(behind(&[&message(b'E', b"MNo\0\0")]), Some(b'E'));
    }
}
