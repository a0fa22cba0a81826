//! Which tables and columns are captured, decided once per relation, and which messages, decided for each.

use crate::config::{KeyColumns, Patterns, Source, TablePatterns};
use crate::error::Result;
use crate::event::{Column, Table};
use crate::masks::Mask;

/// The compiled choice of tables and columns.
#[derive(Clone, Debug)]
pub struct Selection {
    tables: TablePatterns,
    columns: Patterns<3>,
    /// Tables of which no column is named keep none, where any is.
    only_named: bool,
    exclude_columns: Patterns<3>,
    key_columns: KeyColumns,
    masks: Vec<(Patterns<3>, Mask)>,
    messages: Patterns<1>,
    exclude_messages: Patterns<1>,
    source_types: Patterns<3>,
    /// The same, by schema, table and type.
    source_types_of: Patterns<3>,
}

impl Selection {
    /// Compiles the patterns of `source`.
    pub fn new(source: &Source) -> Result<Self> {
        Ok(Self {
            tables: TablePatterns::new(&source.tables, &source.exclude_tables)?,
            columns: Patterns::compile(&source.columns)?,
            only_named: false,
            exclude_columns: Patterns::compile(&source.exclude_columns)?,
            key_columns: KeyColumns::compile(&source.key_columns)?,
            masks: source
                .mask_columns
                .iter()
                .map(|(pattern, mask)| Ok((Patterns::compile(std::slice::from_ref(pattern))?, mask.clone())))
                .collect::<Result<_>>()?,
            messages: Patterns::compile(&source.messages)?,
            exclude_messages: Patterns::compile(&source.exclude_messages)?,
            source_types: Patterns::compile(&[])?,
            source_types_of: Patterns::compile(&[])?,
        })
    }

    /// With the columns whose type is told in their schema: `events.column_propagate_source_type`, and
    /// `events.datatype_propagate_source_type`.
    pub fn with_source_types(self, columns: &[String], types: &[String]) -> Result<Self> {
        let (source_types, source_types_of) = (Patterns::compile(columns)?, Patterns::compile(types)?);
        Ok(Self { source_types, source_types_of, ..self })
    }

    /// As Debezium reads its list of columns: when there is one, a table that it does not name keeps no column.
    #[must_use]
    pub fn as_debezium(self, quirky: bool) -> Self {
        Self { only_named: quirky && !self.columns.is_empty(), ..self }
    }

    /// Whether changes of the table become events.
    pub fn table(&self, schema: &str, table: &str) -> bool {
        self.tables.matches(schema, table)
    }

    /// Columns that are to be the key of the table; none: its own.
    pub fn key_columns(&self, schema: &str, table: &str) -> Vec<&str> {
        self.key_columns.of(schema, table)
    }

    /// Gives the columns of the table their masks.
    pub fn mask(&self, table: &mut Table) {
        let Table { schema, name, columns, .. } = table;
        for column in columns {
            let names = [schema.as_str(), name.as_str(), column.name.as_str()];
            let mask = self.masks.iter().find(|(pattern, _)| pattern.matches(names));
            column.mask = mask.map(|(_, mask)| mask.clone());
        }
    }

    /// Whether logical decoding messages with this prefix become events.
    pub fn message(&self, prefix: &str) -> bool {
        self.messages.matches([prefix]) && !self.exclude_messages.matches([prefix])
    }

    /// For each column whether it is written to `before` and `after`. `source.columns` narrows only the tables that it
    /// names a column of, but for [`Selection::as_debezium`].
    pub fn columns<'a>(&self, schema: &str, table: &str, names: impl Iterator<Item = &'a str>) -> Vec<bool> {
        let names: Vec<[&str; 3]> = names.map(|column| [schema, table, column]).collect();
        let narrowed = self.only_named || names.iter().any(|name| self.columns.matches(*name));
        let kept = |name: &[&str; 3]| {
            (!narrowed || self.columns.matches(*name)) && !self.exclude_columns.matches(*name)
        };
        names.iter().map(kept).collect()
    }

    /// For each column whether its type is told in its schema.
    pub fn source_types(&self, table: &Table) -> Vec<bool> {
        let Table { schema, name, columns, .. } = table;
        let told = |column: &Column| {
            self.source_types.matches([schema, name, &column.name])
                || self.source_types_of.matches([schema, name, &column.driver_type()])
        };
        columns.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_a_named_column_keeps_all_or_none() {
        let source = |columns: &[&str]| Source {
            columns: columns.iter().map(ToString::to_string).collect(),
            ..crate::sink::sample::config("").source
        };
        let chosen = |columns: &[&str], quirky, table| {
            let selection = Selection::new(&source(columns)).unwrap().as_debezium(quirky);
            selection.columns("public", table, ["id", "a"].into_iter())
        };
        for quirky in [false, true] {
            assert_eq!(chosen(&["public.t.a"], quirky, "t"), [false, true]);
            assert_eq!(chosen(&["public.t.a"], quirky, "u"), [!quirky, !quirky]);
            assert_eq!(chosen(&[], quirky, "t"), [true, true]);
        }
    }

    #[test]
    fn messages_are_chosen_by_their_prefix() {
        let chosen = |messages: &[&str], exclude: &[&str], prefix| {
            let list = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
            let source = Source {
                messages: list(messages),
                exclude_messages: list(exclude),
                ..crate::sink::sample::config("").source
            };
            Selection::new(&source).unwrap().message(prefix)
        };
        for prefix in ["", "app", "a.b"] {
            assert!(chosen(&["*"], &[], prefix), "{prefix:?}");
            assert!(!chosen(&[], &[], prefix), "{prefix:?}");
        }
        assert!(chosen(&["app", "oracle.*"], &[], "oracle.sync"));
        assert!(!chosen(&["app"], &[], "apple"));
        assert!(!chosen(&["*"], &["a.*"], "a.b"));
    }
}
