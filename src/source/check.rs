//! What stands in the way, all of it at once, before anything is changed: each obstacle with the reason and the very
//! statement or setting that removes it. `headwater check` prints them; the daemon logs them when it ends for want of a right or a setting.
//! Repairs on this side are statements that can be pasted as they are, with what is said to people in comments.

use std::fmt::Write as _;

use crate::config::{PublicationMode, Source, TablePatterns};
use crate::error::{Error, Kind, Result};
use crate::obstacle::Obstacle;

use super::catalog::{self, CapturedTable};
use super::identity::{self, Change};
use super::quote::{identifier, qualified};
use super::sql::{Sql, value};
use super::system::{self, System};
use super::{Connection, publication, slot};

/// Looks at everything on PostgreSQL's side; changes nothing. A check that itself fails is an obstacle.
pub async fn preflight(name: &str, source: &Source) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let sql = match Sql::connect(name, source).await {
        Ok(sql) => sql,
        Err(error) => return vec![failed(&error)],
    };
    let outcome = inspect_all(&sql, name, source, &mut found).await;
    found.extend(outcome.err().as_ref().map(failed));
    found
}

async fn inspect_all(sql: &Sql, name: &str, source: &Source, found: &mut Vec<Obstacle>) -> Result<()> {
    let system = system::inspect(sql).await?;
    settings(&system, source, found);
    if system.role.replication || system.role.superuser {
        replication_connection(name, source, found).await;
    }
    let state = slot::inspect(sql, &source.slot).await?;
    found.extend(slot_obstacle(&system, source, state.as_ref()));
    tables(sql, &system, source, found).await
}

/// Settings of the server and attributes of the role.
fn settings(system: &System, source: &Source, found: &mut Vec<Obstacle>) {
    if system.wal_level != "logical" {
        found.push(blocking(
            format!("wal_level is {}", system.wal_level),
            "the log holds no row changes that can be decoded",
            "ALTER SYSTEM SET wal_level = logical; -- then restart PostgreSQL",
        ));
    }
    if system.in_recovery && !system.version.at_least(16) {
        found.push(blocking(
            "the server is a standby".into(),
            "a standby decodes its log from PostgreSQL 16 on",
            "set source.host to the primary",
        ));
    }
    let role = identifier(&system.role.name);
    if !(system.role.replication || system.role.superuser) {
        found.push(blocking(
            format!("user {role} lacks the REPLICATION attribute"),
            "only such users may open a replication connection and create a slot",
            &format!("ALTER ROLE {role} REPLICATION; -- on Amazon RDS: GRANT rds_replication TO {role};"),
        ));
    }
    if system.wal_senders_in_use >= system.max_wal_senders {
        let used = system.wal_senders_in_use;
        found.push(blocking(
            format!("all {used} of max_wal_senders are in use"),
            "the stream needs one",
            &format!(
                "ALTER SYSTEM SET max_wal_senders = {}; -- then restart PostgreSQL",
                used.saturating_add(5)
            ),
        ));
    }
    if system.encoding == "SQL_ASCII" {
        found.push(warning(
            format!("database {:?} has the encoding SQL_ASCII", system.database),
            &format!(
                "the server does not know the encoding of its texts and cannot convert them: they are taken for {}, as source.sql_ascii says, and what does not fit is written in hexadecimal; names of tables, columns and types, defaults and labels must be UTF-8",
                source.sql_ascii.word()
            ),
            "-- set source.sql_ascii to the encoding that the applications use; or dump and restore into a database WITH ENCODING 'UTF8'",
        ));
    }
    if system.version.at_least(13) && system.max_slot_wal_keep_size.is_none() {
        found.push(warning(
            "max_slot_wal_keep_size is unlimited".into(),
            "while Headwater is stopped, the slot keeps log until the disk is full and the database stops",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf(); -- what the disk can spare",
        ));
    }
}

