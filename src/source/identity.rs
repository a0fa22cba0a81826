//! `source.replica_identity`: what the server is to log of old rows, set for the captured tables that the rules mean. Nothing is
//! asked or altered without rules, and nothing that is as it should be. Planning is pure.

use std::fmt;

use crate::config::{Patterns, ReplicaIdentityRule, Source};
use crate::error::Result;
use crate::lsn::Oid;

use super::catalog::CapturedTable;
use super::quote::{identifier, qualified};
use super::sql::{Sql, value};

/// A table as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identified {
    schema: String,
    name: String,
    identity: ReplicaIdentityRule,
}

/// A table that is not as the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub schema: String,
    pub name: String,
    /// That puts it right.
    pub statement: String,
}

/// `source.replica_identity`, in its order.
struct Rules<'a>(Vec<(Patterns<2>, &'a ReplicaIdentityRule)>);

impl<'a> Rules<'a> {
    fn new(source: &'a Source) -> Result<Self> {
        let mut rules = Vec::with_capacity(source.replica_identity.len());
        for (pattern, identity) in &source.replica_identity {
            rules.push((Patterns::<2>::compile(std::slice::from_ref(pattern))?, identity));
        }
        Ok(Self(rules))
    }

    /// What the first rule that means the table says.
    fn of(&self, schema: &str, name: &str) -> Option<&'a ReplicaIdentityRule> {
        let (_, wanted) = self.0.iter().find(|(pattern, _)| pattern.matches([schema, name]))?;
        Some(wanted)
    }

    /// What brings each table to what the rules say.
    fn changes(&self, tables: Vec<Identified>) -> Vec<Change> {
        let change = |Identified { schema, name, identity }| {
            let wanted = self.of(&schema, &name).filter(|wanted| **wanted != identity)?;
            let statement =
                format!("ALTER TABLE {} REPLICA IDENTITY {}", qualified(&schema, &name), Clause(wanted));
            Some(Change { schema, name, statement })
        };
        tables.into_iter().filter_map(change).collect()
    }
}

/// Sets the replica identities; returns the statements that were run.
///
/// # Errors
/// As the server says, with the statement to be run by somebody who may.
pub async fn ensure(sql: &Sql, source: &Source, captured: &[CapturedTable]) -> Result<Vec<String>> {
    let oids: Vec<Oid> = captured.iter().map(|table| table.oid).collect();
    let changes = changes(sql, source, &oids).await?;
    for change in &changes {
        set(sql, change, None).await?;
    }
    Ok(changes.into_iter().map(|change| change.statement).collect())
}

/// Those of the tables that are not as the rules say, and what would put them right. Changes nothing.
pub async fn changes(sql: &Sql, source: &Source, tables: &[Oid]) -> Result<Vec<Change>> {
    if source.replica_identity.is_empty() || tables.is_empty() {
        return Ok(Vec::new());
    }
    let oids: Vec<u32> = tables.iter().map(|oid| oid.0).collect();
    let rows = sql.query(QUERY, &[&oids]).await.map_err(|error| error.context("read replica identities"))?;
    let mut tables = Vec::with_capacity(rows.len());
    for row in &rows {
        let letter: String = value(row, 2)?;
        let index: Option<String> = value(row, 3)?;
        let identity = match (letter.as_str(), index) {
            ("f", _) => ReplicaIdentityRule::Full,
            ("i", Some(index)) => ReplicaIdentityRule::Index(index),
            // An index that was dropped is as good as nothing.
            ("n" | "i", _) => ReplicaIdentityRule::Nothing,
            _ => ReplicaIdentityRule::Default,
        };
        tables.push(Identified { schema: value(row, 0)?, name: value(row, 1)?, identity });
    }
    Ok(Rules::new(source)?.changes(tables))
}

/// Puts one table right; where somebody else holds a lock on it, gives up after `lock_timeout`.
///
/// # Errors
/// As [`ensure`].
pub async fn set(sql: &Sql, change: &Change, lock_timeout: Option<&str>) -> Result<()> {
    let Change { statement, .. } = change;
    // Both are one transaction, because they are sent as one.
    let limited = lock_timeout.map(|timeout| format!("SET LOCAL lock_timeout = '{timeout}'; {statement}"));
    sql.execute(limited.as_ref().unwrap_or(statement)).await.map_err(|error| {
        let hint = format!("let the owner of the table, or a superuser, run: {statement}");
        error.context("set replica identity").with_hint(hint)
    })
}

/// Whether a rule says of the table that updates and deletes are not to be told.
pub fn is_mute_by_rule(source: &Source, schema: &str, name: &str) -> Result<bool> {
    Ok(Rules::new(source)?.of(schema, name) == Some(&ReplicaIdentityRule::Nothing))
}

/// A rule as SQL.
struct Clause<'a>(&'a ReplicaIdentityRule);

impl fmt::Display for Clause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ReplicaIdentityRule::Default => f.write_str("DEFAULT"),
            ReplicaIdentityRule::Full => f.write_str("FULL"),
            ReplicaIdentityRule::Nothing => f.write_str("NOTHING"),
            ReplicaIdentityRule::Index(name) => write!(f, "USING INDEX {}", identifier(name)),
        }
    }
}

const QUERY: &str = "SELECT n.nspname::text, c.relname::text, c.relreplident::text,
        (SELECT ic.relname::text FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
         WHERE i.indrelid = c.oid AND i.indisreplident)
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1) ORDER BY 1, 2";

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn alters_what_is_not_as_it_should_be() {
        use ReplicaIdentityRule::{Default, Full, Index, Nothing};
        let rules = [("public.*_log", Nothing), ("public.a", Full), ("public.i", Index("I x".into()))];
        let source = Source {
            replica_identity: rules.map(|(pattern, rule)| (pattern.to_owned(), rule)).into(),
            ..fixture::source(1)
        };
        let tables = [
            ("a", Default),
            ("a_log", Nothing),
            ("b_log", Full),
            ("i", Index("i x".into())),
            ("other", Default),
        ];
        let tables = tables.map(|(name, identity)| Identified {
            schema: "public".into(),
            name: name.into(),
            identity,
        });
        let changes = Rules::new(&source).unwrap().changes(tables.into());
        let statements: Vec<_> = changes.iter().map(|change| change.statement.as_str()).collect();
        assert_eq!(
            statements,
            [
                "ALTER TABLE \"public\".\"a\" REPLICA IDENTITY FULL",
                "ALTER TABLE \"public\".\"b_log\" REPLICA IDENTITY NOTHING",
                "ALTER TABLE \"public\".\"i\" REPLICA IDENTITY USING INDEX \"I x\"",
            ]
        );
        assert!(is_mute_by_rule(&source, "public", "a_log").unwrap());
        assert!(!is_mute_by_rule(&source, "public", "a").unwrap());
    }
}
