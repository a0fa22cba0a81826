//! What the stream does not say about tables and types, read from the system catalogs by OID.

use crate::lsn::Oid;

/// A table as `pg_class`, `pg_attribute`, `pg_index` and `pg_attrdef` describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDetails {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// In attribute order, dropped columns left out.
    pub columns: Vec<ColumnDetails>,
    /// Names of the columns of the record key, in the order of the index: the primary key; without one the replica
    /// identity index, else a unique index (all columns NOT NULL first, lowest OID); empty when there is none.
    pub key: Vec<String>,
}

/// A column of a [`TableDetails`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDetails {
    pub name: String,
    pub type_oid: Oid,
    pub typmod: i32,
    pub not_null: bool,
    /// `pg_get_expr` of the default; none for generated columns.
    pub default: Option<String>,
    /// GENERATED ALWAYS AS (…), stored or virtual.
    pub generated: bool,
}

/// A type as `pg_type` and `pg_enum` describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDetails {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    pub kind: TypeKind,
}

/// `typtype`, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    Base,
    /// A true array (`typsubscript = array_subscript_handler`, or `typelem` with `typlen = -1` and category `A`).
    Array {
        element: Box<TypeDetails>,
    },
    /// Labels in `enumsortorder`.
    Enum {
        labels: Vec<String>,
    },
    Domain {
        base: Box<TypeDetails>,
        typmod: i32,
    },
    Composite,
    Range,
    Multirange,
    Pseudo,
}
