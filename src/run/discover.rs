//! Tables made while the stream runs: every `source.discover_interval` those that are captured and not yet published join the
//! publication, where Headwater keeps it. What was written to a table before it joined is not captured.
//!
//! First they get the replica identity that `source.replica_identity` says. A table without one stays out, unless that is what was
//! asked for: PostgreSQL would refuse UPDATE and DELETE on it to every application. It joins when it has one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Config, PublicationMode, Source, TablePatterns};
use crate::error::{Error, Kind, Result};
use crate::observe::Metrics;
use crate::source::publication::{self, Unpublished};
use crate::source::{Sql, identity};

/// Looks until the connection ends or the task is aborted.
pub(crate) async fn watch_tables(sql: Arc<Sql>, config: Arc<Config>, metrics: Metrics) {
    let source = &config.source;
    if source.publication_mode != PublicationMode::Tables || source.discover_interval.is_zero() {
        return;
    }
    // They were compiled at the start already.
    let Ok(patterns) = TablePatterns::new(&source.tables, &source.exclude_tables) else { return };
    let mut told = BTreeSet::new();
    let mut failing = false;
    loop {
        tokio::time::sleep(source.discover_interval).await;
        if sql.is_closed() {
            return;
        }
        match look(&sql, source, &patterns).await {
            Ok(found) => {
                tell(&found, &metrics, &mut told);
                failing = false;
            }
            // The session hears of that by itself.
            Err(error) if error.kind() == Kind::SourceUnreachable => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    let hint = error.hint();
                    tracing::warn!(%error, hint, "new tables cannot be looked for; it is tried again, and said once until it succeeds");
                }
            }
        }
    }
}

/// What became of the tables that were found.
#[derive(Default)]
struct Found {
    added: Vec<Unpublished>,
    mute: Vec<Unpublished>,
    refused: Vec<(Unpublished, Error)>,
}

async fn look(sql: &Sql, source: &Source, patterns: &TablePatterns) -> Result<Found> {
    let mut tables = publication::unpublished(sql, source, patterns).await?;
    let mut found = Found::default();
    if identify(sql, source, &mut tables, &mut found).await? {
        let refused = |table: &Unpublished| found.refused.iter().any(|(other, _)| other.oid == table.oid);
        tables = publication::unpublished(sql, source, patterns).await?;
        tables.retain(|table| !refused(table));
    }
    let mut joining = Vec::new();
    for table in tables {
        let stays_out = table.mute && !identity::is_mute_by_rule(source, &table.schema, &table.name)?;
        if stays_out { &mut found.mute } else { &mut joining }.push(table);
    }
    if joining.is_empty() {
        return Ok(found);
    }
    if publication::add(sql, source, &joining.iter().collect::<Vec<_>>()).await.is_ok() {
        found.added = joining;
        return Ok(found);
    }
    // One that may not join keeps no other out.
    for table in joining {
        match publication::add(sql, source, &[&table]).await {
            Ok(()) => found.added.push(table),
            Err(error) => found.refused.push((table, error)),
        }
    }
    Ok(found)
}

/// Gives the tables the replica identities that are asked for; whether one was changed. Those that it is not possible for stay out.
async fn identify(
    sql: &Sql,
    source: &Source,
    tables: &mut Vec<Unpublished>,
    found: &mut Found,
) -> Result<bool> {
    let oids: Vec<_> = tables.iter().map(|table| table.oid).collect();
    let mut changed = false;
    for change in identity::changes(sql, source, &oids).await? {
        match identity::set(sql, &change, Some(publication::LOCK_TIMEOUT)).await {
            Ok(()) => {
                tracing::info!(statement = change.statement, "set a replica identity");
                changed = true;
            }
            Err(error) => {
                let is_it = |table: &Unpublished| table.schema == change.schema && table.name == change.name;
                let at = tables.iter().position(is_it);
                found.refused.extend(at.map(|at| (tables.remove(at), error)));
            }
        }
    }
    Ok(changed)
}

/// Each table once.
fn tell(found: &Found, metrics: &Metrics, told: &mut BTreeSet<(String, String)>) {
    let pipeline = metrics.pipeline();
    pipeline.tables_added.inc_by(found.added.len() as u64);
    let left_out = found.mute.len() + found.refused.len();
    pipeline.tables_left_out.set(i64::try_from(left_out).unwrap_or(i64::MAX));
    let name = |table: &Unpublished| (table.schema.clone(), table.name.clone());
    for table in &found.added {
        told.remove(&name(table));
        let Unpublished { schema, name: table, .. } = table;
        tracing::info!(schema, table, "a new table joined the publication: it is captured from here on");
    }
    for table in found.mute.iter().filter(|table| told.insert(name(table))) {
        let Unpublished { schema, name: table, .. } = table;
        tracing::warn!(
            schema,
            table,
            "a new table has no replica identity and is not captured yet: give it a primary key or REPLICA IDENTITY FULL"
        );
    }
    for (table, error) in found.refused.iter().filter(|(table, _)| told.insert(name(table))) {
        let Unpublished { schema, name: table, .. } = table;
        tracing::warn!(schema, table, %error, hint = error.hint(), "a new table is not captured yet");
    }
}
