//! What the stream does not say about tables and types, read from the system catalogs by OID. Each function is one
//! query, however many tables or types are asked for; the catalogs of 10 to 18 differ in few columns.

use std::collections::HashMap;

use crate::config::TablePatterns;
use crate::error::Result;
use crate::lsn::Oid;

use super::sql::{Sql, value};
use super::version::ServerVersion;

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
    /// `pg_get_expr` of the default; of generated columns, whose expression Debezium takes for one, only on its terms.
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
        /// `typdelim` of the element: a comma for all types but a few.
        delimiter: u8,
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

/// A table that can be captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedTable {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// A partitioned table: its rows are in its leaf partitions, which are tables of their own here.
    pub partitioned: bool,
}

/// Every ordinary and partitioned table of the database: no view, foreign, temporary, unlogged or system table.
pub async fn all_tables(sql: &Sql) -> Result<Vec<CapturedTable>> {
    let rows = sql.query(TABLES, &[]).await.map_err(|error| error.context("list tables"))?;
    rows.iter()
        .map(|row| {
            Ok(CapturedTable {
                oid: Oid(value(row, 0)?),
                schema: value(row, 1)?,
                name: value(row, 2)?,
                partitioned: value(row, 3)?,
            })
        })
        .collect()
}

/// Those of [`all_tables`] that the patterns mean.
pub async fn captured_tables(sql: &Sql, patterns: &TablePatterns) -> Result<Vec<CapturedTable>> {
    let mut tables = all_tables(sql).await?;
    tables.retain(|table| patterns.matches(&table.schema, &table.name));
    Ok(tables)
}

/// Columns and key of each of `tables`; those that do not exist any more are left out. `as_debezium`: without a primary key
/// and a replica identity the key is the first unique index by its name, be it of nullable columns, a partial one, or one that includes
/// more than it is unique by; what a generated column is generated from is its default.
pub async fn table_details(sql: &Sql, tables: &[Oid], as_debezium: bool) -> Result<Vec<TableDetails>> {
    let oids: Vec<u32> = tables.iter().map(|oid| oid.0).collect();
    let rows = sql.query(&details_query(sql.version(), as_debezium), &[&oids]).await;
    let rows = rows.map_err(|error| error.context("read table details"))?;
    let mut details: Vec<TableDetails> = Vec::with_capacity(tables.len());
    for row in &rows {
        let oid = Oid(value(row, 0)?);
        if details.last().is_none_or(|last| last.oid != oid) {
            let key = value::<Option<Vec<String>>>(row, 3)?.unwrap_or_default();
            details.push(TableDetails {
                oid,
                schema: value(row, 1)?,
                name: value(row, 2)?,
                columns: Vec::new(),
                key,
            });
        }
        // A table may have no column at all.
        let (Some(name), Some(table)) = (value::<Option<String>>(row, 4)?, details.last_mut()) else {
            continue;
        };
        table.columns.push(ColumnDetails {
            name,
            type_oid: Oid(value(row, 5)?),
            typmod: value(row, 6)?,
            not_null: value(row, 7)?,
            default: value(row, 8)?,
            generated: value(row, 9)?,
        });
    }
    Ok(details)
}

/// Each of `types` with everything it is made of; those that do not exist any more are left out.
pub async fn type_details(sql: &Sql, types: &[Oid]) -> Result<Vec<TypeDetails>> {
    let oids: Vec<u32> = types.iter().map(|oid| oid.0).collect();
    let rows = sql.query(&types_query(sql.version()), &[&oids]).await;
    let rows = rows.map_err(|error| error.context("read type details"))?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let kind: i8 = value(row, 3)?;
        let flat = FlatType {
            schema: value(row, 1)?,
            name: value(row, 2)?,
            kind: u8::from_ne_bytes(kind.to_ne_bytes()),
            array: value(row, 4)?,
            element: Oid(value(row, 5)?),
            base: Oid(value(row, 6)?),
            typmod: value(row, 7)?,
            labels: value::<Option<Vec<String>>>(row, 8)?.unwrap_or_default(),
            delimiter: u8::from_ne_bytes(value::<i8>(row, 9)?.to_ne_bytes()),
        };
        found.insert(Oid(value(row, 0)?), flat);
    }
    Ok(types.iter().filter_map(|oid| assemble(*oid, &found, MAX_TYPE_DEPTH)).collect())
}

