//! The publication: what it publishes, and the statements that make it publish exactly the captured tables. Planning
//! is pure; only [`ensure`] runs anything, and nothing when `source.publication_mode` is `disabled`. It comes before
//! the slot: decoding looks a publication up as of the change, so a slot must not be older.

use std::collections::BTreeSet;

use crate::config::{PublicationMode, Source, TablePatterns};
use crate::error::{Error, Kind, Result};
use crate::lsn::Oid;

use super::catalog::{self, CapturedTable};
use super::quote::{identifier, qualified};
use super::sql::{Sql, value};
use super::version::ServerVersion;

/// A publication as the catalogs describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    pub all_tables: bool,
    /// Named tables, as (schema, table).
    pub tables: BTreeSet<(String, String)>,
    /// FOR TABLES IN SCHEMA; from 15.
    pub schemas: BTreeSet<String>,
    /// Of `insert`, `update`, `delete` and `truncate` those that are published.
    pub operations: BTreeSet<String>,
    /// `publish_via_partition_root`; from 13.
    pub via_root: bool,
    /// The user may alter it.
    pub owned: bool,
}

impl Publication {
    /// Whether a change of the table is published.
    #[must_use]
    pub fn covers(&self, schema: &str, table: &str) -> bool {
        self.all_tables
            || self.schemas.contains(schema)
            || self.tables.contains(&(schema.to_owned(), table.to_owned()))
    }
}

/// The publication `name`, none when there is none.
pub async fn inspect(sql: &Sql, name: &str) -> Result<Option<Publication>> {
    let rows = sql.query(&inspect_query(sql.version()), &[&name]).await;
    let rows = rows.map_err(|error| error.context("read publication"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let schemas: Vec<String> = value::<Option<Vec<String>>>(row, 4)?.unwrap_or_default();
    let names: Vec<String> = value::<Option<Vec<String>>>(row, 5)?.unwrap_or_default();
    let of: Vec<String> = value::<Option<Vec<String>>>(row, 6)?.unwrap_or_default();
    Ok(Some(Publication {
        all_tables: value(row, 0)?,
        operations: value::<Vec<String>>(row, 1)?.into_iter().collect(),
        via_root: value(row, 2)?,
        owned: value(row, 3)?,
        schemas: schemas.into_iter().collect(),
        tables: of.into_iter().zip(names).collect(),
    }))
}

/// A publication that holds what is captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    pub captured: Vec<CapturedTable>,
    /// That were run.
    pub statements: Vec<String>,
}

/// Makes the publication of `source` hold what is captured. Two questions, however many tables there are.
///
/// # Errors
/// [`Kind::Publication`] when no table is captured, or when the publication is missing and may not be created;
/// [`Kind::SourcePrivilege`] with the statement to be run by somebody who may.
pub async fn ensure(sql: &Sql, source: &Source) -> Result<Prepared> {
    let patterns = TablePatterns::new(&source.tables, &source.exclude_tables)?;
    let (all, existing) = tokio::join!(catalog::all_tables(sql), inspect(sql, &source.publication));
    let all = all?;
    let captured: Vec<_> =
        all.iter().filter(|table| patterns.matches(&table.schema, &table.name)).cloned().collect();
    if captured.is_empty() {
        return Err(nothing_captured(&patterns, &all));
    }
    let statements = plan(source, existing?.as_ref(), &captured, sql.version())?;
    for statement in &statements {
        sql.execute(statement).await.map_err(|error| {
            let hint = format!("let the owner of the tables, or a superuser, run: {statement}");
            error.context("prepare publication").with_hint(hint)
        })?;
    }
    Ok(Prepared { captured, statements })
}

/// A captured table that the publication lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpublished {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// It has no replica identity: once it is published, PostgreSQL refuses UPDATE and DELETE on it.
    pub mute: bool,
}

/// Captured tables that the publication of `source` lacks: those that were made since [`ensure`], or since they were last
/// asked for. Partitions of a table that it has are not among them: it has them. One question.
pub async fn unpublished(sql: &Sql, source: &Source, patterns: &TablePatterns) -> Result<Vec<Unpublished>> {
    let rows = sql.query(&unpublished_query(sql.version()), &[&source.publication]).await;
    let rows = rows.map_err(|error| error.context("look for new tables"))?;
    let tables = rows.iter().map(|row| {
        Ok(Unpublished {
            schema: value(row, 0)?,
            name: value(row, 1)?,
            mute: value(row, 2)?,
            oid: Oid(value(row, 3)?),
        })
    });
    let mut tables: Vec<_> = tables.collect::<Result<_>>()?;
    tables.retain(|table| patterns.matches(&table.schema, &table.name));
    Ok(tables)
}

