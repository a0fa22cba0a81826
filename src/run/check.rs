//! `headwater check`: every obstacle on both sides at once, each with what removes it.

use std::io::Write;

use crate::config::{Config, Sink, SnapshotMode, TablePatterns, TransactionMetadata};
use crate::error::{Error, Kind, Result};
use crate::event::Router;
use crate::lsn::Oid;
use crate::obstacle::Obstacle;
use crate::run::outlook::{Outlook, outlook};
use crate::source::Sql;
use crate::source::catalog::{self, CapturedTable};
use crate::source::snapshot::check_privileges;
use crate::spool;

/// Asks both sides of each pipeline and writes what stands in the way; the exit code is 69 when anything does. With `several`
/// each line begins with the name of the pipeline that it is about.
pub async fn check(pipelines: Vec<Config>, several: bool, out: &mut (impl Write + Send)) -> Result<u8> {
    let unwritten = |error| Error::new(Kind::File, "standard output cannot be written").with_source(error);
    // At once, as each may wait for a server that is not there; told in their order.
    let asked: Vec<_> = pipelines
        .into_iter()
        .map(|config| (config.name.clone(), tokio::spawn(async move { obstacles(&config).await })))
        .collect();
    let mut code = 0;
    for (name, asked) in asked {
        let panicked = |error| Error::new(Kind::Internal, "the check panicked").with_source(error);
        let obstacles = asked.await.map_err(panicked)??;
        if obstacles.iter().any(|obstacle| obstacle.fatal) {
            code = 69;
        }
        let prefix = if several { format!("{name}: ") } else { String::new() };
        report(&obstacles, &prefix, out).map_err(unwritten)?;
    }
    Ok(code)
}

async fn obstacles(config: &Config) -> Result<Vec<Obstacle>> {
    let mut obstacles = crate::source::check::preflight(&config.name, &config.source).await;
    // Behind it, so as not to count among the walsenders that it finds.
    let (of_sink, outlook) = tokio::join!(sink(config), outlook(config));
    obstacles.extend(of_sink?);
    let reads_tables = outlook.as_ref().and_then(Outlook::reads_tables);
    if let Some(outlook) = outlook {
        outlook.tell(&mut obstacles);
    }
    obstacles.extend(snapshot(config, reads_tables).await);
    obstacles.extend(spool(config));
    Ok(obstacles)
}

async fn sink(config: &Config) -> Result<Vec<Obstacle>> {
    if config.sink != Sink::Kafka {
        return Ok(Vec::new());
    }
    let topics = topics(config).await;
    let config = config.clone();
    let found = tokio::task::spawn_blocking(move || {
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        crate::sink::check::preflight(&config, &topics)
    });
    let panicked = |error| Error::new(Kind::Internal, "the check of Kafka panicked").with_source(error);
    found.await.map_err(panicked)
}

/// What the next start could not read; `reads_tables`: whether it will, as far as that is known.
async fn snapshot(config: &Config, reads_tables: Option<bool>) -> Option<Obstacle> {
    if config.snapshot.mode == SnapshotMode::Never || reads_tables == Some(false) {
        return None;
    }
    // What does not answer is an obstacle already.
    let sql = Sql::connect(&config.name, &config.source).await.ok()?;
    let patterns = TablePatterns::new(&config.snapshot.tables, &[]).ok()?;
    let tables = captured(config).await.ok()?.into_iter();
    let read = tables.filter(|table| patterns.matches(&table.schema, &table.name));
    let oids: Vec<Oid> = read.map(|table| table.oid).collect();
    let error = check_privileges(&sql, &oids).await.err()?;
    Some(Obstacle {
        what: error.to_string(),
        why: "without a checkpoint the tables are read before changes are captured (snapshot.mode)"
            .to_owned(),
        repair: error.hint().to_owned(),
        fatal: reads_tables == Some(true),
    })
}

/// A spool that cannot be used does not stop the pipeline, but somebody wanted it.
fn spool(config: &Config) -> Option<Obstacle> {
    let directory = config.limits.spool_dir.clone()?;
    let shown = directory.display().to_string();
    let settings =
        spool::Settings { directory, name: config.name.clone(), limit: config.limits.spool, buffer: 0 };
    let why = spool::probe(&settings).err()?;
    Some(Obstacle {
        what: "limits.spool_dir".to_owned(),
        why: format!("{why}; large transactions will be sent at their commit"),
        repair: format!("install -d -m 700 -o \"$(id -un)\" '{shown}'   # as the user that runs headwater"),
        fatal: false,
    })
}

/// The topics that would be written to; without those of tables when the database does not tell them.
async fn topics(config: &Config) -> Vec<String> {
    let mut router = Router::new(&config.name, &config.topics.pattern);
    if config.events.transaction_metadata == TransactionMetadata::Full {
        router.named(&config.topics.transaction);
    }
    if config.events.heartbeat_interval.is_some() {
        router.named(&config.topics.heartbeat);
    }
    if let Some(topic) = &config.topics.notification {
        router.named(topic);
    }
    for table in captured(config).await.unwrap_or_default() {
        router.table(&table.schema, &table.name);
    }
    router.names_from(0).map(|(_, name)| name.to_owned()).collect()
}

async fn captured(config: &Config) -> Result<Vec<CapturedTable>> {
    let sql = Sql::connect(&config.name, &config.source).await?;
    let patterns = TablePatterns::new(&config.source.tables, &config.source.exclude_tables)?;
    catalog::captured_tables(&sql, &patterns).await
}

fn report(obstacles: &[Obstacle], prefix: &str, out: &mut impl Write) -> std::io::Result<()> {
    for obstacle in obstacles {
        let level = if obstacle.fatal { "ERROR" } else { "WARN " };
        writeln!(out, "{prefix}{level} {}: {}", obstacle.what, obstacle.why)?;
        for line in obstacle.repair.lines() {
            writeln!(out, "{prefix}      {line}")?;
        }
    }
    let fatal = obstacles.iter().filter(|obstacle| obstacle.fatal).count();
    match (fatal, obstacles.len()) {
        (0, 0) => writeln!(out, "{prefix}ok: both sides are ready"),
        (0, warnings) => writeln!(out, "{prefix}ok: both sides are ready, with {warnings} to look at"),
        (fatal, _) => writeln!(out, "{prefix}not ready: {fatal} to repair"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(obstacles: &[Obstacle]) -> String {
        with_prefix(obstacles, "")
    }

    fn with_prefix(obstacles: &[Obstacle], prefix: &str) -> String {
        let mut out = Vec::new();
        report(obstacles, prefix, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn says_everything_at_once() {
        let obstacle = |what: &str, fatal| Obstacle {
            what: what.into(),
            why: "is replica".into(),
            repair: "ALTER SYSTEM SET wal_level = logical;\nrestart PostgreSQL".into(),
            fatal,
        };
        assert_eq!(
            text(&[obstacle("wal_level", true), obstacle("table", false)]),
            "ERROR wal_level: is replica\n      ALTER SYSTEM SET wal_level = logical;\n      restart PostgreSQL\n\
             WARN  table: is replica\n      ALTER SYSTEM SET wal_level = logical;\n      restart PostgreSQL\n\
             not ready: 1 to repair\n"
        );
        assert_eq!(text(&[]), "ok: both sides are ready\n");
        assert_eq!(
            with_prefix(&[obstacle("table", false)], "shop: "),
            "shop: WARN  table: is replica\nshop:       ALTER SYSTEM SET wal_level = logical;\nshop:       restart PostgreSQL\n\
             shop: ok: both sides are ready, with 1 to look at\n"
        );
    }
}
