//! Which tables a snapshot reads, and what of each: what the stream would show of them, so that the two agree.
//!
//! In one point the two of Debezium do not agree: it reads a partitioned table and its partitions, both, whatever the stream
//! calls the rows. With `events.quirks = "debezium"` so does this; otherwise rows are read once, under the name that the stream
//! has for them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::TablePatterns;
use crate::decode::{Relation, RelationColumn, ReplicaIdentity};
use crate::encode::JsonEncoder;
use crate::error::{Error, Kind, Result};
use crate::event::{self, Selection, Table, TableSlot};
use crate::lsn::Oid;
use crate::run::prepare;
use crate::run::snapshot::Job;
use crate::run::start::selection;
use crate::source::catalog::{self, CapturedTable, TableDetails, TypeDetails};
use crate::source::publication;
use crate::source::snapshot::{self, Published, Reading};

/// A table and how it is read.
pub(in crate::run) struct Source {
    pub schema: String,
    pub name: String,
    pub table: Table,
    /// Values in a row.
    pub columns: u16,
    /// The COPY statement.
    pub statement: String,
    /// It reads what `snapshot.select_statement_overrides` says.
    overridden: bool,
}

impl Source {
    /// As in `source.tables`.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Says which table it was.
    pub(super) fn about(&self, error: Error) -> Error {
        let Self { schema, name, overridden, .. } = self;
        // 42: the statement is wrong, and will be the next time.
        if *overridden && error.sqlstate().is_some_and(|sqlstate| sqlstate.starts_with("42")) {
            let detail = format!("snapshot.select_statement_overrides.\"{schema}.{name}\" cannot be read");
            return Error::new(Kind::Config, detail)
                .with_hint("the statement must give all captured columns of the table, by their names")
                .with_source(error);
        }
        error.context(format!("read table {schema}.{name}"))
    }

    /// A table that is read without asking anybody for it.
    pub(in crate::run) fn of(table: Table, columns: u16) -> Self {
        let (schema, name) = (table.schema.clone(), table.name.clone());
        Self { schema, name, table, columns, statement: String::new(), overridden: false }
    }
}

/// The tables to be read, in the order of `source.tables` and of their names. Fails when one of them may not be read.
pub(super) async fn choose(job: &Job<'_>) -> Result<Vec<CapturedTable>> {
    let config = &*job.shared.config;
    let patterns = TablePatterns::new(&config.snapshot.tables, &[])?;
    let mut chosen: Vec<CapturedTable> =
        job.captured.iter().filter(|table| patterns.matches(&table.schema, &table.name)).cloned().collect();
    in_order(&mut chosen, &config.source.tables)?;
    if !config.events.modes.quirky() {
        let existing = publication::inspect(job.sql, &config.source.publication).await?;
        if existing.is_some_and(|publication| publication.via_root) {
            let parts = snapshot::parts_of_others(job.sql, &oids(&chosen)).await?;
            chosen.retain(|table| !parts.contains(&table.oid.0));
        } else {
            chosen.retain(|table| !table.partitioned);
        }
    }
    snapshot::check_privileges(job.sql, &oids(&chosen)).await?;
    for name in config.snapshot.select_statement_overrides.keys() {
        if !chosen.iter().any(|table| format!("{}.{}", table.schema, table.name) == *name) {
            tracing::warn!(
                table = name,
                "snapshot.select_statement_overrides has a table that the snapshot does not read"
            );
        }
    }
    Ok(chosen)
}

/// Debezium reads tables in the order of `table.include.list`.
fn in_order(tables: &mut [CapturedTable], patterns: &[String]) -> Result<()> {
    let patterns = patterns.iter().map(|pattern| TablePatterns::new(std::slice::from_ref(pattern), &[]));
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    tables.sort_by_cached_key(|table| {
        patterns.iter().position(|pattern| pattern.matches(&table.schema, &table.name))
    });
    Ok(())
}

fn oids(tables: &[CapturedTable]) -> Vec<Oid> {
    tables.iter().map(|table| table.oid).collect()
}

/// Columns, keys and statements of the tables, as the catalog has them now: they are locked. `encoder` is prepared for them.
pub(super) async fn describe(
    job: &mut Job<'_>,
    tables: &[CapturedTable],
    encoder: &mut JsonEncoder,
) -> Result<Vec<Source>> {
    let (config, sql) = (Arc::clone(&job.shared.config), Arc::clone(job.sql));
    let (config, sql) = (&*config, &*sql);
    let selection = selection(config)?;
    let details = catalog::table_details(sql, &oids(tables), config.events.modes.quirky()).await?;
    let mut types: Vec<Oid> =
        details.iter().flat_map(|table| table.columns.iter().map(|column| column.type_oid)).collect();
    types.sort_unstable();
    types.dedup();
    let types = catalog::type_details(sql, &types).await?;
    let types: HashMap<Oid, TypeDetails> = types.into_iter().map(|found| (found.oid, found)).collect();
    let published = snapshot::published(sql, &config.source.publication).await?;
    let quirky = config.events.modes.quirky();
    let mut sources = Vec::with_capacity(tables.len());
    for (CapturedTable { oid, schema, name, partitioned }, slot) in tables.iter().zip(0..) {
        let gone = || Error::new(Kind::SourceServer, format!("table {schema}.{name} was dropped"));
        let details = details.iter().find(|details| details.oid == *oid).ok_or_else(gone)?;
        let published = published.get(&(schema.clone(), name.clone()));
        let (columns, selected) = columns(&selection, details, published, quirky);
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let overrides = &config.snapshot.select_statement_overrides;
        let instead = overrides.get(&format!("{schema}.{name}")).map(String::as_str);
        let statement = snapshot::copy_statement(&Reading {
            schema,
            table: name,
            columns: &names,
            instead,
            row_filter: published.and_then(|published| published.row_filter.as_deref()),
            with_parts: quirky || *partitioned,
        });
        let relation = Relation {
            oid: *oid,
            schema: schema.clone(),
            name: name.clone(),
            replica_identity: ReplicaIdentity::Default,
            columns,
        };
        let find = |oid: Oid| types.get(&oid).cloned();
        let topic = job.router.table(schema, name);
        let mut table = event::resolve(&relation, (TableSlot(slot), topic), Some(details), find, &selected);
        let left_out = prepare::table(&mut table, &selection, encoder, job.router.name(topic));
        job.shared.metrics.table(schema, name).left_out_columns(left_out);
        sources.push(Source {
            schema: schema.clone(),
            name: name.clone(),
            // A table has 1,600 columns at most.
            columns: u16::try_from(relation.columns.len()).unwrap_or(u16::MAX),
            table,
            statement,
            overridden: instead.is_some(),
        });
    }
    Ok(sources)
}

