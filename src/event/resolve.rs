//! A [`Table`] made from a Relation message and what the catalog adds to it.
//!
//! The Relation message rules: its columns are the columns of the rows that follow. The catalog is read later than the
//! row was written, so a column is only believed where name and type agree with the message.

use crate::decode::{Relation, ReplicaIdentity};
use crate::event::{Column, Table, TableSlot, TopicId};
use crate::lsn::Oid;
use crate::source::catalog::{ColumnDetails, TableDetails, TypeDetails, TypeKind};

/// Builds the table that `relation` describes. `details` is none when the table is gone from the catalog; `types` finds
/// a type by OID, `selected` says for each column whether it is captured.
pub fn resolve(
    relation: &Relation,
    place: (TableSlot, TopicId),
    details: Option<&TableDetails>,
    types: impl Fn(Oid) -> Option<TypeDetails>,
    selected: &[bool],
) -> Table {
    let described = |name: &str, type_oid: Oid| -> Option<&ColumnDetails> {
        details?.columns.iter().find(|column| column.name == name && column.type_oid == type_oid)
    };
    let columns: Vec<Column> = relation
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let described = described(&column.name, column.type_oid);
            Column {
                name: column.name.clone(),
                ty: types(column.type_oid).unwrap_or_else(|| unknown_type(column.type_oid)),
                typmod: column.typmod,
                not_null: described.is_some_and(|column| column.not_null),
                default: described.and_then(|column| column.default.clone()),
                identity: column.key,
                selected: selected.get(index).copied().unwrap_or(true),
            }
        })
        .collect();
    let key = key_of(relation, details, &columns);
    let (slot, topic) = place;
    Table {
        slot,
        oid: relation.oid,
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        topic,
        replica_identity: relation.replica_identity,
        columns,
        key,
    }
}

/// The catalog's key when the message has all its columns; for a table that is gone, its replica identity.
fn key_of(relation: &Relation, details: Option<&TableDetails>, columns: &[Column]) -> Vec<usize> {
    if let Some(details) = details {
        let place = |name: &String| columns.iter().position(|column| &column.name == name);
        let key: Option<Vec<usize>> = details.key.iter().map(place).collect();
        if let Some(key) = key {
            return key;
        }
    }
    match relation.replica_identity {
        // Every column is flagged then, which is no key.
        ReplicaIdentity::Full | ReplicaIdentity::Nothing => Vec::new(),
        ReplicaIdentity::Default | ReplicaIdentity::Index => {
            columns.iter().enumerate().filter(|(_, column)| column.identity).map(|(index, _)| index).collect()
        }
    }
}

fn unknown_type(oid: Oid) -> TypeDetails {
    TypeDetails { oid, schema: String::new(), name: format!("oid {oid}"), kind: TypeKind::Base }
}
