//! What the stream has said of relations and types so far, by OID: the only thing of `decode` that outlives a message.
//! The server sends a Relation message before a relation's first change and again after every change of its shape, in
//! no order with respect to the catalog: the one in force is the last one received, not what `pg_attribute` says now.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::message::{ColumnRef, RelationBody, ReplicaIdentity, TypeBody};
use crate::lsn::Oid;

/// A relation as its last Relation message described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub oid: Oid,
    /// `pg_catalog` is spelled out.
    pub schema: String,
    pub name: String,
    pub replica_identity: ReplicaIdentity,
    /// In the order of the values of a row; dropped and unpublished columns are not in it.
    pub columns: Vec<RelationColumn>,
}

/// A column of a [`Relation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationColumn {
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    /// Part of the replica identity.
    pub key: bool,
}

/// A type that is not built in, as its last Type message named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    pub schema: String,
    pub name: String,
}

/// What a Relation message meant for the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The first message about this OID.
    New,
    /// It repeats what is known; the server sends it again after any invalidation, and in every streamed transaction.
    Same,
    /// A name, the replica identity or a column differs.
    Changed,
}

/// Relations and types by OID. Every relation has a slot, a dense number that it keeps for the session, so that other
/// stages can hold what they know of it in a plain vector.
#[derive(Debug, Default)]
pub struct RelationCache {
    relations: Vec<Relation>,
    slots: OidMap<u32>,
    types: OidMap<TypeName>,
    recent: Recent,
}

type OidMap<V> = HashMap<Oid, V, BuildHasherDefault<OidHasher>>;

impl RelationCache {
    /// Takes a Relation message; returns the slot and what has changed. A `Same` allocates nothing.
    pub fn replace(&mut self, body: &RelationBody<'_>) -> (u32, Change) {
        if let Some(slot) = self.get(body.oid) {
            let Some(known) = self.relations.get_mut(slot as usize) else {
                return (slot, Change::Same);
            };
            if known.is(body) {
                return (slot, Change::Same);
            }
            *known = Relation::from(body);
            return (slot, Change::Changed);
        }
        // Slots are numbered like OIDs, 32 bits, and there are fewer of them.
        let slot = u32::try_from(self.relations.len()).unwrap_or(u32::MAX);
        self.relations.push(Relation::from(body));
        self.slots.insert(body.oid, slot);
        self.recent.put(body.oid, slot);
        (slot, Change::New)
    }

    /// Puts back what was in force in `slot` before.
    pub fn restore(&mut self, slot: u32, relation: Relation) {
        if let Some(known) = self.relations.get_mut(slot as usize) {
            *known = relation;
        }
    }

    /// The slot of a relation; none if no Relation message named it yet, which the server never does before a row.
    #[inline]
    #[must_use]
    pub fn get(&self, oid: Oid) -> Option<u32> {
        self.recent.get(oid).or_else(|| self.slots.get(&oid).copied())
    }

    /// The relation in a slot.
    #[inline]
    #[must_use]
    pub fn relation(&self, slot: u32) -> Option<&Relation> {
        self.relations.get(slot as usize)
    }

    /// Every relation, by slot.
    #[must_use]
    pub fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// Takes a Type message.
    pub fn replace_type(&mut self, body: &TypeBody<'_>) {
        self.types.insert(
            body.oid,
            TypeName { schema: spelled(body.schema).to_owned(), name: body.name.to_owned() },
        );
    }

    /// The name of a type; none for built-in ones, which the server does not announce.
    #[must_use]
    pub fn type_name(&self, oid: Oid) -> Option<&TypeName> {
        self.types.get(&oid)
    }
}

impl Relation {
    fn is(&self, body: &RelationBody<'_>) -> bool {
        self.oid == body.oid
            && self.schema == spelled(body.schema)
            && self.name == body.name
            && self.replica_identity == body.replica_identity
            && self.columns.len() == body.columns.len()
            && self.columns.iter().zip(&body.columns).all(|(known, column)| known.is(&column))
    }
}

impl From<&RelationBody<'_>> for Relation {
    fn from(body: &RelationBody<'_>) -> Self {
        Self {
            oid: body.oid,
            schema: spelled(body.schema).to_owned(),
            name: body.name.to_owned(),
            replica_identity: body.replica_identity,
            columns: body.columns.iter().map(RelationColumn::from).collect(),
        }
    }
}

impl RelationColumn {
    fn is(&self, column: &ColumnRef<'_>) -> bool {
        self.name == column.name
            && self.type_oid == column.type_oid
            && self.typmod == column.typmod
            && self.key == column.key
    }
}

impl From<ColumnRef<'_>> for RelationColumn {
    fn from(column: ColumnRef<'_>) -> Self {
        Self {
            name: column.name.to_owned(),
            type_oid: column.type_oid,
            typmod: column.typmod,
            key: column.key,
        }
    }
}