/// Adds tables to the publication of `source`, all or none; gives up soon where somebody else holds a lock on one.
///
/// # Errors
/// [`Kind::SourcePrivilege`] and what else the server says, with the statement to be run by somebody who may.
pub async fn add(sql: &Sql, source: &Source, tables: &[&Unpublished]) -> Result<()> {
    let list: Vec<_> = tables.iter().map(|table| qualified(&table.schema, &table.name)).collect();
    let statement =
        format!("ALTER PUBLICATION {} ADD TABLE {}", identifier(&source.publication), list.join(", "));
    // Both are one transaction, because they are sent as one.
    sql.execute(&format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; {statement}")).await.map_err(|error| {
        let hint = format!("let the owner of the tables, or a superuser, run: {statement}");
        error.context("add tables to the publication").with_hint(hint)
    })
}

/// The statements that bring the publication from what it is to what it should be.
pub(super) fn plan(
    source: &Source,
    existing: Option<&Publication>,
    captured: &[CapturedTable],
    version: ServerVersion,
) -> Result<Vec<String>> {
    let (name, quoted) = (&source.publication, identifier(&source.publication));
    let via_root = source.publish_via_partition_root && source.publication_mode != PublicationMode::Disabled;
    if via_root && !version.at_least(13) {
        let detail =
            format!("publication {name:?} cannot publish changes of partitions as those of their root");
        let hint = "leave source.publish_via_partition_root out, or upgrade to PostgreSQL 13 or newer";
        return Err(Error::new(Kind::Publication, detail).with_hint(hint));
    }
    let with = if via_root { " WITH (publish_via_partition_root = true)" } else { "" };
    let turned = existing.filter(|existing| via_root && !existing.via_root);
    let turn = turned.map(|_| format!("ALTER PUBLICATION {quoted} SET (publish_via_partition_root = true)"));
    let wanted = members(captured, version);
    let list = |tables: &[&(String, String)]| {
        tables.iter().map(|(schema, table)| qualified(schema, table)).collect::<Vec<_>>().join(", ")
    };
    match (source.publication_mode, existing) {
        (PublicationMode::Disabled, Some(_)) => Ok(Vec::new()),
        (PublicationMode::Disabled, None) => {
            let wanted: Vec<_> = wanted.iter().collect();
            let hint = format!("CREATE PUBLICATION {quoted} FOR TABLE {};", list(&wanted));
            let detail =
                format!("publication {name:?} does not exist, and source.publication_mode is \"disabled\"");
            Err(Error::new(Kind::Publication, detail).with_hint(hint))
        }
        (PublicationMode::AllTables, Some(existing)) if existing.all_tables => Ok(turn.into_iter().collect()),
        (PublicationMode::AllTables, Some(_)) => {
            let detail = format!("publication {name:?} is not FOR ALL TABLES, and cannot be altered to be");
            let hint = format!(
                "DROP PUBLICATION {quoted}; it is created again, or choose another source.publication"
            );
            Err(Error::new(Kind::Publication, detail).with_hint(hint))
        }
        (PublicationMode::AllTables, None) => {
            Ok(vec![format!("CREATE PUBLICATION {quoted} FOR ALL TABLES{with}")])
        }
        (PublicationMode::Tables, None) => {
            let wanted: Vec<_> = wanted.iter().collect();
            Ok(vec![format!("CREATE PUBLICATION {quoted} FOR TABLE {}{with}", list(&wanted))])
        }
        (PublicationMode::Tables, Some(existing)) if existing.all_tables => Ok(turn.into_iter().collect()),
        (PublicationMode::Tables, Some(existing)) => {
            let missing: Vec<_> =
                wanted.iter().filter(|(schema, table)| !existing.covers(schema, table)).collect();
            let surplus: Vec<_> = existing.tables.difference(&wanted).collect();
            let mut statements: Vec<String> = turn.into_iter().collect();
            if !missing.is_empty() {
                statements.push(format!("ALTER PUBLICATION {quoted} ADD TABLE {}", list(&missing)));
            }
            if !surplus.is_empty() {
                statements.push(format!("ALTER PUBLICATION {quoted} DROP TABLE {}", list(&surplus)));
            }
            Ok(statements)
        }
    }
}

/// What goes into the list: before 13 a partitioned table cannot, and its leaves are in the list anyway.
fn members(captured: &[CapturedTable], version: ServerVersion) -> BTreeSet<(String, String)> {
    let publishable = |table: &&CapturedTable| !table.partitioned || version.at_least(13);
    captured.iter().filter(publishable).map(|table| (table.schema.clone(), table.name.clone())).collect()
}