async fn replication_connection(name: &str, source: &Source, found: &mut Vec<Obstacle>) {
    let (name, source) = (name.to_owned(), source.clone());
    let probe = tokio::task::spawn_blocking(move || {
        Connection::open(&name, &source, MAX_PROBE)?.identify_system().map(|_| ())
    });
    match probe.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => found.push(failed(&error)),
        Err(error) => found.push(failed(&Error::new(Kind::Internal, "the check failed").with_source(error))),
    }
}

fn slot_obstacle(system: &System, source: &Source, state: Option<&slot::SlotState>) -> Option<Obstacle> {
    let Some(state) = state else {
        let used = system.slots_in_use;
        return (used >= system.max_replication_slots).then(|| {
            blocking(
                format!("all {used} of max_replication_slots are in use"),
                "one more is needed for this pipeline",
                &format!("ALTER SYSTEM SET max_replication_slots = {}; -- then restart PostgreSQL; or drop a slot that nobody needs: SELECT slot_name FROM pg_replication_slots WHERE NOT active", used.saturating_add(5)),
            )
        });
    };
    let error = state.usable(&source.slot, &system.database).err()?;
    let literal = source.slot.replace('\'', "''");
    let (why, repair) = match (error.kind(), &state.holder) {
        (Kind::SlotBusy, Some(holder)) => (
            "a slot serves one client at a time",
            format!("stop that client, or: SELECT pg_terminate_backend({});", holder.pid),
        ),
        (Kind::SlotInvalidated, _) => (
            "changes since its position cannot be read any more",
            format!(
                "SELECT pg_drop_replication_slot('{literal}'); -- and source.on_gap = \"continue\" to go on without them"
            ),
        ),
        _ => (
            "its position means nothing to this pipeline",
            format!(
                "choose another source.slot, or, if nothing uses it: SELECT pg_drop_replication_slot('{literal}');"
            ),
        ),
    };
    Some(blocking(error.to_string(), why, &repair))
}

/// The captured tables and the publication of them.
async fn tables(sql: &Sql, system: &System, source: &Source, found: &mut Vec<Obstacle>) -> Result<()> {
    let patterns = TablePatterns::new(&source.tables, &source.exclude_tables)?;
    let all = catalog::all_tables(sql).await?;
    let captured: Vec<_> =
        all.iter().filter(|table| patterns.matches(&table.schema, &table.name)).cloned().collect();
    if captured.is_empty() {
        found.push(failed(&publication::nothing_captured(&patterns, &all)));
        return Ok(());
    }
    for pattern in patterns.unmatched(&publication::names(&all)) {
        found.push(warning(
            format!("no table matches {pattern:?} of source.tables"),
            "nothing is captured for it until such a table is made",
            &format!(
                "correct source.tables; near are: {}",
                publication::nearest(&[pattern], &all).join(", ")
            ),
        ));
    }
    let oids: Vec<_> = captured.iter().map(|table| table.oid).collect();
    let (mut facts, changes) = (facts(sql, &captured).await?, identity::changes(sql, source, &oids).await?);
    publication_obstacles(sql, system, source, &captured, &facts, found).await?;
    found.extend(foreign_identities(&system.role.name, &changes, &facts));
    // The start gives them one.
    for table in &mut facts {
        table.mute &= table.change(&changes).is_none();
    }
    found.extend(identity_obstacles(&facts));
    Ok(())
}

