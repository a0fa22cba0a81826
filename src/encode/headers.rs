//! Headwater's own headers: `headwater.id` (the stable id of the record), `headwater.txid`, `headwater.lsn`, and
//! `headwater.unavailable` where a value was not sent, `headwater.undecoded` where a text did not fit its encoding. The `__debezium.context.*` headers never change, so the sink adds
//! them.

use super::records::push_header;
use super::writer::push_int;
use crate::lsn::{Lsn, Oid, Xid};

/// The headers of one transaction, cut where a record's own numbers go.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// Length and name of the first header.
    id_name: Vec<u8>,
    /// `<system_id>:<commit_lsn>:`
    id_prefix: Vec<u8>,
    /// The second header, and length and name of the third.
    txid: Vec<u8>,
}

impl Headers {
    /// Renders the parts for one transaction, or for a message outside of any.
    pub(super) fn begin(&mut self, system_id: u64, commit_lsn: Lsn, xid: Option<Xid>) {
        self.id_name.clear();
        push_name(&mut self.id_name, b"headwater.id");
        self.id_prefix.clear();
        for number in [system_id, commit_lsn.0] {
            push_int(&mut self.id_prefix, number);
            self.id_prefix.push(b':');
        }
        self.txid.clear();
        if let Some(xid) = xid {
            push_header(&mut self.txid, b"headwater.txid", itoa::Buffer::new().format(xid.0).as_bytes());
        }
        push_name(&mut self.txid, b"headwater.lsn");
    }

    /// Renders the parts for rows of one table in a snapshot at `lsn`: `<system_id>:<lsn>:r<oid>.` stands before the number of
    /// the row, which no record of a transaction has.
    pub(super) fn begin_snapshot(&mut self, system_id: u64, lsn: Lsn, xid: Xid, oid: Oid) {
        self.begin(system_id, lsn, Some(xid));
        self.id_prefix.push(b'r');
        push_int(&mut self.id_prefix, oid.0);
        self.id_prefix.push(b'.');
    }

    /// Appends the three headers of a record; `lsn` is decimal.
    #[inline]
    pub(super) fn push(&self, ordinal: u64, lsn: &[u8], out: &mut Vec<u8>) {
        let mut buffer = itoa::Buffer::new();
        let ordinal = buffer.format(ordinal).as_bytes();
        out.extend_from_slice(&self.id_name);
        push_len(out, self.id_prefix.len() + ordinal.len());
        out.extend_from_slice(&self.id_prefix);
        out.extend_from_slice(ordinal);
        out.extend_from_slice(&self.txid);
        push_len(out, lsn.len());
        out.extend_from_slice(lsn);
    }
}

/// A header's name, whose value follows.
fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    push_len(out, name.len());
    out.extend_from_slice(name);
}

/// The length in front of each part of a header, as [`push_header`] writes it. Ours are a few dozen bytes.
fn push_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}
