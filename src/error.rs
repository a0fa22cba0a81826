//! Every failure as a value: a [`Kind`] decided where the failure is born, a sentence for people, the server's own
//! words where it gave any, and the cause. One table, [`Kind::policy`], says what is done about each kind, and one,
//! [`Kind::hint`], what a person can do. Row values and secrets never go into an error.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// The result of anything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure this is. Its name in snake case is the `kind` label of `headwater_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The configuration or the command line is wrong.
    Config,
    /// PostgreSQL cannot be reached, or the connection broke.
    SourceUnreachable,
    /// PostgreSQL refused the user, the password or the database.
    SourceAuth,
    /// No TLS session that satisfies `sslmode`.
    SourceTls,
    /// The user may not do what is needed.
    SourcePrivilege,
    /// A setting of the server forbids logical replication (`wal_level`, `max_replication_slots`, …).
    SourceSettings,
    /// Any other error that the server reported.
    SourceServer,
    /// The bytes from the server are not the protocol.
    SourceProtocol,
    /// Another session holds the slot.
    SlotBusy,
    /// The slot is not there although a checkpoint says it was.
    SlotMissing,
    /// The slot is of another database or output plugin.
    SlotMismatch,
    /// The server has removed log that the slot needs.
    SlotInvalidated,
    /// The slot is ahead of the checkpoint: changes between the two cannot be read any more.
    Gap,
    /// The checkpoint was written for another cluster.
    SystemChanged,
    /// The publication is missing or does not hold what is configured.
    Publication,
    /// A message of the stream is larger than `limits.max_message`.
    MessageTooLarge,
    /// A message of the stream cannot be decoded.
    Decode,
    /// A value cannot be written in the chosen form.
    Encode,
    /// No broker can be reached, or none answers in time.
    SinkUnreachable,
    /// The broker refused the credentials or the TLS session.
    SinkAuth,
    /// The broker forbids the topic, the cluster operation or the transactional id.
    SinkPrivilege,
    /// The Kafka transaction must be aborted; what it held is sent again.
    SinkAbortable,
    /// The producer cannot go on; a new one replays from the checkpoint.
    SinkFatal,
    /// Another producer took over the transactional id, or the broker gave up a transaction that took too long: the
    /// broker says the same of both. Tried again, but not for long (`run::backoff`).
    SinkFenced,
    /// A record is larger than the broker or the topic takes.
    RecordTooLarge,
    /// A topic is missing and may not be created, or its settings do not fit.
    Topic,
    /// The checkpoint cannot be read or written.
    Checkpoint,
    /// The running process does not answer at `admin.listen`.
    AdminUnreachable,
    /// A local file cannot be read or written.
    File,
    /// A thing that cannot happen.
    Internal,
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Start the session again from the checkpoint, after a pause that grows.
    Retry,
    /// End the process: a person must act.
    Stop,
}

