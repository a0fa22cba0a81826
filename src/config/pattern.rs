//! Patterns of `source.tables`, `source.columns` and their like, compiled once and asked once per relation. A pattern is
//! taken apart at its dots into schema, table and, for columns, column, and each part is held against its name alone: no
//! wildcard reaches over the dot between two names. The last part takes the rest, dots and all.

use regex::Regex;

use crate::error::{Error, Kind, Result};

/// `source.tables` without `source.exclude_tables`.
#[derive(Clone, Debug)]
pub struct TablePatterns {
    include: Patterns<2>,
    exclude: Patterns<2>,
}

impl TablePatterns {
    /// Compiles both lists.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self { include: Patterns::compile(include)?, exclude: Patterns::compile(exclude)? })
    }

    /// Whether the table is captured.
    #[must_use]
    pub fn matches(&self, schema: &str, table: &str) -> bool {
        self.include.matches([schema, table]) && !self.exclude.matches([schema, table])
    }

    /// The patterns of `source.tables` that match none of `tables`.
    pub fn unmatched(&self, tables: &[(&str, &str)]) -> Vec<&str> {
        let idle =
            |pattern: &&Pattern<2>| !tables.iter().any(|(schema, table)| pattern.matches([schema, table]));
        self.include.0.iter().filter(idle).map(|pattern| pattern.text.as_str()).collect()
    }
}

/// A list of patterns of names with `N` parts; it matches what any of them matches.
#[derive(Clone, Debug)]
pub struct Patterns<const N: usize>(Vec<Pattern<N>>);

impl<const N: usize> Patterns<N> {
    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`Kind::Config`] for a pattern of fewer parts, or one too large.
    pub fn compile(patterns: &[String]) -> Result<Self> {
        patterns.iter().map(|text| Pattern::new(text)).collect::<Result<_>>().map(Self)
    }

    /// Whether a pattern matches each of `names`.
    #[must_use]
    pub fn matches(&self, names: [&str; N]) -> bool {
        self.0.iter().any(|pattern| pattern.matches(names))
    }
}

/// One pattern.
#[derive(Clone, Debug)]
struct Pattern<const N: usize> {
    text: String,
    parts: [Regex; N],
}

impl<const N: usize> Pattern<N> {
    fn new(text: &str) -> Result<Self> {
        let parts = text.splitn(N, '.').map(glob).collect::<Result<Vec<_>, _>>().map_err(|error| {
            Error::new(Kind::Config, format!("the pattern {text:?} is too large")).with_source(error)
        })?;
        let parts = parts.try_into().map_err(|_| {
            let detail = format!("the pattern {text:?} has fewer than {N} parts with dots between them");
            Error::new(Kind::Config, detail)
        })?;
        Ok(Self { text: text.to_owned(), parts })
    }

    fn matches(&self, names: [&str; N]) -> bool {
        self.parts.iter().zip(names).all(|(part, name)| part.is_match(name))
    }
}

/// `*` stands for any characters, `?` for one, all else for itself.
fn glob(part: &str) -> Result<Regex, regex::Error> {
    let literal = regex::escape(part);
    Regex::new(&format!("(?s)^{}$", literal.replace(r"\*", ".*").replace(r"\?", ".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn tables() {
        let patterns = TablePatterns::new(
            &own(&["public.*", "sales.order_?", "a+b.t", r"c\*.t"]),
            &own(&["public.tmp_*"]),
        )
        .unwrap();
        for (schema, table, expected) in [
            ("public", "users", true),
            ("public", "dotted.name", true),
            ("public", "tmp_1", false),
            ("public2", "users", false),
            ("sales", "order_1", true),
            ("sales", "order_ü", true),
            ("sales", "order_10", false),
            ("sales.order_1", "", false),
            ("a+b", "t", true),
            ("aab", "t", false),
            (r"c\d", "t", true),
            ("c*", "t", false),
        ] {
            assert_eq!(patterns.matches(schema, table), expected, "{schema}.{table}");
        }
    }

    #[test]
    fn columns_keep_to_their_tables() {
        let patterns = Patterns::compile(&own(&["public.a*.id", "public.b?c.x.y", "*.*.secret"])).unwrap();
        for (names, expected) in [
            (["public", "a", "id"], true),
            (["public", "abc", "id"], true),
            (["public", "a", "b.id"], false),
            (["public", "a.b", "id"], true),
            (["public", "b.c", "x.y"], true),
            (["public", "b.c", "y"], false),
            (["any", "table", "secret"], true),
            (["any", "table", "not.secret"], false),
        ] {
            assert_eq!(patterns.matches(names), expected, "{names:?}");
        }
    }

    #[test]
    fn names_the_patterns_that_match_nothing() {
        let patterns = TablePatterns::new(&own(&["public.*", "sales.*"]), &[]).unwrap();
        assert_eq!(patterns.unmatched(&[("public", "a")]), ["sales.*"]);
    }

    #[test]
    fn wants_every_part() {
        assert!(TablePatterns::new(&own(&["users"]), &[]).is_err());
        assert!(Patterns::<3>::compile(&own(&["public.users"])).is_err());
    }
}