async fn publication_obstacles(
    sql: &Sql,
    system: &System,
    source: &Source,
    captured: &[CapturedTable],
    facts: &[TableFacts],
    found: &mut Vec<Obstacle>,
) -> Result<()> {
    let existing = publication::inspect(sql, &source.publication).await?;
    if let Some(existing) = &existing {
        for operation in ["insert", "update", "delete"] {
            if !existing.operations.contains(operation) {
                found.push(warning(
                    format!("publication {:?} does not publish {operation}", source.publication),
                    "such changes are not captured",
                    &format!(
                        "ALTER PUBLICATION {} SET (publish = 'insert, update, delete, truncate');",
                        identifier(&source.publication)
                    ),
                ));
            }
        }
        if source.publication_mode == PublicationMode::Disabled {
            let missing = captured
                .iter()
                .filter(|table| !table.partitioned && !existing.covers(&table.schema, &table.name));
            let statements = each(missing.map(|table| {
                let table = qualified(&table.schema, &table.name);
                format!("ALTER PUBLICATION {} ADD TABLE {table};", identifier(&source.publication))
            }));
            if let Some((count, repair)) = statements {
                found.push(warning(
                    format!(
                        "{count} captured tables are not in publication {:?} themselves",
                        source.publication
                    ),
                    "changes of a table are captured only if it or its partitioned table is published",
                    &repair,
                ));
            }
        }
    }
    let statements = match publication::plan(source, existing.as_ref(), captured, system.version) {
        Ok(statements) if statements.is_empty() => return Ok(()),
        Ok(statements) => statements,
        Err(error) => {
            found.push(failed(&error));
            return Ok(());
        }
    };
    let role = identifier(&system.role.name);
    if existing.as_ref().is_some_and(|existing| !existing.owned) {
        found.push(blocking(
            format!("user {role} does not own publication {:?}", source.publication),
            "it lacks captured tables, or holds others, and only its owner may alter it",
            &format!("ALTER PUBLICATION {} OWNER TO {role};", identifier(&source.publication)),
        ));
    }
    let by_hand = format!("{};", statements.join(";\n"));
    if existing.is_none() && !(system.role.may_create || system.role.superuser) {
        found.push(blocking(
            format!("user {role} lacks CREATE on database {:?}", system.database),
            "the publication has to be created",
            &format!(
                "GRANT CREATE ON DATABASE {} TO {role}; -- or let a superuser run: {by_hand}",
                identifier(&system.database)
            ),
        ));
    }
    if source.publication_mode == PublicationMode::AllTables && !system.role.superuser {
        found.push(blocking(
            format!("user {role} is no superuser"),
            "FOR ALL TABLES is for superusers only",
            &format!("-- a superuser; or set source.publication_mode = \"tables\":\n{by_hand}"),
        ));
    } else if let Some((count, repair)) =
        each(owners(facts.iter()).map(|owner| format!("-- GRANT {owner} TO {role};")))
    {
        found.push(blocking(
            format!("user {role} does not own all tables to be published; {count} owners are missing"),
            "only the owner of a table may add it to a publication",
            &format!("-- the owner of the tables, or a superuser:\n{by_hand}\n-- or, to let {role} act for the owners:\n{repair}"),
        ));
    }
    Ok(())
}

/// What the catalogs say of a captured table that matters before the start. A partitioned table has no rows of its own,
/// so its leaves are what counts.
struct TableFacts {
    qualified: String,
    owner: String,
    owned: bool,
    /// UPDATE and DELETE would be refused.
    mute: bool,
    key: bool,
}

async fn facts(sql: &Sql, captured: &[CapturedTable]) -> Result<Vec<TableFacts>> {
    let oids: Vec<u32> = captured.iter().map(|table| table.oid.0).collect();
    let rows = sql.query(FACTS, &[&oids]).await.map_err(|error| error.context("check tables"))?;
    rows.iter()
        .map(|row| {
            Ok(TableFacts {
                qualified: qualified(value(row, 0)?, value(row, 1)?),
                owner: value(row, 2)?,
                owned: value(row, 3)?,
                mute: value(row, 4)?,
                key: value(row, 5)?,
            })
        })
        .collect()
}

impl TableFacts {
    /// What is to become of its replica identity.
    fn change<'a>(&self, changes: &'a [Change]) -> Option<&'a Change> {
        changes.iter().find(|change| qualified(&change.schema, &change.name) == self.qualified)
    }
}

fn owners<'a>(facts: impl Iterator<Item = &'a TableFacts>) -> impl Iterator<Item = String> {
    let mut owners: Vec<_> =
        facts.filter(|table| !table.owned).map(|table| identifier(&table.owner)).collect();
    owners.sort();
    owners.dedup();
    owners.into_iter()
}

