//! Which tables are meant: `schema.table` patterns with `*` and `?` as in a shell, compiled once. The part before the
//! first dot is for the schema, the rest for the table, so that neither wildcard reaches over the dot.

use regex::Regex;

use crate::error::{Error, Kind, Result};

/// `source.tables` without `source.exclude_tables`.
#[derive(Clone, Debug)]
pub struct TablePatterns {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

/// One pattern.
#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    schema: Regex,
    table: Regex,
}

impl TablePatterns {
    /// Compiles both lists.
    ///
    /// # Errors
    /// [`Kind::Config`] for a pattern without a dot.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let compile =
            |list: &[String]| list.iter().map(|text| Pattern::new(text)).collect::<Result<Vec<_>>>();
        Ok(Self { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Whether the table is captured.
    #[must_use]
    pub fn matches(&self, schema: &str, table: &str) -> bool {
        let any = |list: &[Pattern]| list.iter().any(|pattern| pattern.matches(schema, table));
        any(&self.include) && !any(&self.exclude)
    }

    /// The patterns of `source.tables` that match none of `tables`.
    pub fn unmatched(&self, tables: &[(&str, &str)]) -> Vec<&str> {
        let none = |pattern: &&Pattern| !tables.iter().any(|(schema, table)| pattern.matches(schema, table));
        self.include.iter().filter(none).map(|pattern| pattern.text.as_str()).collect()
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self> {
        let Some((schema, table)) = text.split_once('.') else {
            let detail =
                format!("the pattern {text:?} in source.tables or source.exclude_tables names no schema");
            return Err(Error::new(Kind::Config, detail).with_hint(format!("write \"public.{text}\"")));
        };
        Ok(Self { text: text.to_owned(), schema: glob(schema)?, table: glob(table)? })
    }

    fn matches(&self, schema: &str, table: &str) -> bool {
        self.schema.is_match(schema) && self.table.is_match(table)
    }
}

fn glob(text: &str) -> Result<Regex> {
    let mut expression = String::from("(?s)^");
    for character in text.chars() {
        match character {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push('$');
    Regex::new(&expression).map_err(|error| {
        Error::new(Kind::Config, format!("the pattern {text:?} is too large")).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> TablePatterns {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        TablePatterns::new(&own(include), &own(exclude)).unwrap()
    }

    #[test]
    fn matches_as_a_shell_does() {
        let patterns = patterns(&["public.*", "sales.order_?", "a+b.t"], &["public.tmp_*"]);
        for (schema, table, expected) in [
            ("public", "users", true),
            ("public", "dotted.name", true),
            ("public", "tmp_1", false),
            ("public2", "users", false),
            ("sales", "order_1", true),
            ("sales", "order_ü", true),
            ("sales", "order_10", false),
            ("a+b", "t", true),
            ("aab", "t", false),
        ] {
            assert_eq!(patterns.matches(schema, table), expected, "{schema}.{table}");
        }
    }

    #[test]
    fn names_the_patterns_that_match_nothing() {
        let patterns = patterns(&["public.*", "sales.*"], &[]);
        assert_eq!(patterns.unmatched(&[("public", "a")]), ["sales.*"]);
    }

    #[test]
    fn wants_a_schema() {
        let error = TablePatterns::new(&["users".into()], &[]).unwrap_err();
        assert!(error.hint().contains("public.users"));
    }
}