/// Says which patterns match nothing, and what there is.
pub(super) fn nothing_captured(patterns: &TablePatterns, all: &[CapturedTable]) -> Error {
    let unmatched = patterns.unmatched(&names(all));
    let mut detail = "source.tables and source.exclude_tables leave no table to capture".to_owned();
    if !unmatched.is_empty() {
        detail.push_str("; no table matches ");
        detail.push_str(&unmatched.join(", "));
    }
    let near = nearest(&unmatched, all);
    let hint = if near.is_empty() {
        "the database has no ordinary table that is permanent and logged; is source.database the right one?"
            .to_owned()
    } else {
        format!("correct source.tables; tables there are: {}", near.join(", "))
    };
    Error::new(Kind::Publication, detail).with_hint(hint)
}

/// Schema and name of each.
pub(super) fn names(tables: &[CapturedTable]) -> Vec<(&str, &str)> {
    tables.iter().map(|table| (table.schema.as_str(), table.name.as_str())).collect()
}

/// The tables whose names are most like the patterns.
pub(super) fn nearest(patterns: &[&str], all: &[CapturedTable]) -> Vec<String> {
    let mut names: Vec<_> = all
        .iter()
        .map(|table| {
            let name = format!("{}.{}", table.schema, table.name);
            let distance = patterns.iter().map(|pattern| strsim::damerau_levenshtein(pattern, &name)).min();
            (distance.unwrap_or(0), name)
        })
        .collect();
    names.sort();
    names.truncate(5);
    names.into_iter().map(|(_, name)| name).collect()
}

fn inspect_query(version: ServerVersion) -> String {
    let truncate = if version.at_least(11) { "p.pubtruncate" } else { "false" };
    let via_root = if version.at_least(13) { "p.pubviaroot" } else { "false" };
    let schemas = if version.at_least(15) {
        "(SELECT array_agg(n.nspname::text) FROM pg_publication_namespace pn
          JOIN pg_namespace n ON n.oid = pn.pnnspid WHERE pn.pnpubid = p.oid)"
    } else {
        "NULL::text[]"
    };
    let members = |column: &str| {
        format!(
            "(SELECT array_agg({column}::text ORDER BY c.oid) FROM pg_publication_rel r
              JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE r.prpubid = p.oid)"
        )
    };
    format!(
        "SELECT p.puballtables,
                array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                                   CASE WHEN p.pubdelete THEN 'delete' END,
                                   CASE WHEN {truncate} THEN 'truncate' END], NULL),
                {via_root}, pg_has_role(p.pubowner, 'USAGE'), {schemas}, {}, {}
         FROM pg_publication p WHERE p.pubname = $1::text::name",
        members("c.relname"),
        members("n.nspname")
    )
}

/// Like the tables of [`catalog::all_tables`], but not those that the publication has in any way.
fn unpublished_query(version: ServerVersion) -> String {
    let partitioned = if version.at_least(13) { ", 'p'" } else { "" };
    let by_schema = if version.at_least(15) {
        "AND NOT EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace)"
    } else {
        ""
    };
    let by_root = if version.at_least(13) {
        "AND NOT (c.relispartition AND EXISTS (SELECT FROM pg_publication_rel r
             WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT a.relid FROM pg_partition_ancestors(c.oid) a)))"
    } else {
        ""
    };
    format!(
        "SELECT n.nspname::text, c.relname::text,
                c.relkind = 'r' AND CASE c.relreplident
                    WHEN 'n' THEN true
                    WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
                    WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)
                    ELSE false END,
                c.oid
         FROM pg_publication p, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE p.pubname = $1::text::name AND NOT p.puballtables
           AND c.relkind IN ('r'{partitioned}) AND c.relpersistence = 'p' AND c.oid >= 16384
           AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
           AND NOT EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid)
           {by_schema} {by_root}
         ORDER BY 1, 2"
    )
}