impl Kind {
    /// Every kind, for metrics and documentation.
    pub const ALL: [Self; 30] = [
        Self::Config,
        Self::SourceUnreachable,
        Self::SourceAuth,
        Self::SourceTls,
        Self::SourcePrivilege,
        Self::SourceSettings,
        Self::SourceServer,
        Self::SourceProtocol,
        Self::SlotBusy,
        Self::SlotMissing,
        Self::SlotMismatch,
        Self::SlotInvalidated,
        Self::Gap,
        Self::SystemChanged,
        Self::Publication,
        Self::MessageTooLarge,
        Self::Decode,
        Self::Encode,
        Self::SinkUnreachable,
        Self::SinkAuth,
        Self::SinkPrivilege,
        Self::SinkAbortable,
        Self::SinkFatal,
        Self::SinkFenced,
        Self::RecordTooLarge,
        Self::Topic,
        Self::Checkpoint,
        Self::AdminUnreachable,
        Self::File,
        Self::Internal,
    ];

    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::SourceUnreachable => "source_unreachable",
            Self::SourceAuth => "source_auth",
            Self::SourceTls => "source_tls",
            Self::SourcePrivilege => "source_privilege",
            Self::SourceSettings => "source_settings",
            Self::SourceServer => "source_server",
            Self::SourceProtocol => "source_protocol",
            Self::SlotBusy => "slot_busy",
            Self::SlotMissing => "slot_missing",
            Self::SlotMismatch => "slot_mismatch",
            Self::SlotInvalidated => "slot_invalidated",
            Self::Gap => "gap",
            Self::SystemChanged => "system_changed",
            Self::Publication => "publication",
            Self::MessageTooLarge => "message_too_large",
            Self::Decode => "decode",
            Self::Encode => "encode",
            Self::SinkUnreachable => "sink_unreachable",
            Self::SinkAuth => "sink_auth",
            Self::SinkPrivilege => "sink_privilege",
            Self::SinkAbortable => "sink_abortable",
            Self::SinkFatal => "sink_fatal",
            Self::SinkFenced => "sink_fenced",
            Self::RecordTooLarge => "record_too_large",
            Self::Topic => "topic",
            Self::Checkpoint => "checkpoint",
            Self::AdminUnreachable => "admin_unreachable",
            Self::File => "file",
            Self::Internal => "internal",
        }
    }

    /// Whether nothing more can be written for now.
    #[must_use]
    pub const fn is_of_sink(self) -> bool {
        matches!(
            self,
            Self::SinkUnreachable
                | Self::SinkAuth
                | Self::SinkPrivilege
                | Self::SinkAbortable
                | Self::SinkFatal
                | Self::SinkFenced
                | Self::RecordTooLarge
                | Self::Topic
                | Self::Checkpoint
        )
    }

    /// The one table of what is done about each kind.
    #[must_use]
    pub const fn policy(self) -> Policy {
        match self {
            Self::SourceUnreachable
            | Self::SourceServer
            | Self::SourceProtocol
            | Self::SlotBusy
            | Self::SinkUnreachable
            | Self::SinkAbortable
            | Self::SinkFatal
            | Self::SinkFenced
            | Self::Checkpoint => Policy::Retry,
            Self::Config
            | Self::SourceAuth
            | Self::SourceTls
            | Self::SourcePrivilege
            | Self::SourceSettings
            | Self::SlotMissing
            | Self::SlotMismatch
            | Self::SlotInvalidated
            | Self::Gap
            | Self::SystemChanged
            | Self::Publication
            | Self::MessageTooLarge
            | Self::Decode
            | Self::Encode
            | Self::SinkAuth
            | Self::SinkPrivilege
            | Self::RecordTooLarge
            | Self::Topic
            | Self::AdminUnreachable
            | Self::File
            | Self::Internal => Policy::Stop,
        }
    }

    /// The exit code of a process that ends with this kind (sysexits.h).
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match (self, self.policy()) {
            (Self::Config, _) => 64,
            (Self::Internal | Self::Decode | Self::Encode, _) => 70,
            (Self::SinkFenced, _) | (_, Policy::Stop) => 69,
            (_, Policy::Retry) => 75,
        }
    }

    /// What a person can do, where the error itself does not carry a better hint.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Config => "run `headwater config show` to see what is in force",
            Self::SourceUnreachable => {
                "check source.url, the network and that PostgreSQL runs; it is tried again"
            }
            Self::SourceAuth => {
                "check source.user, source.password and pg_hba.conf (a line for the database, and for replication)"
            }
            Self::SourceTls => "check source.sslmode, source.sslrootcert and the server's certificate",
            Self::SourcePrivilege => {
                "run `headwater check` for the GRANT and ALTER statements that are missing"
            }
            Self::SourceSettings => {
                "run `headwater check` for the settings to change; most need a restart of PostgreSQL"
            }
            Self::SourceServer => "read the server's message; it is tried again",
            Self::SourceProtocol => {
                "check that source.url names a PostgreSQL server and not a pooler; it is tried again"
            }
            Self::SlotBusy => "stop the other client of the slot; it is taken over as soon as it is free",
            Self::SlotMissing => {
                "changes since the checkpoint are lost: set source.on_gap = \"continue\" to start from now, or restore the slot"
            }
            Self::SlotMismatch => "choose another source.slot, or drop the slot if nothing uses it",
            Self::SlotInvalidated => {
                "drop the slot, set source.on_gap = \"continue\", and raise max_slot_wal_keep_size"
            }
            Self::Gap => {
                "somebody moved or re-created the slot; set source.on_gap = \"continue\" to accept the gap"
            }
            Self::SystemChanged => {
                "the database is another cluster than the checkpoint's; use another name, or source.on_gap = \"continue\""
            }
            Self::Publication => "run `headwater check` for the SQL that repairs the publication",
            Self::MessageTooLarge => "raise limits.max_message and limits.memory",
            Self::Decode => {
                "this is a bug or a protocol this version does not know: report it with the server's version"
            }
            Self::Encode => "this is a bug: report it with the type of the column",
            Self::SinkUnreachable => "check kafka.brokers and that the brokers run; it is tried again",
            Self::SinkAuth => "check the security.protocol, sasl.* and ssl.* settings under kafka",
            Self::SinkPrivilege => {
                "grant the user Write and Create on the topics and Write on the transactional id"
            }
            Self::SinkAbortable => "the transaction is aborted and replayed from the checkpoint",
            Self::SinkFatal => "a new producer replays from the checkpoint",
            Self::SinkFenced => {
                "another Headwater runs with the same name: stop one of them, or give it a name of its own"
            }
            Self::RecordTooLarge => {
                "raise max.message.bytes of the topic and kafka.properties.\"message.max.bytes\""
            }
            Self::Topic => "create the topic, or set topics.create = true",
            Self::Checkpoint => "check the topic or file of the checkpoint; it is tried again",
            Self::AdminUnreachable => {
                "check that the process runs and that admin.listen is the same here as there"
            }
            Self::File => "check the path, its permissions and the space left",
            Self::Internal => "this is a bug: report it with the log",
        }
    }
}

