//! A connection that speaks the replication protocol, before the stream begins: TLS as `sslmode` demands, the startup
//! message with the settings that pin how values are printed, authentication, and replication commands by the simple
//! query protocol. [`Connection::start`] turns it into a [`ReplicationStream`].
//!
//! Everything here blocks, within deadlines; it is for the thread that reads the stream, not for a runtime.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustix::event::PollFlags;
use rustls::ClientConnection;
use secrecy::ExposeSecret;

use crate::config::{Source, SslMode};
use crate::error::{Error, Kind, Result};

use super::auth::{Binding, Exchange, Progress};
use super::binding::tls_server_end_point;
use super::deadline::Deadline;
use super::dial::{self, dial};
use super::frame::{self, Frame};
use super::inbox::{Fill, Inbox};
use super::server_message::ServerMessage;
use super::tls::{self, Tls};
use super::version::{OLDEST, ServerVersion};
use super::wire::Wire;

/// A replication connection that is ready for a command.
#[derive(Debug)]
pub struct Connection {
    pub(super) wire: Wire,
    pub(super) inbox: Inbox,
    pub(super) version: ServerVersion,
    /// For one small message or answer.
    pub(super) patience: Duration,
    process_id: i32,
    sql_ascii: bool,
}

/// Who connects to what, and what for.
#[derive(Clone, Copy)]
struct Purpose<'a> {
    /// Of the pipeline.
    name: &'a str,
    source: &'a Source,
    /// Replication commands, as the stream needs them; else SQL alone, which takes none of `max_wal_senders`.
    replication: bool,
}

/// The rows of an answer, values as text.
pub type Rows = Vec<Vec<Option<String>>>;

impl Connection {
    /// Connects as `source` says, under the application name `headwater/<name>`. Messages of more than `max_message`
    /// bytes are refused from then on.
    ///
    /// # Errors
    /// By what failed: [`Kind::SourceUnreachable`], [`Kind::SourceTls`], [`Kind::SourceAuth`],
    /// [`Kind::SourcePrivilege`] without the REPLICATION attribute, [`Kind::SourceProtocol`] for a pooler.
    pub fn open(name: &str, source: &Source, max_message: u64) -> Result<Self> {
        Self::negotiate(Purpose { name, source, replication: true }, max_message)
            .map_err(|error| error.context("open replication connection"))
    }

