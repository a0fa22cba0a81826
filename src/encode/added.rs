//! Fields of the envelope that the flat form keeps, in the row or as headers. Their schemas are those of the envelope, but
//! that each may be null and none has a default, as Connect's `SchemaUtil.copySchemaBasics` leaves them.

use super::envelope::EncodeSettings;
use super::schema::fixed::SNAPSHOTS;
use super::schema::{Schema, structs};
use super::source::Said;
use super::writer::{push_int, push_string};
use crate::event::{Event, Op, Table};
use crate::flat::Metadata;

/// Where fields are taken from: an event, and what its transaction shares.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub event: &'a Event<'a>,
    pub said: &'a Said,
    /// The event's, in decimal.
    pub lsn: &'a [u8],
    /// The wall clock in nanoseconds since 1970.
    pub now_ns: i64,
    /// `source.snapshot` of the stream is a default, which this form does not have: null.
    pub quirky: bool,
}

/// How texts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Of a row.
    Json,
    /// Of a header: bare.
    Header,
}

/// What a field says in every event of a table; none when that changes.
pub(super) fn fixed<'a>(
    metadata: Metadata,
    settings: &'a EncodeSettings,
    table: &'a Table,
) -> Option<&'a str> {
    match metadata {
        Metadata::Version => Some(&settings.version),
        Metadata::Connector => Some("postgresql"),
        Metadata::Name => Some(&settings.name),
        Metadata::Db => Some(&settings.database),
        Metadata::Schema => Some(&table.schema),
        Metadata::Table => Some(&table.name),
        _ => None,
    }
}

/// Appends a text of ours or a name of the database, which are UTF-8 here.
pub(super) fn push_text(text: &str, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::Json => {
            let _ = push_string(out, text.as_bytes());
        }
        Form::Header => out.extend_from_slice(text.as_bytes()),
    }
}

/// Appends a field that is not [`fixed`]; false, and nothing, when it is null.
pub(super) fn push(metadata: Metadata, moment: &Moment<'_>, form: Form, out: &mut Vec<u8>) -> bool {
    let Moment { event, said, lsn, now_ns, quirky } = *moment;
    match metadata {
        Metadata::Op => push_text(letter(event.op), form, out),
        Metadata::Ms => push_int(out, now_ns.div_euclid(1_000_000)),
        Metadata::Us => push_int(out, now_ns.div_euclid(1000)),
        Metadata::Ns => push_int(out, now_ns),
        Metadata::SourceMs => push_int(out, said.micros.div_euclid(1000)),
        Metadata::SourceUs => push_int(out, said.micros),
        Metadata::SourceNs => push_int(out, i128::from(said.micros) * 1000),
        Metadata::Snapshot => match said.snapshot {
            Some(record) => push_text(record.name(), form, out),
            None if quirky => return false,
            None => push_text("false", form, out),
        },
        Metadata::Sequence => push_quoted(form, out, |out| push_sequence(said, lsn, form, out)),
        Metadata::Lsn => out.extend_from_slice(lsn),
        Metadata::TxId => match said.xid {
            Some(xid) => push_int(out, xid.0),
            None => return false,
        },
        Metadata::Origin => match &said.origin {
            Some((name, _)) => push_text(name, form, out),
            None => return false,
        },
        Metadata::OriginLsn => match said.origin {
            Some((_, lsn)) => push_int(out, lsn.0),
            None => return false,
        },
        Metadata::TransactionId => match said.xid.filter(|_| said.block) {
            Some(xid) => push_quoted(form, out, |out| {
                push_int(out, xid.0);
                out.push(b':');
                out.extend_from_slice(lsn);
            }),
            None => return false,
        },
        Metadata::TotalOrder if said.block => push_int(out, event.total_order),
        Metadata::DataCollectionOrder if said.block => push_int(out, event.data_collection_order),
        Metadata::TotalOrder
        | Metadata::DataCollectionOrder
        | Metadata::Xmin
        // The others are rendered with the plan.
        | Metadata::Version
        | Metadata::Connector
        | Metadata::Name
        | Metadata::Db
        | Metadata::Schema
        | Metadata::Table => return false,
    }
    true
}

const fn letter(op: Op) -> &'static str {
    match op {
        Op::Create => "c",
        Op::Update => "u",
        Op::Delete => DELETE,
        Op::Truncate => "t",
        Op::Read => "r",
    }
}

/// `op` of a delete.
pub(super) const DELETE: &str = "d";

fn push_quoted(form: Form, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let quote: &[u8] = if form == Form::Json { b"\"" } else { b"" };
    out.extend_from_slice(quote);
    write(out);
    out.extend_from_slice(quote);
}

/// `["<previous>","<lsn>"]`
fn push_sequence(said: &Said, lsn: &[u8], form: Form, out: &mut Vec<u8>) {
    let quote: &[u8] = if form == Form::Json { b"\\\"" } else { b"\"" };
    out.push(b'[');
    match said.previous {
        Some(previous) => {
            out.extend_from_slice(quote);
            push_int(out, previous.0);
            out.extend_from_slice(quote);
        }
        None => out.extend_from_slice(b"null"),
    }
    for part in [b",", quote, lsn, quote, b"]"] {
        out.extend_from_slice(part);
    }
}

/// The schema of a field.
pub(super) fn schema(metadata: Metadata) -> Schema {
    match metadata {
        Metadata::Op
        | Metadata::Version
        | Metadata::Connector
        | Metadata::Name
        | Metadata::Db
        | Metadata::Sequence
        | Metadata::Schema
        | Metadata::Table
        | Metadata::Origin
        | Metadata::TransactionId => Schema::of(structs::STRING),
        Metadata::Snapshot => Schema::of(structs::STRING)
            .named("io.debezium.data.Enum", 1)
            .with("allowed", SNAPSHOTS.to_owned()),
        Metadata::Ms
        | Metadata::Us
        | Metadata::Ns
        | Metadata::SourceMs
        | Metadata::SourceUs
        | Metadata::SourceNs
        | Metadata::TxId
        | Metadata::Lsn
        | Metadata::Xmin
        | Metadata::OriginLsn
        | Metadata::TotalOrder
        | Metadata::DataCollectionOrder => Schema::of(structs::INT64),
    }
}
