//! The first copy of the tables.

use std::collections::BTreeMap;

use super::Builder;
use crate::config::model::{Snapshot, SnapshotMode};

impl Builder<'_> {
    pub(super) fn snapshot(&mut self) -> Snapshot {
        Snapshot {
            mode: match self.settings.text("snapshot.mode") {
                Some("never") => SnapshotMode::Never,
                Some("only") => SnapshotMode::Only,
                Some("when_needed") => SnapshotMode::WhenNeeded,
                Some("always") => SnapshotMode::Always,
                _ => SnapshotMode::Initial,
            },
            tables: self.patterns("snapshot.tables", "schema.table"),
            threads: self
                .settings
                .integer("snapshot.threads")
                .and_then(|count| count.try_into().ok())
                .unwrap_or(1),
            select_statement_overrides: self.select_statement_overrides(),
            lock_timeout: self.duration("snapshot.lock_timeout"),
        }
    }

    /// A statement stands inside another one, where a semicolon has no place.
    fn select_statement_overrides(&mut self) -> BTreeMap<String, String> {
        let path = "snapshot.select_statement_overrides";
        let given: Vec<(String, String)> =
            self.settings.map(path).map(|(table, entry)| (table.to_owned(), entry.text.clone())).collect();
        let mut overrides = BTreeMap::new();
        for (table, statement) in given {
            let statement = statement.trim().trim_end_matches(';').trim_end().to_owned();
            let word = statement.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            if !table.contains('.') {
                self.wrong(
                    path,
                    format!("{table:?} is not schema.table"),
                    format!("write \"public.{table}\""),
                );
            } else if !["select", "with", "table", "values"]
                .iter()
                .any(|known| word.eq_ignore_ascii_case(known))
            {
                let fix = "write a SELECT that gives the columns of the table: \"SELECT * FROM public.orders WHERE …\"";
                self.wrong(path, format!("the statement for {table:?} is no SELECT"), fix);
            } else {
                overrides.insert(table, statement);
            }
        }
        overrides
    }
}
