//! One function per message: the fields in the order of the manual
//! (<https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>). What the server's own reader
//! (`logicalrep_read_*`) refuses, flags or positions that cannot be, is refused here; flag bits that it ignores are
//! ignored. The message must end where its last field does: left-over bytes mean that the [`Mode`] is wrong.

use super::message::{Columns, Message, Oids, OldTuple, RelationBody, ReplicaIdentity, Tuple, TypeBody};
use super::reader::{DecodeError, Got, Reader, Result};
use crate::lsn::Xid;

/// What the layout of a message depends on besides its own bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Between Stream Start and Stream Stop: messages about relations and rows carry a transaction id.
    pub in_stream: bool,
    /// The session runs with `streaming = parallel` (protocol 4): Stream Abort carries a position and a time.
    pub parallel_abort: bool,
}

/// Reads one message, the payload of an XLogData.
pub fn parse(body: &[u8], mode: Mode) -> std::result::Result<Message<'_>, DecodeError> {
    let mut reader = Reader::new(body);
    let tag = reader.u8("kind of message")?;
    let message = match tag {
        b'I' => insert(&mut reader, mode),
        b'U' => update(&mut reader, mode),
        b'D' => delete(&mut reader, mode),
        b'B' => begin(&mut reader),
        b'C' => commit(&mut reader),
        _ => rare(tag, &mut reader, mode),
    };
    match message.and_then(|message| reader.end().map(|()| message)) {
        Ok(message) => Ok(message),
        Err(error) => Err(DecodeError { message: Some(tag), ..error }),
    }
}

/// The (sub)transaction that a message about a relation or a row belongs to, inside a streamed block and without reading
/// the rest. None for every other message.
#[must_use]
pub fn subtransaction(body: &[u8]) -> Option<Xid> {
    let (tag, rest) = body.split_first()?;
    let (xid, _) = rest.split_first_chunk::<4>()?;
    matches!(tag, b'R' | b'Y' | b'I' | b'U' | b'D' | b'T').then(|| Xid(u32::from_be_bytes(*xid)))
}

/// Everything that does not come with every transaction.
fn rare<'a>(tag: u8, reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    match tag {
        b'O' => origin(reader),
        b'R' => relation(reader, mode),
        b'Y' => type_name(reader, mode),
        b'T' => truncate(reader, mode),
        b'M' => logical(reader, mode),
        b'S' => stream_start(reader),
        b'E' => Ok(Message::StreamStop),
        b'c' => stream_commit(reader),
        b'A' => stream_abort(reader, mode),
        b'b' => begin_prepare(reader),
        b'P' => prepare(reader),
        b'K' => commit_prepared(reader),
        b'r' => rollback_prepared(reader),
        b'p' => stream_prepare(reader),
        tag => {
            Err(DecodeError { message: None, offset: 0, expected: "kind of message", got: Got::Byte(tag) })
        }
    }
}

#[inline]
fn insert<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let relation = reader.oid("relation OID")?;
    match reader.u8("'N'")? {
        b'N' => Ok(Message::Insert { xid, relation, new: Tuple::read(reader)? }),
        other => Err(unexpected(reader, "'N'", other)),
    }
}

#[inline]
fn update<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let relation = reader.oid("relation OID")?;
    let mut kind = reader.u8("'K', 'O' or 'N'")?;
    let mut old = None;
    if kind != b'N' {
        old = Some(old_tuple(kind, reader, "'K', 'O' or 'N'")?);
        kind = reader.u8("'N'")?;
    }
    if kind != b'N' {
        return Err(unexpected(reader, "'N'", kind));
    }
    Ok(Message::Update { xid, relation, old, new: Tuple::read(reader)? })
}

#[inline]
fn delete<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let relation = reader.oid("relation OID")?;
    let kind = reader.u8("'K' or 'O'")?;
    Ok(Message::Delete { xid, relation, old: old_tuple(kind, reader, "'K' or 'O'")? })
}

#[inline]
fn old_tuple<'a>(kind: u8, reader: &mut Reader<'a>, expected: &'static str) -> Result<OldTuple<'a>> {
    match kind {
        b'K' => Tuple::read(reader).map(OldTuple::Key),
        b'O' => Tuple::read(reader).map(OldTuple::Full),
        other => Err(unexpected(reader, expected, other)),
    }
}

fn begin<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    Ok(Message::Begin {
        final_lsn: reader.valid_lsn("final LSN")?,
        commit_time: reader.time("commit time")?,
        xid: reader.xid("transaction id")?,
    })
}

fn commit<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    no_flags(reader)?;
    Ok(Message::Commit {
        commit_lsn: reader.lsn("commit LSN")?,
        end_lsn: reader.lsn("end LSN")?,
        commit_time: reader.time("commit time")?,
    })
}

/// Within a streamed block the position is zero.
fn origin<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    Ok(Message::Origin { lsn: reader.lsn("LSN at the origin")?, name: reader.cstr("origin name")? })
}

fn relation<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let relation = RelationBody {
        oid: reader.oid("relation OID")?,
        schema: reader.cstr("schema name")?,
        name: reader.cstr("relation name")?,
        replica_identity: replica_identity(reader)?,
        columns: Columns::read(reader)?,
    };
    Ok(Message::Relation { xid, relation })
}

