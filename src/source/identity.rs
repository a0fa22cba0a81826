//! `source.replica_identity`: what the server is to log of old rows, set for the captured tables that the rules mean. Nothing is
//! asked or altered without rules, and nothing that is as it should be. Planning is pure.

use std::fmt;

use crate::config::{Patterns, ReplicaIdentityRule, Source};
use crate::error::Result;

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

/// Sets the replica identities; returns the statements that were run.
///
/// # Errors
/// As the server says, with the statement to be run by somebody who may.
pub async fn ensure(sql: &Sql, source: &Source, captured: &[CapturedTable]) -> Result<Vec<String>> {
    if source.replica_identity.is_empty() {
        return Ok(Vec::new());
    }
    let oids: Vec<u32> = captured.iter().map(|table| table.oid.0).collect();
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
    let statements = plan(source, &tables)?;
    for statement in &statements {
        sql.execute(statement).await.map_err(|error| {
            let hint = format!("let the owner of the table, or a superuser, run: {statement}");
            error.context("set replica identity").with_hint(hint)
        })?;
    }
    Ok(statements)
}

/// The statements that bring each table to what the first rule that means it says.
fn plan(source: &Source, tables: &[Identified]) -> Result<Vec<String>> {
    let mut rules = Vec::with_capacity(source.replica_identity.len());
    for (pattern, identity) in &source.replica_identity {
        rules.push((Patterns::<2>::compile(std::slice::from_ref(pattern))?, identity));
    }
    let statement = |table: &Identified| {
        let (_, wanted) = rules.iter().find(|(pattern, _)| pattern.matches([&table.schema, &table.name]))?;
        let table_name = qualified(&table.schema, &table.name);
        (**wanted != table.identity)
            .then(|| format!("ALTER TABLE {table_name} REPLICA IDENTITY {}", Clause(wanted)))
    };
    Ok(tables.iter().filter_map(statement).collect())
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
        assert_eq!(
            plan(&source, &tables).unwrap(),
            [
                "ALTER TABLE \"public\".\"a\" REPLICA IDENTITY FULL",
                "ALTER TABLE \"public\".\"b_log\" REPLICA IDENTITY NOTHING",
                "ALTER TABLE \"public\".\"i\" REPLICA IDENTITY USING INDEX \"I x\"",
            ]
        );
    }
}
