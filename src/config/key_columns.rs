//! `source.key_columns`: the columns that make the key of a table's records in the place of its own key, as Debezium's
//! `message.key.columns` says it. Entries are `schema.table:column,column`; the part before the last colon is a pattern.

use super::pattern::{Patterns, is_sound};
use crate::error::{Error, Kind, Result};

/// The entries, compiled once and asked once per relation.
#[derive(Clone, Debug)]
pub struct KeyColumns(Vec<(Patterns<2>, Vec<String>)>);

impl KeyColumns {
    /// Compiles `entries`.
    ///
    /// # Errors
    /// [`Kind::Config`] for an entry of another form.
    pub fn compile(entries: &[String]) -> Result<Self> {
        let compiled = |entry: &String| {
            let (table, columns) = split(entry).ok_or_else(|| {
                let reason = format!("{entry:?} is not of the form schema.table:column,column");
                Error::new(Kind::Config, reason)
            })?;
            let columns = columns.into_iter().map(str::to_owned).collect();
            Ok((Patterns::compile(&[table.to_owned()])?, columns))
        };
        entries.iter().map(compiled).collect::<Result<_>>().map(Self)
    }

    /// The columns of every entry that means the table, one after the other; none: the table's own key.
    pub fn of(&self, schema: &str, table: &str) -> Vec<&str> {
        let entries = self.0.iter().filter(|(pattern, _)| pattern.matches([schema, table]));
        entries.flat_map(|(_, columns)| columns.iter().map(String::as_str)).collect()
    }
}

/// The pattern of the table and the names of the columns; none when the entry has another form.
pub(super) fn split(entry: &str) -> Option<(&str, Vec<&str>)> {
    let (table, columns) = entry.rsplit_once(':')?;
    let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
    let whole = !columns.iter().any(|column| column.is_empty() || column.contains('\0'));
    (whole && is_sound(table, 2) && !table.contains('\0')).then_some((table, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_columns_of_tables() {
        let entries = ["public.t:b, a", "*.t:c", "a.b:c.d:e"].map(str::to_owned);
        let keys = KeyColumns::compile(&entries).unwrap();
        assert_eq!(keys.of("public", "t"), ["b", "a", "c"]);
        assert_eq!(keys.of("other", "t"), ["c"]);
        assert_eq!(keys.of("a", "b:c.d"), ["e"]);
        assert!(keys.of("public", "u").is_empty());
    }

    #[test]
    fn entries_of_another_form_are_refused() {
        for entry in ["", "public.t", "t:a", "public.t:", "public.t:a,", ".t:a", "public.:a"] {
            assert!(split(entry).is_none(), "{entry}");
            assert_eq!(KeyColumns::compile(&[entry.to_owned()]).unwrap_err().kind(), Kind::Config);
        }
    }
}