/// The columns that are read, and for each whether it is written to `after`: those that are published, and of those the ones that
/// are captured or in the key. Debezium reads generated columns too, which the stream does not have.
fn columns(
    selection: &Selection,
    details: &TableDetails,
    published: Option<&Published>,
    quirky: bool,
) -> (Vec<RelationColumn>, Vec<bool>) {
    let names = details.columns.iter().map(|column| column.name.as_str());
    let selected = selection.columns(&details.schema, &details.name, names);
    let keys = selection.key_columns(&details.schema, &details.name);
    let in_key = |name: &String| details.key.contains(name) || keys.contains(&name.as_str());
    let streamed = |column: &catalog::ColumnDetails| match published {
        _ if column.generated && quirky => true,
        Some(published) => published.columns.contains(&column.name),
        None => !column.generated,
    };
    details
        .columns
        .iter()
        .zip(selected)
        .filter(|(column, selected)| streamed(column) && (*selected || in_key(&column.name)))
        .map(|(column, selected)| {
            let read = RelationColumn {
                name: column.name.clone(),
                type_oid: column.type_oid,
                typmod: column.typmod,
                key: false,
            };
            (read, selected)
        })
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::catalog::ColumnDetails;

    fn read(published: Option<&[&str]>, exclude: &[&str]) -> Vec<(String, bool)> {
        read_with(published, exclude, false)
    }

    fn read_with(published: Option<&[&str]>, exclude: &[&str], quirky: bool) -> Vec<(String, bool)> {
        let column = |name: &str, generated| ColumnDetails {
            name: name.into(),
            type_oid: Oid(23),
            typmod: -1,
            not_null: false,
            default: None,
            generated,
        };
        let details = TableDetails {
            oid: Oid(1),
            schema: "public".into(),
            name: "t".into(),
            columns: vec![column("id", false), column("a", false), column("g", true)],
            key: vec!["id".into()],
        };
        let mut source = crate::sink::sample::config("").source;
        source.exclude_columns = exclude.iter().map(|column| format!("public.t.{column}")).collect();
        let published = published.map(|columns| Published {
            columns: columns.iter().map(ToString::to_string).collect(),
            row_filter: None,
        });
        let (columns, selected) =
            columns(&Selection::new(&source).unwrap(), &details, published.as_ref(), quirky);
        columns.into_iter().map(|column| column.name).zip(selected).collect()
    }

    fn own(columns: &[(&str, bool)]) -> Vec<(String, bool)> {
        columns.iter().map(|(name, selected)| ((*name).to_owned(), *selected)).collect()
    }

    #[test]
    fn the_order_is_that_of_the_patterns_and_of_names() {
        let table = |schema: &str, name: &str| CapturedTable {
            oid: Oid(1),
            schema: schema.into(),
            name: name.into(),
            partitioned: false,
        };
        let mut tables = [table("a", "x"), table("a", "y"), table("b", "x"), table("b", "y")];
        in_order(&mut tables, &["b.y".into(), "a.*".into(), "*.*".into()]).unwrap();
        let names: Vec<_> = tables.iter().map(|table| format!("{}.{}", table.schema, table.name)).collect();
        assert_eq!(names, ["b.y", "a.x", "a.y", "b.x"]);
    }

    #[test]
    fn the_columns_are_those_of_the_stream() {
        assert_eq!(read(None, &[]), own(&[("id", true), ("a", true)]));
        assert_eq!(read(Some(&["id", "g"]), &[]), own(&[("id", true), ("g", true)]));
        assert_eq!(read(None, &["a"]), own(&[("id", true)]));
        assert_eq!(read(None, &["id"]), own(&[("id", false), ("a", true)]), "the key keeps it");
    }

    #[test]
    fn debezium_reads_generated_columns() {
        let all = own(&[("id", true), ("a", true), ("g", true)]);
        assert_eq!(read_with(None, &[], true), all);
        assert_eq!(read_with(Some(&["id", "a"]), &[], true), all);
        assert_eq!(read_with(Some(&["id", "a"]), &["g"], true), own(&[("id", true), ("a", true)]));
    }
}
