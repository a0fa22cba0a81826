//! Tables made while the stream runs: every `source.discover_interval` those that are captured and not yet published join the
//! publication, where Headwater keeps it. What was written to a table before it joined is not captured.
//!
//! A table without replica identity stays out: PostgreSQL would refuse UPDATE and DELETE on it to every application, and
//! nobody was asked. It joins when it has one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{Config, PublicationMode, Source, TablePatterns};
use crate::error::{Error, Kind, Result};
use crate::observe::Metrics;
use crate::source::Sql;
use crate::source::publication::{self, Unpublished};

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
    let tables = publication::unpublished(sql, source, patterns).await?;
    let (mute, joining): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| table.mute);
    let mut found = Found { mute, ..Found::default() };
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
