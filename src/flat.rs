//! What the flat form of events is to be: rows without their envelope, as Debezium's transformation `ExtractNewRecordState` 3.7
//! makes them. It belongs to no stage: the configuration reads it, and the encoder applies it.

use crate::modes::DeleteHandling;

/// `events.envelope = "flat"`, and what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flat {
    pub deletes: DeleteHandling,
    /// Behind the columns of each row, in this order.
    pub fields: Vec<Added>,
    /// Headers of each record, likewise.
    pub headers: Vec<Added>,
}

/// A field of the envelope that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// What it is called, with the prefix.
    pub name: String,
    pub from: From,
}

/// Where a value is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Envelope(Metadata),
    /// A column of one of the two rows, by the name of its field.
    Column(Side, String),
}

/// One of the two rows of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// A field of the envelope that is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    Op,
    /// `ts_ms` of the event; those of the source are `SourceMs` and so on.
    Ms,
    Us,
    Ns,
    Version,
    Connector,
    Name,
    SourceMs,
    Snapshot,
    Db,
    Sequence,
    SourceUs,
    SourceNs,
    Schema,
    Table,
    TxId,
    Lsn,
    Xmin,
    Origin,
    OriginLsn,
    TransactionId,
    TotalOrder,
    DataCollectionOrder,
}
use Metadata::{
    Connector, DataCollectionOrder, Db, Lsn, Ms, Name, Ns, Op, Origin, OriginLsn, Schema, Sequence, Snapshot,
    SourceMs, SourceNs, SourceUs, Table, TotalOrder, TransactionId, TxId, Us, Version, Xmin,
};

impl Metadata {
    /// The fields beside the blocks. They are found under `source.` too.
    const EVENT: [(&'static str, Self); 4] = [("op", Op), ("ts_ms", Ms), ("ts_us", Us), ("ts_ns", Ns)];
    const SOURCE: [(&'static str, Self); 16] = [
        ("version", Version),
        ("connector", Connector),
        ("name", Name),
        ("ts_ms", SourceMs),
        ("snapshot", Snapshot),
        ("db", Db),
        ("sequence", Sequence),
        ("ts_us", SourceUs),
        ("ts_ns", SourceNs),
        ("schema", Schema),
        ("table", Table),
        ("txId", TxId),
        ("lsn", Lsn),
        ("xmin", Xmin),
        ("origin", Origin),
        ("origin_lsn", OriginLsn),
    ];
    const TRANSACTION: [(&'static str, Self); 3] =
        [("id", TransactionId), ("total_order", TotalOrder), ("data_collection_order", DataCollectionOrder)];

    /// That of a name without a block.
    #[must_use]
    pub fn of_event(name: &str) -> Option<Self> {
        find(&Self::EVENT, name)
    }
}

fn find(fields: &[(&'static str, Metadata)], name: &str) -> Option<Metadata> {
    fields.iter().find(|(known, _)| *known == name).map(|(_, metadata)| *metadata)
}

impl Added {
    /// Reads `field`, `block.field` or either with `:NAME` behind it, as `add.fields` has them: without a block the field
    /// is looked for where it is, and `block_field` is the name unless another is given.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the entry.
    pub fn parse(prefix: &str, entry: &str) -> Result<Self, &'static str> {
        let (path, renamed) = entry.split_once(':').map_or((entry, None), |(path, name)| (path, Some(name)));
        if renamed.is_some_and(|name| name.is_empty() || name.contains(':')) {
            return Err("does not end in :NAME");
        }
        let (block, field) = path.split_once('.').map_or((None, path), |(block, field)| (Some(block), field));
        if field.is_empty() || field.contains('.') {
            return Err("is not of the form field or block.field");
        }
        let source = || find(&Metadata::SOURCE, field);
        let event = || Metadata::of_event(field);
        let transaction = || find(&Metadata::TRANSACTION, field);
        let metadata = match block {
            None => transaction().or_else(event).or_else(source),
            Some("source") => source().or_else(event),
            Some("transaction") => transaction(),
            Some("before") => return Ok(Self::column(prefix, Side::Before, (path, field), renamed)),
            Some("after") => return Ok(Self::column(prefix, Side::After, (path, field), renamed)),
            Some(_) => return Err("names no block: there are source, transaction, before and after"),
        };
        let metadata = metadata.ok_or(match field {
            "source" | "transaction" | "before" | "after" if block.is_none() => {
                "is a whole block, where a field is wanted"
            }
            _ => "is no field of an event",
        })?;
        Ok(Self { name: named(prefix, path, renamed), from: From::Envelope(metadata) })
    }

    fn column(prefix: &str, side: Side, (path, field): (&str, &str), renamed: Option<&str>) -> Self {
        Self { name: named(prefix, path, renamed), from: From::Column(side, field.to_owned()) }
    }
}

fn named(prefix: &str, path: &str, renamed: Option<&str>) -> String {
    renamed.map_or_else(|| format!("{prefix}{}", path.replace('.', "_")), |name| format!("{prefix}{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_they_are() {
        let parsed = |entry| Added::parse("__", entry).map(|added| (added.name, added.from));
        let metadata = |name: &str, metadata| Ok((name.to_owned(), From::Envelope(metadata)));
        assert_eq!(parsed("op"), metadata("__op", Op));
        assert_eq!(parsed("ts_ms"), metadata("__ts_ms", Ms));
        assert_eq!(parsed("source.ts_ms"), metadata("__source_ts_ms", SourceMs));
        assert_eq!(parsed("lsn:at"), metadata("__at", Lsn));
        assert_eq!(parsed("id"), metadata("__id", TransactionId));
        assert_eq!(parsed("transaction.id"), metadata("__transaction_id", TransactionId));
        assert_eq!(parsed("source.op:OP"), metadata("__OP", Op));
        let column = |name: &str, side, field: &str| Ok((name.to_owned(), From::Column(side, field.into())));
        assert_eq!(parsed("before.name"), column("__before_name", Side::Before, "name"));
        assert_eq!(parsed("after.op:now"), column("__now", Side::After, "op"));
        assert_eq!(Added::parse("", "table").unwrap().name, "table");
    }

    #[test]
    fn what_is_no_field_is_said() {
        for (entry, reason) in [
            ("", "form"),
            ("source.", "form"),
            ("source.a.b", "form"),
            ("op:", ":NAME"),
            ("op:a:b", ":NAME"),
            ("source", "whole block"),
            ("before", "whole block"),
            ("nothing", "no field"),
            ("transaction.op", "no field"),
            ("else.op", "no block"),
        ] {
            let said = Added::parse("__", entry).unwrap_err();
            assert!(said.contains(reason), "{entry}: {said}");
        }
    }
}
