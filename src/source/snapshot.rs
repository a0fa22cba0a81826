//! What a snapshot reads: which tables may be read at all, what of them the publication leaves out of the stream, and the COPY
//! statement of each. A snapshot has the columns and rows that the stream has, or it would hold what no change ever updates.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Kind, Result};
use crate::lsn::Oid;

use super::quote::{identifier, qualified};
use super::sql::{Sql, value};

/// What the publication says of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Names of the columns that are published.
    pub columns: Vec<String>,
    /// The condition of the rows that are published, as SQL.
    pub row_filter: Option<String>,
}

/// By (schema, table).
pub type PublishedTables = BTreeMap<(String, String), Published>;

/// The tables of the publication; none before 15, which publishes them whole.
pub async fn published(sql: &Sql, publication: &str) -> Result<PublishedTables> {
    if !sql.version().at_least(15) {
        return Ok(BTreeMap::new());
    }
    let rows = sql.query(PUBLISHED, &[&publication]).await;
    let rows = rows.map_err(|error| error.context("read published columns and rows"))?;
    let table = |row| -> Result<_> {
        Ok((
            (value(row, 0)?, value(row, 1)?),
            Published { columns: value(row, 2)?, row_filter: value(row, 3)? },
        ))
    };
    rows.iter().map(table).collect()
}

/// Fails when the user may not read one of the tables.
///
/// # Errors
/// [`Kind::SourcePrivilege`] with the GRANT statements.
pub async fn check_privileges(sql: &Sql, tables: &[Oid]) -> Result<()> {
    let oids: Vec<u32> = tables.iter().map(|oid| oid.0).collect();
    let rows = sql.query(UNREADABLE, &[&oids]).await;
    let rows = rows.map_err(|error| error.context("check privileges of the snapshot"))?;
    let mut names = Vec::new();
    let mut user = String::new();
    for row in &rows {
        names.push(qualified(value(row, 0)?, value(row, 1)?));
        user = value(row, 2)?;
    }
    if names.is_empty() {
        return Ok(());
    }
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let detail =
        format!("the snapshot cannot read {} captured tables, for want of SELECT: {shown}", names.len());
    let hint = format!(
        "GRANT SELECT ON {} TO {}; -- and USAGE on their schemas; or narrow snapshot.tables, or set snapshot.mode = \"never\"",
        names.join(", "),
        identifier(&user)
    );
    Err(Error::new(Kind::SourcePrivilege, detail).with_hint(hint))
}

/// Those of `tables` whose rows belong to another one of them, which is partitioned.
pub async fn parts_of_others(sql: &Sql, tables: &[Oid]) -> Result<BTreeSet<u32>> {
    let oids: Vec<u32> = tables.iter().map(|oid| oid.0).collect();
    let rows = sql.query(PARTS, &[&oids]).await.map_err(|error| error.context("read partitions"))?;
    rows.iter().map(|row| value(row, 0)).collect()
}

/// What of a table is read, and how.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    pub columns: &'a [&'a str],
    /// What is read in its place.
    pub instead: Option<&'a str>,
    pub row_filter: Option<&'a str>,
    /// Rows of the tables that are its parts, or inherit from it, are its own.
    pub with_parts: bool,
}

/// The COPY statement.
#[must_use]
pub fn copy_statement(reading: &Reading<'_>) -> String {
    let Reading { schema, table, instead, row_filter, with_parts, .. } = *reading;
    let columns: Vec<_> = reading.columns.iter().map(|column| identifier(column)).collect();
    let (columns, table) = (columns.join(", "), qualified(schema, table));
    match (instead, row_filter) {
        (Some(statement), _) => format!("COPY (SELECT {columns} FROM ({statement}\n) AS instead) TO STDOUT"),
        // The short way, without the executor; it reads no parts and knows no empty list.
        (None, None) if !with_parts && !columns.is_empty() => format!("COPY {table} ({columns}) TO STDOUT"),
        (None, filter) => {
            let only = if with_parts { "" } else { "ONLY " };
            let condition = filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
            format!("COPY (SELECT {columns} FROM {only}{table}{condition}) TO STDOUT")
        }
    }
}

/// Names of tables in the text of an error.
const SHOWN: usize = 5;

const PUBLISHED: &str = "
SELECT schemaname::text, tablename::text, attnames::text[], rowfilter
FROM pg_publication_tables WHERE pubname = $1::text::name";

const UNREADABLE: &str = "
SELECT n.nspname::text, c.relname::text, current_user::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY($1::oid[])
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))
ORDER BY 1, 2";

const PARTS: &str = "
WITH RECURSIVE up(part, parent) AS (
    SELECT i.inhrelid, i.inhparent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
    WHERE i.inhrelid = ANY($1::oid[]) AND p.relkind = 'p'
    UNION
    SELECT up.part, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.parent)
SELECT DISTINCT part FROM up WHERE parent = ANY($1::oid[])";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_asked_for() {
        let plain = Reading {
            schema: "public",
            table: "a\"b",
            columns: &["id", "V"],
            instead: None,
            row_filter: None,
            with_parts: false,
        };
        for (reading, expected) in [
            (plain, "COPY \"public\".\"a\"\"b\" (\"id\", \"V\") TO STDOUT"),
            (
                Reading { with_parts: true, ..plain },
                "COPY (SELECT \"id\", \"V\" FROM \"public\".\"a\"\"b\") TO STDOUT",
            ),
            (Reading { columns: &[], ..plain }, "COPY (SELECT  FROM ONLY \"public\".\"a\"\"b\") TO STDOUT"),
            (
                Reading { row_filter: Some("(id > 5)"), ..plain },
                "COPY (SELECT \"id\", \"V\" FROM ONLY \"public\".\"a\"\"b\" WHERE (id > 5)) TO STDOUT",
            ),
            (
                Reading { instead: Some("SELECT * FROM a -- all"), row_filter: Some("(id > 5)"), ..plain },
                "COPY (SELECT \"id\", \"V\" FROM (SELECT * FROM a -- all\n) AS instead) TO STDOUT",
            ),
        ] {
            assert_eq!(copy_statement(&reading), expected);
        }
    }
}