/// Whoever uses a table while it is added or altered waits no longer.
pub const LOCK_TIMEOUT: &str = "500ms";

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    const V18: ServerVersion = ServerVersion(180_001);

    fn table(name: &str, partitioned: bool) -> CapturedTable {
        CapturedTable { oid: Oid(1), schema: "public".into(), name: name.into(), partitioned }
    }

    fn planned(
        mode: PublicationMode,
        existing: Option<&Publication>,
        version: ServerVersion,
    ) -> Result<Vec<String>> {
        let source = Source { publication_mode: mode, ..fixture::source(1) };
        plan(&source, existing, &[table("a\"b", false), table("p", true)], version)
    }

    fn holding(tables: &[&str]) -> Publication {
        let tables = tables.iter().map(|name| ("public".to_owned(), (*name).to_owned())).collect();
        Publication { tables, ..Publication::default() }
    }

    #[test]
    fn creates_what_is_absent() {
        let create = |mode, version| planned(mode, None, version).unwrap();
        assert_eq!(
            create(PublicationMode::Tables, V18),
            ["CREATE PUBLICATION \"shop\" FOR TABLE \"public\".\"a\"\"b\", \"public\".\"p\""]
        );
        assert_eq!(
            create(PublicationMode::Tables, ServerVersion(120_000)),
            ["CREATE PUBLICATION \"shop\" FOR TABLE \"public\".\"a\"\"b\""]
        );
        assert_eq!(create(PublicationMode::AllTables, V18), ["CREATE PUBLICATION \"shop\" FOR ALL TABLES"]);
        let error = planned(PublicationMode::Disabled, None, V18).unwrap_err();
        assert_eq!(error.kind(), Kind::Publication);
        assert!(error.hint().starts_with("CREATE PUBLICATION"));
    }

    #[test]
    fn adds_and_drops_tables() {
        let existing = holding(&["p", "old"]);
        assert_eq!(
            planned(PublicationMode::Tables, Some(&existing), V18).unwrap(),
            [
                "ALTER PUBLICATION \"shop\" ADD TABLE \"public\".\"a\"\"b\"",
                "ALTER PUBLICATION \"shop\" DROP TABLE \"public\".\"old\""
            ]
        );
    }

    #[test]
    fn publishes_partitions_as_their_root_when_told_to() {
        let planned = |mode, existing: Option<&Publication>, version| {
            let source =
                Source { publication_mode: mode, publish_via_partition_root: true, ..fixture::source(1) };
            plan(&source, existing, &[table("p", true)], version)
        };
        let all = Publication { all_tables: true, ..Publication::default() };
        let done = Publication { via_root: true, ..holding(&["p"]) };
        let alter = "ALTER PUBLICATION \"shop\" SET (publish_via_partition_root = true)";
        for (mode, existing, statements) in [
            (
                PublicationMode::Tables,
                None,
                vec![
                    "CREATE PUBLICATION \"shop\" FOR TABLE \"public\".\"p\" WITH (publish_via_partition_root = true)",
                ],
            ),
            (
                PublicationMode::AllTables,
                None,
                vec!["CREATE PUBLICATION \"shop\" FOR ALL TABLES WITH (publish_via_partition_root = true)"],
            ),
            (PublicationMode::Tables, Some(&holding(&["p"])), vec![alter]),
            (PublicationMode::AllTables, Some(&all), vec![alter]),
            (PublicationMode::Tables, Some(&done), vec![]),
            (PublicationMode::Disabled, Some(&holding(&["p"])), vec![]),
        ] {
            assert_eq!(planned(mode, existing, V18).unwrap(), statements, "{mode:?} {existing:?}");
        }
        let error = planned(PublicationMode::Tables, None, ServerVersion(120_000)).unwrap_err();
        assert_eq!(error.kind(), Kind::Publication);
    }

    #[test]
    fn leaves_alone_what_is_enough_or_not_ours() {
        let all = Publication { all_tables: true, ..Publication::default() };
        let schema = Publication { schemas: ["public".to_owned()].into(), ..Publication::default() };
        for (mode, existing) in [
            (PublicationMode::Tables, &holding(&["a\"b", "p"])),
            (PublicationMode::Tables, &all),
            (PublicationMode::Tables, &schema),
            (PublicationMode::AllTables, &all),
            (PublicationMode::Disabled, &holding(&[])),
        ] {
            assert!(planned(mode, Some(existing), V18).unwrap().is_empty(), "{mode:?} {existing:?}");
        }
        let error = planned(PublicationMode::AllTables, Some(&holding(&["p"])), V18).unwrap_err();
        assert_eq!(error.kind(), Kind::Publication);
    }

    #[test]
    fn says_what_there_is_when_nothing_matches() {
        let patterns = TablePatterns::new(&["public.order".into(), "sales.*".into()], &[]).unwrap();
        let error = nothing_captured(&patterns, &[table("orders", false), table("users", false)]);
        assert!(error.to_string().contains("public.order, sales.*"), "{error}");
        assert!(error.hint().contains("public.orders, public.users"), "{}", error.hint());
    }
}
