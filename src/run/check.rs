//! `headwater check`: every obstacle on both sides at once, each with what removes it.

use std::io::Write;

use crate::config::{Config, Sink, TablePatterns, TransactionMetadata};
use crate::error::{Error, Kind, Result};
use crate::event::Router;
use crate::obstacle::Obstacle;
use crate::source::Sql;
use crate::source::catalog::{self, CapturedTable};

/// Asks both sides and writes what stands in the way; the exit code is 69 when anything does.
pub async fn check(config: &Config, out: &mut (impl Write + Send)) -> Result<u8> {
    let mut obstacles = crate::source::check::preflight(&config.name, &config.source).await;
    if config.sink == Sink::Kafka {
        let topics = topics(config).await;
        let config = config.clone();
        let found = tokio::task::spawn_blocking(move || {
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            crate::sink::check::preflight(&config, &topics)
        });
        let panicked = |error| Error::new(Kind::Internal, "the check of Kafka panicked").with_source(error);
        obstacles.extend(found.await.map_err(panicked)?);
    }
    let fatal = obstacles.iter().filter(|obstacle| obstacle.fatal).count();
    report(&obstacles, out)
        .map_err(|error| Error::new(Kind::File, "standard output cannot be written").with_source(error))?;
    Ok(if fatal > 0 { 69 } else { 0 })
}

/// The topics that would be written to; without those of tables when the database does not tell them.
async fn topics(config: &Config) -> Vec<String> {
    let mut router = Router::new(&config.name, &config.topics.pattern);
    if config.events.transaction_metadata == TransactionMetadata::Full {
        router.named(&config.topics.transaction);
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

fn report(obstacles: &[Obstacle], out: &mut impl Write) -> std::io::Result<()> {
    for obstacle in obstacles {
        let level = if obstacle.fatal { "ERROR" } else { "WARN " };
        writeln!(out, "{level} {}: {}", obstacle.what, obstacle.why)?;
        for line in obstacle.repair.lines() {
            writeln!(out, "      {line}")?;
        }
    }
    let fatal = obstacles.iter().filter(|obstacle| obstacle.fatal).count();
    match (fatal, obstacles.len()) {
        (0, 0) => writeln!(out, "ok: both sides are ready"),
        (0, warnings) => writeln!(out, "ok: both sides are ready, with {warnings} to look at"),
        (fatal, _) => writeln!(out, "not ready: {fatal} to repair"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(obstacles: &[Obstacle]) -> String {
        let mut out = Vec::new();
        report(obstacles, &mut out).unwrap();
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
    }
}