/// Replica identities that are to be set, on tables of others.
fn foreign_identities(role: &str, changes: &[Change], facts: &[TableFacts]) -> Option<Obstacle> {
    let foreign = || facts.iter().filter(|table| !table.owned && table.change(changes).is_some());
    let statements = foreign().filter_map(|table| table.change(changes));
    let (count, by_hand) = each(statements.map(|change| format!("{};", change.statement)))?;
    let role = identifier(role);
    let grants = each(owners(foreign()).map(|owner| format!("-- GRANT {owner} TO {role};")));
    let (_, grants) = grants.unwrap_or_default();
    Some(blocking(
        format!(
            "user {role} does not own all tables whose replica identity is to be set; {count} are of others"
        ),
        "only the owner of a table may alter it, and source.replica_identity says what it is to be",
        &format!(
            "-- the owner of the tables, or a superuser:\n{by_hand}\n-- or, to let {role} act for the owners:\n{grants}"
        ),
    ))
}

/// Tables whose updates and deletes cannot be told, or have no key.
fn identity_obstacles(facts: &[TableFacts]) -> Vec<Obstacle> {
    let repair = |table: &TableFacts| format!("ALTER TABLE {} REPLICA IDENTITY FULL;", table.qualified);
    let mut found = Vec::new();
    if let Some((count, repair)) = each(facts.iter().filter(|table| table.mute).map(repair)) {
        found.push(warning(
            format!("{count} tables have no replica identity"),
            "once they are published, PostgreSQL refuses UPDATE and DELETE on them, to every application",
            &format!("{repair}\n-- or add a primary key, or leave the table out with source.exclude_tables"),
        ));
    }
    let keyless = facts.iter().filter(|table| !table.key);
    if let Some((count, repair)) =
        each(keyless.map(|table| format!("ALTER TABLE {} ADD PRIMARY KEY (…);", table.qualified)))
    {
        found.push(warning(
            format!("{count} tables have neither a primary key nor a unique index"),
            "their records have no key: no order across partitions, no compaction, no tombstones",
            &repair,
        ));
    }
    found
}

/// A few statements in lines and how many there are; none for none.
fn each(statements: impl Iterator<Item = String>) -> Option<(usize, String)> {
    let mut text = String::new();
    let mut count = 0;
    for statement in statements {
        if count < MAX_STATEMENTS {
            let _ = write!(text, "{}{statement}", if count == 0 { "" } else { "\n" });
        }
        count += 1;
    }
    if count > MAX_STATEMENTS {
        let _ = write!(text, "\n-- and {} more like these", count - MAX_STATEMENTS);
    }
    (count > 0).then_some((count, text))
}

fn blocking(what: String, why: &str, repair: &str) -> Obstacle {
    Obstacle { what, why: why.to_owned(), repair: repair.to_owned(), fatal: true }
}

fn warning(what: String, why: &str, repair: &str) -> Obstacle {
    Obstacle { fatal: false, ..blocking(what, why, repair) }
}

fn failed(error: &Error) -> Obstacle {
    blocking(error.to_string(), "without it the rest cannot work", error.hint())
}

/// Answers of a probe are small.
const MAX_PROBE: u64 = 1024 * 1024;
const MAX_STATEMENTS: usize = 20;

const FACTS: &str = "
SELECT n.nspname::text, c.relname::text, pg_get_userbyid(c.relowner)::text, pg_has_role(c.relowner, 'USAGE'),
       c.relkind = 'r' AND CASE c.relreplident
           WHEN 'n' THEN true
           WHEN 'd' THEN NOT coalesce(bool_or(i.indisprimary), false)
           WHEN 'i' THEN NOT coalesce(bool_or(i.indisreplident), false)
           ELSE false END,
       c.relkind = 'p'
       OR coalesce(bool_or(i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL), false)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid
WHERE c.oid = ANY($1::oid[])
GROUP BY n.nspname, c.relname, c.relowner, c.relkind, c.relreplident
ORDER BY 1, 2";
