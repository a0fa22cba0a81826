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
                mask: None,
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

impl Table {
    /// Makes `columns` the key, in their order; returns those that the table does not have. When it has none of them it keeps
    /// its own key.
    pub fn set_key<'a>(&mut self, columns: &[&'a str]) -> Vec<&'a str> {
        let mut key = Vec::with_capacity(columns.len());
        let mut missing = Vec::new();
        for name in columns {
            match self.columns.iter().position(|column| column.name == *name) {
                Some(index) if key.contains(&index) => {}
                Some(index) => key.push(index),
                None => missing.push(*name),
            }
        }
        if !key.is_empty() {
            self.key = key;
        }
        missing
    }
}

/// The catalog's key when the message has all its columns, and does not say that the primary key was another one when
/// the row was written; else the columns that the message flags.
fn key_of(relation: &Relation, details: Option<&TableDetails>, columns: &[Column]) -> Vec<usize> {
    let flagged: Vec<usize> =
        columns.iter().enumerate().filter(|(_, column)| column.identity).map(|(index, _)| index).collect();
    // With DEFAULT the flagged columns are the primary key of that time, in the order of the table.
    let known = relation.replica_identity == ReplicaIdentity::Default && !flagged.is_empty();
    let agrees = |key: &[usize]| {
        !known || (key.len() == flagged.len() && flagged.iter().all(|index| key.contains(index)))
    };
    if let Some(details) = details {
        let place = |name: &String| columns.iter().position(|column| &column.name == name);
        let key: Option<Vec<usize>> = details.key.iter().map(place).collect();
        if let Some(key) = key.filter(|key| agrees(key)) {
            return key;
        }
    }
    match relation.replica_identity {
        // Every column is flagged then, which is no key.
        ReplicaIdentity::Full | ReplicaIdentity::Nothing => Vec::new(),
        ReplicaIdentity::Default | ReplicaIdentity::Index => flagged,
    }
}

fn unknown_type(oid: Oid) -> TypeDetails {
    TypeDetails { oid, schema: String::new(), name: format!("oid {oid}"), kind: TypeKind::Base }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::RelationColumn;

    #[test]
    fn columns_that_were_asked_for_are_the_key() {
        use ReplicaIdentity::Default;
        let of = |columns: &[&'static str]| {
            let mut table = table(Default, [true, false, false], None);
            let missing = table.set_key(columns);
            (table.key, missing)
        };
        assert_eq!(of(&["c", "b", "c"]), (vec![2, 1], vec![]));
        assert_eq!(of(&["x", "b"]), (vec![1], vec!["x"]));
        assert_eq!(of(&["x"]), (vec![0], vec!["x"]), "its own");
        assert_eq!(of(&[]), (vec![0], vec![]));
    }

    fn key(identity: ReplicaIdentity, flagged: [bool; 3], catalog: Option<&[&str]>) -> Vec<usize> {
        table(identity, flagged, catalog).key
    }

    fn table(identity: ReplicaIdentity, flagged: [bool; 3], catalog: Option<&[&str]>) -> Table {
        let columns = ["a", "b", "c"].into_iter().zip(flagged);
        let columns = columns.map(|(name, key)| RelationColumn {
            name: name.into(),
            type_oid: Oid(25),
            typmod: -1,
            key,
        });
        let relation = Relation {
            oid: Oid(1),
            schema: "public".into(),
            name: "t".into(),
            replica_identity: identity,
            columns: columns.collect(),
        };
        let details = catalog.map(|key| TableDetails {
            oid: Oid(1),
            schema: "public".into(),
            name: "t".into(),
            columns: Vec::new(),
            key: key.iter().map(ToString::to_string).collect(),
        });
        resolve(&relation, (TableSlot(0), TopicId(0)), details.as_ref(), |_| None, &[])
    }

    #[test]
    fn the_catalog_orders_the_key_and_does_not_replace_it() {
        use ReplicaIdentity::{Default, Full, Index};
        assert_eq!(key(Default, [true, true, false], Some(&["b", "a"])), [1, 0]);
        assert_eq!(key(Default, [true, false, false], Some(&["b"])), [0], "another primary key by now");
        assert_eq!(key(Default, [true, false, false], Some(&[])), [0], "no primary key by now");
        assert_eq!(key(Default, [true, false, false], None), [0], "no table by now");
        assert_eq!(key(Default, [false, false, false], Some(&["b"])), [1], "a unique index");
        assert_eq!(key(Index, [false, true, false], Some(&["a"])), [0]);
        assert_eq!(key(Full, [true, true, true], Some(&["c"])), [2]);
        assert_eq!(key(Full, [true, true, true], Some(&["gone"])), [0; 0]);
    }
}