    /// Connects for ordinary SQL by the simple query protocol, which is what COPY wants.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(super) fn open_plain(name: &str, source: &Source, max_message: u64) -> Result<Self> {
        Self::negotiate(Purpose { name, source, replication: false }, max_message)
    }

    /// The server's version.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// The process that serves this connection, as in `pg_stat_replication`.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Whether the database is in SQL_ASCII: texts come as they were stored, in an encoding that the server does not know.
    #[must_use]
    pub fn is_sql_ascii(&self) -> bool {
        self.sql_ascii
    }

    /// Runs one command and returns its rows.
    ///
    /// # Errors
    /// What the server says, by its SQLSTATE; [`Kind::SourceUnreachable`] when the answer does not come in time.
    pub fn query(&mut self, command: &str, patience: Duration) -> Result<Rows> {
        self.query_until(command, Deadline::after(patience))
    }

    fn query_until(&mut self, command: &str, deadline: Deadline) -> Result<Rows> {
        let mut out = BytesMut::new();
        frontend::query(command, &mut out)
            .map_err(|error| Error::new(Kind::Internal, "a command holds a null byte").with_source(error))?;
        self.write(&out, deadline)?;
        let mut rows = Vec::new();
        let mut failed: Option<Error> = None;
        loop {
            let (tag, body) = match self.message(deadline) {
                Ok(message) => message,
                // A FATAL error ends the connection; it says more than its end.
                Err(end) => return Err(failed.unwrap_or(end)),
            };
            match tag {
                b'D' => rows.push(data_row(body)?),
                b'E' => failed = Some(ServerMessage::parse(body).into_error()),
                b'Z' => return failed.map_or(Ok(rows), Err),
                b'T' | b'C' | b'I' => {}
                tag => return Err(unexpected(tag)),
            }
        }
    }

    /// `prefer` tries without TLS what fails with it.
    fn negotiate(purpose: Purpose<'_>, max_message: u64) -> Result<Self> {
        let source = purpose.source;
        let deadline = Deadline::after(source.connect_timeout);
        let tls = Tls::new(source)?;
        let mut connection = match Self::attempt(purpose, tls.as_ref(), deadline) {
            Err(error) if tls::may_do_without(source, tls.as_ref(), &error) => {
                tracing::debug!(%error, "connecting again without TLS (source.sslmode = \"prefer\")");
                let attempt = Self::attempt(purpose, None, deadline);
                attempt.map_err(|without| tls::both_ways(without, error))?
            }
            attempt => attempt?,
        };
        connection.inbox.set_max_message(max_message);
        connection.read_version(deadline)?;
        if connection.sql_ascii {
            // Otherwise the server refuses to send what is not UTF-8, and with it everything behind.
            connection.query_until("SET client_encoding = SQL_ASCII", deadline)?;
        }
        if purpose.replication && connection.version.at_least(12) {
            let timeout = source.wal_sender_timeout.as_millis();
            connection.query_until(&format!("SET wal_sender_timeout = {timeout}"), deadline)?;
        }
        Ok(connection)
    }

    fn attempt(purpose: Purpose<'_>, tls: Option<&Tls>, deadline: Deadline) -> Result<Self> {
        let source = purpose.source;
        let mut wire =
            Wire::new(dial(source, deadline)?).map_err(|error| dial::unreachable(source, error))?;
        if let Some(tls) = tls {
            wire = secure(wire, source, tls, deadline)?;
        }
        let mut connection = Self {
            wire,
            inbox: Inbox::new(MAX_BEFORE_LOGIN),
            version: ServerVersion(0),
            patience: source.connect_timeout,
            process_id: 0,
            sql_ascii: false,
        };
        connection.log_in(purpose, deadline).map_err(|error| match error.kind() {
            // With TLS 1.3 a server refuses our certificate only now, with an alert.
            Kind::SourceUnreachable if error.to_string().contains("received fatal alert") => {
                Error::new(Kind::SourceTls, "the server ended the TLS session").with_source(error)
            }
            _ => error,
        })?;
        Ok(connection)
    }

    fn log_in(&mut self, purpose: Purpose<'_>, deadline: Deadline) -> Result<()> {
        let Purpose { name, source, replication } = purpose;
        let mut out = BytesMut::new();
        let application_name = application_name(name);
        let mut parameters = vec![
            ("user", source.user.as_str()),
            ("database", source.database.as_str()),
            ("application_name", application_name.as_str()),
        ];
        if replication {
            parameters.push(("replication", "database"));
        }
        parameters.extend(PINNED);
        frontend::startup_message(parameters, &mut out).map_err(|error| {
            Error::new(Kind::Config, "source.user or source.database holds a null byte").with_source(error)
        })?;
        self.write(&out, deadline)?;
        let binding = match self.wire.server_certificate().and_then(tls_server_end_point) {
            Some(hash) => Binding::ServerEndPoint(hash),
            None => Binding::Unsupported,
        };
        let password = source.password.as_ref().map(ExposeSecret::expose_secret);
        let mut exchange = Exchange::new(&source.user, password, binding);
        let mut authenticated = false;
        loop {
            out.clear();
            let (tag, body) = self.message(deadline)?;
            match tag {
                b'R' => authenticated = exchange.step(body, &mut out)? == Progress::Done,
                b'E' => return Err(ServerMessage::parse(body).into_error()),
                b'K' => self.process_id = body.first_chunk().map_or(0, |id| i32::from_be_bytes(*id)),
                b'v' => {}
                b'Z' if authenticated => return Ok(()),
                tag => return Err(unexpected(tag)),
            }
            if !out.is_empty() {
                self.write(&out, deadline)?;
            }
        }
    }

    fn read_version(&mut self, deadline: Deadline) -> Result<()> {
        let rows = self.query_until("SHOW server_version_num", deadline)?;
        let number = rows.into_iter().flatten().next().flatten().unwrap_or_default();
        let number = number.parse().map_err(|_| protocol(format!("server_version_num is {number:?}")))?;
        self.version = ServerVersion(number);
        if self.version.at_least(OLDEST) {
            return Ok(());
        }
        let detail =
            format!("PostgreSQL {} is too old: logical replication begins with {OLDEST}", self.version);
        Err(Error::new(Kind::SourceSettings, detail).with_hint("upgrade PostgreSQL"))
    }

    pub(super) fn write(&mut self, bytes: &[u8], deadline: Deadline) -> Result<()> {
        self.wire.write_all(bytes, deadline).map_err(broken)
    }

    /// The next message, with its body in the buffer; notices are logged and parameters passed over.
    pub(super) fn message(&mut self, deadline: Deadline) -> Result<(u8, &[u8])> {
        loop {
            let whole = frame::parse(self.inbox.unread(), self.inbox.max_message())?.map(|(frame, used)| {
                let (tag, length) = match frame {
                    Frame::Other { tag, body } => (tag, body.len()),
                    Frame::XLogData { .. } | Frame::Keepalive { .. } => (b'd', 0),
                };
                (tag, length, used)
            });
            let Some((tag, length, used)) = whole else {
                self.receive(deadline)?;
                continue;
            };
            self.inbox.consume(used);
            match tag {
                b'N' => log_notice(self.inbox.consumed(length)),
                b'S' => self.sql_ascii |= self.inbox.consumed(length) == SQL_ASCII,
                b'A' => {}
                tag => return Ok((tag, self.inbox.consumed(length))),
            }
        }
    }

    fn receive(&mut self, deadline: Deadline) -> Result<()> {
        loop {
            match self.inbox.fill(|room| self.wire.read(room))?.map_err(broken)? {
                Fill::Bytes { .. } => return Ok(()),
                Fill::Closed => return Err(closed()),
                Fill::WouldBlock => deadline.wait(self.wire.as_fd(), PollFlags::IN).map_err(|error| {
                    if error.kind() == io::ErrorKind::TimedOut {
                        Error::new(Kind::SourceUnreachable, "PostgreSQL did not answer in time")
                    } else {
                        broken(error)
                    }
                })?,
            }
        }
    }
}