/// An empty schema stands for `pg_catalog`.
fn spelled(schema: &str) -> &str {
    if schema.is_empty() { "pg_catalog" } else { schema }
}

/// In front of the hash map: the slot of the last relation added for each value of an OID's low bits. A transaction
/// goes round a few tables, whose OIDs lie close together, so one remembered OID would miss on most rows and this
/// hits on nearly all.
#[derive(Debug)]
struct Recent([Option<(Oid, u32)>; RECENT as usize]);

/// Entries of [`Recent`]; a power of two.
const RECENT: u32 = 64;

impl Default for Recent {
    fn default() -> Self {
        Self([None; RECENT as usize])
    }
}

impl Recent {
    #[inline]
    fn get(&self, oid: Oid) -> Option<u32> {
        match self.0.get((oid.0 % RECENT) as usize) {
            Some(Some((known, slot))) if *known == oid => Some(*slot),
            _ => None,
        }
    }

    fn put(&mut self, oid: Oid, slot: u32) {
        if let Some(entry) = self.0.get_mut((oid.0 % RECENT) as usize) {
            *entry = Some((oid, slot));
        }
    }
}

/// One multiplication: OIDs are numbers that the server counts up, nobody chooses them to collide.
#[derive(Debug, Default)]
struct OidHasher(u64);

impl Hasher for OidHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(GOLDEN);
        }
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.0 = u64::from(number).wrapping_mul(GOLDEN);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }
}

/// 2^64 divided by the golden ratio, odd.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Message, Mode, parse};

    /// A Relation message of one column.
    fn relation_message(oid: u32, schema: &str, name: &str, column: &str) -> Vec<u8> {
        let mut bytes = vec![b'R'];
        bytes.extend(oid.to_be_bytes());
        for text in [schema, name] {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        bytes.extend(b"d\0\x01\x01");
        bytes.extend(column.as_bytes());
        bytes.extend(b"\0\0\0\0\x17\xFF\xFF\xFF\xFF");
        bytes
    }

    fn replace(cache: &mut RelationCache, message: &[u8]) -> (u32, Change) {
        match parse(message, Mode::default()) {
            Ok(Message::Relation { relation, .. }) => cache.replace(&relation),
            other => panic!("not a relation: {other:?}"),
        }
    }

    #[test]
    fn tells_what_changed_and_keeps_the_slot() {
        let mut cache = RelationCache::default();
        let first = relation_message(16385, "public", "users", "id");
        assert_eq!(replace(&mut cache, &first), (0, Change::New));
        assert_eq!(replace(&mut cache, &relation_message(16390, "public", "orders", "id")), (1, Change::New));
        assert_eq!(replace(&mut cache, &first), (0, Change::Same));
        for changed in [
            relation_message(16385, "public", "users", "key"),
            relation_message(16385, "public", "people", "key"),
            relation_message(16385, "hr", "people", "key"),
        ] {
            assert_eq!(replace(&mut cache, &changed), (0, Change::Changed));
            assert_eq!(replace(&mut cache, &changed), (0, Change::Same));
        }
        let known = cache.relation(0).expect("slot 0 is taken");
        assert_eq!((known.schema.as_str(), known.name.as_str()), ("hr", "people"));
        assert_eq!(
            known.columns,
            [RelationColumn { name: "key".into(), type_oid: Oid(23), typmod: -1, key: true }]
        );
        assert_eq!(
            (cache.get(Oid(16385)), cache.get(Oid(16390)), cache.get(Oid(1))),
            (Some(0), Some(1), None)
        );
    }

    #[test]
    fn every_relation_is_found_however_oids_collide() {
        let mut cache = RelationCache::default();
        let oids: Vec<u32> = (0..500).map(|n| n * RECENT / 2).collect();
        for (slot, &oid) in (0..).zip(&oids) {
            assert_eq!(replace(&mut cache, &relation_message(oid, "", "t", "c")), (slot, Change::New));
        }
        for (slot, &oid) in (0..).zip(&oids) {
            assert_eq!(cache.get(Oid(oid)), Some(slot));
        }
        assert_eq!(cache.get(Oid(7)), None);
        assert_eq!(cache.relation(0).map(|first| first.schema.as_str()), Some("pg_catalog"));
    }

    #[test]
    fn types_by_oid() {
        let mut cache = RelationCache::default();
        cache.replace_type(&TypeBody { oid: Oid(16400), schema: "public", name: "mood" });
        let name = cache.type_name(Oid(16400)).expect("was just named");
        assert_eq!((name.schema.as_str(), name.name.as_str()), ("public", "mood"));
        assert_eq!(cache.type_name(Oid(25)), None);
    }
}