/// A failure: what was being done, what went wrong, what the server said, and why.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    /// Outermost last: "verb noun" phrases.
    context: Vec<Cow<'static, str>>,
    detail: Cow<'static, str>,
    sqlstate: Option<String>,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of `kind`; `detail` says what went wrong, without values of rows or secrets.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            context: Vec::new(),
            detail: detail.into(),
            sqlstate: None,
            hint: None,
            source: None,
        }))
    }

    /// Adds what was being done, a verb and a noun: "read slot state".
    #[must_use]
    pub fn context(mut self, doing: impl Into<Cow<'static, str>>) -> Self {
        self.0.context.push(doing.into());
        self
    }

    /// Keeps the server's SQLSTATE.
    #[must_use]
    pub fn with_sqlstate(mut self, sqlstate: impl Into<String>) -> Self {
        self.0.sqlstate = Some(sqlstate.into());
        self
    }

    /// Says what a person can do about this very failure.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> &str {
        self.0.hint.as_deref().unwrap_or_else(|| self.0.kind.hint())
    }

    /// The server's SQLSTATE, five characters.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for doing in self.0.context.iter().rev() {
            write!(f, "{doing}: ")?;
        }
        f.write_str(&self.0.detail)?;
        if let Some(sqlstate) = &self.0.sqlstate {
            write!(f, " (SQLSTATE {sqlstate})")?;
        }
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind.name())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_sentence() {
        let error = Error::new(Kind::SlotBusy, "slot \"shop\" is active for PID 12")
            .with_sqlstate("55006")
            .context("start replication")
            .context("open stream");
        assert_eq!(
            error.to_string(),
            "open stream: start replication: slot \"shop\" is active for PID 12 (SQLSTATE 55006)"
        );
        assert_eq!(error.kind().policy(), Policy::Retry);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn only_the_documented_exit_codes() {
        for kind in Kind::ALL {
            assert!([64, 69, 70, 75].contains(&kind.exit_code()), "{kind:?}");
        }
    }
}