/// How this pipeline appears in `pg_stat_activity`; the server cuts it at 63 bytes.
pub(super) fn application_name(name: &str) -> String {
    format!("headwater/{name}")
}

/// SSLRequest, and the handshake if the server agrees.
fn secure(mut wire: Wire, source: &Source, tls: &Tls, deadline: Deadline) -> Result<Wire> {
    let failed = |error| dial::unreachable(source, error);
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    wire.write_all(&request, deadline).map_err(failed)?;
    // One byte and no more: whatever came before the handshake without encryption must not count as said by the server.
    let mut answer = [0];
    let read = loop {
        match wire.read(&mut answer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                deadline.wait(wire.as_fd(), PollFlags::IN).map_err(failed)?;
            }
            result => break result.map_err(failed)?,
        }
    };
    match (read, answer) {
        (1, [b'S']) => {}
        (1, [b'N']) if source.sslmode == SslMode::Prefer => return Ok(wire),
        (1, [b'N']) => return Err(tls::refused_error()),
        (0, _) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
        (_, [b'E']) => {
            return Err(Error::new(
                Kind::SourceUnreachable,
                "the server answered an error when asked for TLS",
            ));
        }
        (_, [byte]) => {
            return Err(protocol(format!("the server answered 0x{byte:02x} when asked for TLS")));
        }
    }
    let session =
        ClientConnection::new(tls.config.clone(), tls.server_name.clone()).map_err(tls::handshake_error)?;
    wire.secure(session, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            failed(error)
        }
        _ => tls::handshake_error(error),
    })
}

fn data_row(body: &[u8]) -> Result<Vec<Option<String>>> {
    let bad = || protocol("a row of an answer is cut off".into());
    let (count, mut rest) = body.split_first_chunk::<2>().ok_or_else(bad)?;
    let mut row = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>().ok_or_else(bad)?;
        // Minus one is NULL.
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            row.push(None);
            rest = after;
            continue;
        };
        let (value, after) = after.split_at_checked(length).ok_or_else(bad)?;
        row.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Ok(row)
}

pub(super) fn log_notice(body: &[u8]) {
    let notice = ServerMessage::parse(body);
    tracing::debug!(
        severity = notice.severity,
        sqlstate = notice.sqlstate,
        "server notice: {}",
        notice.message
    );
}

pub(super) fn broken(error: io::Error) -> Error {
    Error::new(Kind::SourceUnreachable, "the connection to PostgreSQL broke").with_source(error)
}

pub(super) fn closed() -> Error {
    Error::new(Kind::SourceUnreachable, "PostgreSQL closed the connection")
}

pub(super) fn protocol(detail: String) -> Error {
    Error::new(Kind::SourceProtocol, detail)
}

pub(super) fn unexpected(tag: u8) -> Error {
    protocol(format!("a message of type {:?} came out of turn", char::from(tag)))
}

/// A parameter status.
const SQL_ASCII: &[u8] = b"server_encoding\0SQL_ASCII\0";

/// The settings under which values are printed, whatever the database or the role have set; also for ordinary SQL.
pub(super) const PINNED: [(&str, &str); 6] = [
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
];

/// Nothing that a server says before it is authenticated is longer.
const MAX_BEFORE_LOGIN: u64 = 64 * 1024;