fn replica_identity(reader: &mut Reader<'_>) -> Result<ReplicaIdentity> {
    match reader.u8("replica identity")? {
        b'd' => Ok(ReplicaIdentity::Default),
        b'n' => Ok(ReplicaIdentity::Nothing),
        b'f' => Ok(ReplicaIdentity::Full),
        b'i' => Ok(ReplicaIdentity::Index),
        other => Err(unexpected(reader, "replica identity 'd', 'n', 'f' or 'i'", other)),
    }
}

fn type_name<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let body = TypeBody {
        oid: reader.oid("type OID")?,
        schema: reader.cstr("schema name")?,
        name: reader.cstr("type name")?,
    };
    Ok(Message::Type { xid, body })
}

fn truncate<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let count = reader.length("number of relations")?;
    let flags = reader.u8("flags")?;
    let body = reader.bytes(count.saturating_mul(4), "relation OIDs")?;
    Ok(Message::Truncate {
        xid,
        cascade: flags & 1 != 0,
        restart_identity: flags & 2 != 0,
        relations: Oids { body },
    })
}

fn logical<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = stream_xid(reader, mode)?;
    let flags = reader.u8("flags")?;
    let lsn = reader.lsn("LSN of the message")?;
    let prefix = reader.cstr("prefix")?;
    let len = reader.length("length of content")?;
    let content = reader.bytes(len, "content")?;
    Ok(Message::Logical { xid, transactional: flags & 1 != 0, lsn, prefix, content })
}

fn stream_start<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    let xid = reader.valid_xid("transaction id")?;
    let first_segment = reader.u8("first segment flag")? == 1;
    Ok(Message::StreamStart { xid, first_segment })
}

fn stream_commit<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    let xid = reader.valid_xid("transaction id")?;
    no_flags(reader)?;
    Ok(Message::StreamCommit {
        xid,
        commit_lsn: reader.lsn("commit LSN")?,
        end_lsn: reader.lsn("end LSN")?,
        commit_time: reader.time("commit time")?,
    })
}

fn stream_abort<'a>(reader: &mut Reader<'a>, mode: Mode) -> Result<Message<'a>> {
    let xid = reader.valid_xid("transaction id")?;
    let subxid = reader.valid_xid("subtransaction id")?;
    let abort =
        if mode.parallel_abort { Some((reader.lsn("abort LSN")?, reader.time("abort time")?)) } else { None };
    Ok(Message::StreamAbort { xid, subxid, abort })
}

fn begin_prepare<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    Ok(Message::BeginPrepare {
        prepare_lsn: reader.valid_lsn("prepare LSN")?,
        end_lsn: reader.valid_lsn("end LSN")?,
        prepare_time: reader.time("prepare time")?,
        xid: reader.xid("transaction id")?,
        gid: reader.cstr("gid")?,
    })
}

fn prepare<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    no_flags(reader)?;
    Ok(Message::Prepare {
        prepare_lsn: reader.valid_lsn("prepare LSN")?,
        end_lsn: reader.valid_lsn("end LSN")?,
        prepare_time: reader.time("prepare time")?,
        xid: reader.xid("transaction id")?,
        gid: reader.cstr("gid")?,
    })
}

fn commit_prepared<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    no_flags(reader)?;
    Ok(Message::CommitPrepared {
        commit_lsn: reader.valid_lsn("commit LSN")?,
        end_lsn: reader.valid_lsn("end LSN")?,
        commit_time: reader.time("commit time")?,
        xid: reader.xid("transaction id")?,
        gid: reader.cstr("gid")?,
    })
}

fn rollback_prepared<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    no_flags(reader)?;
    Ok(Message::RollbackPrepared {
        prepare_end_lsn: reader.valid_lsn("prepare end LSN")?,
        rollback_end_lsn: reader.valid_lsn("rollback end LSN")?,
        prepare_time: reader.time("prepare time")?,
        rollback_time: reader.time("rollback time")?,
        xid: reader.xid("transaction id")?,
        gid: reader.cstr("gid")?,
    })
}

fn stream_prepare<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>> {
    no_flags(reader)?;
    Ok(Message::StreamPrepare {
        prepare_lsn: reader.valid_lsn("prepare LSN")?,
        end_lsn: reader.valid_lsn("end LSN")?,
        prepare_time: reader.time("prepare time")?,
        xid: reader.valid_xid("transaction id")?,
        gid: reader.cstr("gid")?,
    })
}

/// The id of the (sub)transaction, present only between Stream Start and Stream Stop.
#[inline]
fn stream_xid(reader: &mut Reader<'_>, mode: Mode) -> Result<Option<Xid>> {
    if mode.in_stream { reader.valid_xid("transaction id").map(Some) } else { Ok(None) }
}

/// A byte of flags of which none is defined yet.
fn no_flags(reader: &mut Reader<'_>) -> Result<()> {
    match reader.u8("flags")? {
        0 => Ok(()),
        flags => Err(unexpected(reader, "flags 0", flags)),
    }
}

/// The byte that was just read is none of the expected ones.
#[cold]
fn unexpected(reader: &Reader<'_>, expected: &'static str, byte: u8) -> DecodeError {
    DecodeError { offset: reader.offset().saturating_sub(1), ..reader.fail(expected, Got::Byte(byte)) }
}