/// A row of `pg_type`.
struct FlatType {
    schema: String,
    name: String,
    kind: u8,
    array: bool,
    element: Oid,
    base: Oid,
    typmod: i32,
    labels: Vec<String>,
    delimiter: u8,
}

fn assemble(oid: Oid, found: &HashMap<Oid, FlatType>, depth: usize) -> Option<TypeDetails> {
    let flat = found.get(&oid)?;
    let inner = |oid| assemble(oid, found, depth.checked_sub(1)?).map(Box::new);
    let kind = match flat.kind {
        // Before 14 a domain over an array has the look of an array: ask for the domain first.
        b'd' => TypeKind::Domain { base: inner(flat.base)?, typmod: flat.typmod },
        b'e' => TypeKind::Enum { labels: flat.labels.clone() },
        b'c' => TypeKind::Composite,
        b'r' => TypeKind::Range,
        b'm' => TypeKind::Multirange,
        b'p' => TypeKind::Pseudo,
        _ if flat.array => {
            TypeKind::Array { delimiter: found.get(&flat.element)?.delimiter, element: inner(flat.element)? }
        }
        _ => TypeKind::Base,
    };
    Some(TypeDetails { oid, schema: flat.schema.clone(), name: flat.name.clone(), kind })
}

/// Domains over domains are the only chain that users can make.
const MAX_TYPE_DEPTH: usize = 64;

const TABLES: &str = "
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY 2, 3";

/// One row per column; the key is that of the best index: primary, replica identity, all NOT NULL, oldest; or the first by its name.
fn details_query(version: ServerVersion, as_debezium: bool) -> String {
    let generated = if version.at_least(12) { "a.attgenerated <> ''" } else { "false" };
    let key_columns = if version.at_least(11) { "i.indnkeyatts" } else { "i.indnatts" };
    let (partial, included, order) = if as_debezium {
        ("true", "NOT (i.indisprimary OR i.indisreplident)", "indisclustered DESC, name")
    } else {
        ("i.indpred IS NULL", "false", "not_null DESC, indexrelid")
    };
    format!(
        "WITH wanted AS (SELECT unnest($1::oid[]) AS oid),
         indexes AS (
             SELECT i.indexrelid, i.indrelid, i.indisprimary, i.indisreplident, i.indisclustered,
                    (SELECT n.relname FROM pg_class n WHERE n.oid = i.indexrelid) AS name,
                    array_agg(a.attname::text ORDER BY k.position) AS key, bool_and(a.attnotnull) AS not_null
             FROM wanted w JOIN pg_index i ON i.indrelid = w.oid
             CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE i.indisunique AND i.indisvalid AND {partial} AND i.indexprs IS NULL
               AND (k.position <= {key_columns} OR {included})
             GROUP BY 1, 2, 3, 4, 5),
         keys AS (
             SELECT DISTINCT ON (indrelid) indrelid, key FROM indexes
             ORDER BY indrelid, indisprimary DESC, indisreplident DESC, {order})
         SELECT c.oid, n.nspname::text, c.relname::text, k.key,
                a.attname::text, a.atttypid, a.atttypmod, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull),
                CASE WHEN {generated} AND NOT {as_debezium} THEN NULL ELSE pg_get_expr(d.adbin, d.adrelid) END,
                {generated}
         FROM wanted w
         JOIN pg_class c ON c.oid = w.oid
         JOIN pg_namespace n ON n.oid = c.relnamespace
         LEFT JOIN keys k ON k.indrelid = c.oid
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         ORDER BY c.oid, a.attnum"
    )
}

fn types_query(version: ServerVersion) -> String {
    let array = if version.at_least(14) {
        "t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc"
    } else {
        "t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A'"
    };
    format!(
        "WITH RECURSIVE wanted(oid) AS (
             SELECT unnest($1::oid[])
             UNION
             SELECT inner_type FROM wanted w JOIN pg_type t ON t.oid = w.oid
             CROSS JOIN LATERAL (VALUES (t.typelem), (t.typbasetype)) AS v(inner_type)
             WHERE inner_type <> 0)
         SELECT t.oid, n.nspname::text, t.typname::text, t.typtype, {array},
                t.typelem, t.typbasetype, t.typtypmod,
                CASE WHEN t.typtype = 'e' THEN
                    (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
                     FROM pg_enum e WHERE e.enumtypid = t.oid) END,
                t.typdelim
         FROM wanted w JOIN pg_type t ON t.oid = w.oid JOIN pg_namespace n ON n.oid = t.typnamespace"
    )
}
