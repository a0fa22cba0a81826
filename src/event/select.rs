//! Which tables and columns are captured, decided once per relation.

use crate::config::{Patterns, Source, TablePatterns};
use crate::error::Result;

/// The compiled choice of tables and columns.
#[derive(Clone, Debug)]
pub struct Selection {
    tables: TablePatterns,
    columns: Patterns<3>,
    exclude_columns: Patterns<3>,
}

impl Selection {
    /// Compiles the patterns of `source`.
    pub fn new(source: &Source) -> Result<Self> {
        Ok(Self {
            tables: TablePatterns::new(&source.tables, &source.exclude_tables)?,
            columns: Patterns::compile(&source.columns)?,
            exclude_columns: Patterns::compile(&source.exclude_columns)?,
        })
    }

    /// Whether changes of the table become events.
    pub fn table(&self, schema: &str, table: &str) -> bool {
        self.tables.matches(schema, table)
    }

    /// For each column whether it is written to `before` and `after`. `source.columns` narrows only the tables that it
    /// names a column of.
    pub fn columns<'a>(&self, schema: &str, table: &str, names: impl Iterator<Item = &'a str>) -> Vec<bool> {
        let names: Vec<[&str; 3]> = names.map(|column| [schema, table, column]).collect();
        let narrowed = names.iter().any(|name| self.columns.matches(*name));
        let kept = |name: &[&str; 3]| {
            (!narrowed || self.columns.matches(*name)) && !self.exclude_columns.matches(*name)
        };
        names.iter().map(kept).collect()
    }
}
