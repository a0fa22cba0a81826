//! The messages of `pgoutput`, protocols 1 to 4, as the manual lays them out
//! (<https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html>).
//! Everything was bounds-checked when the message was read, so iterating a [`Tuple`] cannot fail.

use crate::lsn::{Lsn, Oid, UnixMicros, Xid};

/// One message of the stream. Inside a streamed block the row messages carry the xid of their (sub)transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Message<'a> {
    Begin {
        final_lsn: Lsn,
        commit_time: UnixMicros,
        xid: Xid,
    },
    Commit {
        commit_lsn: Lsn,
        end_lsn: Lsn,
        commit_time: UnixMicros,
    },
    Origin {
        lsn: Lsn,
        name: &'a str,
    },
    Relation {
        xid: Option<Xid>,
        relation: RelationBody<'a>,
    },
    Type {
        xid: Option<Xid>,
        body: TypeBody<'a>,
    },
    Insert {
        xid: Option<Xid>,
        relation: Oid,
        new: Tuple<'a>,
    },
    Update {
        xid: Option<Xid>,
        relation: Oid,
        old: Option<OldTuple<'a>>,
        new: Tuple<'a>,
    },
    Delete {
        xid: Option<Xid>,
        relation: Oid,
        old: OldTuple<'a>,
    },
    Truncate {
        xid: Option<Xid>,
        cascade: bool,
        restart_identity: bool,
        relations: Oids<'a>,
    },
    /// Unlike a row, a message of a subtransaction carries the id of the whole transaction when it is streamed
    /// (`pgoutput_message`, seen in 15 and 18): whether a rolled-back savepoint took it along cannot be told from the
    /// stream: `run::streamed` gives streaming up then.
    Logical {
        xid: Option<Xid>,
        transactional: bool,
        lsn: Lsn,
        prefix: &'a str,
        content: &'a [u8],
    },
    StreamStart {
        xid: Xid,
        first_segment: bool,
    },
    StreamStop,
    StreamCommit {
        xid: Xid,
        commit_lsn: Lsn,
        end_lsn: Lsn,
        commit_time: UnixMicros,
    },
    StreamAbort {
        xid: Xid,
        subxid: Xid,
        abort: Option<(Lsn, UnixMicros)>,
    },
    BeginPrepare {
        prepare_lsn: Lsn,
        end_lsn: Lsn,
        prepare_time: UnixMicros,
        xid: Xid,
        gid: &'a str,
    },
    Prepare {
        prepare_lsn: Lsn,
        end_lsn: Lsn,
        prepare_time: UnixMicros,
        xid: Xid,
        gid: &'a str,
    },
    CommitPrepared {
        commit_lsn: Lsn,
        end_lsn: Lsn,
        commit_time: UnixMicros,
        xid: Xid,
        gid: &'a str,
    },
    RollbackPrepared {
        prepare_end_lsn: Lsn,
        rollback_end_lsn: Lsn,
        prepare_time: UnixMicros,
        rollback_time: UnixMicros,
        xid: Xid,
        gid: &'a str,
    },
    StreamPrepare {
        prepare_lsn: Lsn,
        end_lsn: Lsn,
        prepare_time: UnixMicros,
        xid: Xid,
        gid: &'a str,
    },
}

/// `relreplident`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// `d`
    Default,
    /// `n`
    Nothing,
    /// `f`
    Full,
    /// `i`
    Index,
}

/// A Relation message.
#[derive(Clone, Debug, PartialEq)]
pub struct RelationBody<'a> {
    pub oid: Oid,
    /// As sent: empty stands for `pg_catalog`.
    pub schema: &'a str,
    pub name: &'a str,
    pub replica_identity: ReplicaIdentity,
    pub columns: Columns<'a>,
}

/// The columns of a Relation message, already checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Columns<'a> {
    pub(super) count: u16,
    pub(super) body: &'a [u8],
}

/// One column of a Relation message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnRef<'a> {
    /// Part of the replica identity (flag 1).
    pub key: bool,
    pub name: &'a str,
    pub type_oid: Oid,
    pub typmod: i32,
}

/// A Type message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TypeBody<'a> {
    pub oid: Oid,
    pub schema: &'a str,
    pub name: &'a str,
}

/// A row, already checked: as many values as [`Tuple::len`] says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuple<'a> {
    pub(super) count: u16,
    pub(super) body: &'a [u8],
}

/// The old row of an update or delete.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OldTuple<'a> {
    /// `K`: only the columns of the replica identity are set, the others are null.
    Key(Tuple<'a>),
    /// `O`: the whole row (REPLICA IDENTITY FULL).
    Full(Tuple<'a>),
}

/// One value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    /// An out-of-line (TOASTed) value that the update did not change: not sent.
    Unchanged,
    /// As the type's output function prints it.
    Text(&'a [u8]),
    /// As the type's send function sends it.
    Binary(&'a [u8]),
}

/// The relations of a Truncate message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oids<'a> {
    pub(super) body: &'a [u8],
}

/// Iterates a [`Tuple`].
#[derive(Clone, Debug)]
pub struct TupleIter<'a> {
    pub(super) left: u16,
    pub(super) body: &'a [u8],
}
