//! Patterns of `source.tables`, `source.columns` and their like: `*` stands for any characters, `?` for one, all else for
//! itself. They are compiled once and asked once per relation.

use regex::Regex;

use crate::error::{Error, Kind, Result};

/// A list of patterns; matches what any of them matches.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<(String, Regex)>);

impl Patterns {
    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`Kind::Config`] for a pattern too large to compile.
    pub fn compile(patterns: &[String]) -> Result<Self> {
        patterns
            .iter()
            .map(|pattern| match Regex::new(&to_regex(pattern)) {
                Ok(regex) => Ok((pattern.clone(), regex)),
                Err(error) => {
                    Err(Error::new(Kind::Config, format!("the pattern {pattern:?} cannot be used: {error}")))
                }
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether there is no pattern at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a pattern matches the whole of `name`, for example `public.orders`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|(_, regex)| regex.is_match(name))
    }

    /// The patterns that match none of `names`.
    pub fn unmatched<'a>(&'a self, names: &[String]) -> Vec<&'a str> {
        let idle = |(_, regex): &&(String, Regex)| !names.iter().any(|name| regex.is_match(name));
        self.0.iter().filter(idle).map(|(pattern, _)| pattern.as_str()).collect()
    }
}

fn to_regex(pattern: &str) -> String {
    let mut regex = String::from("(?s)^");
    for c in pattern.chars() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_and_question_mark_and_nothing_else() {
        let patterns = Patterns::compile(&["public.*".into(), "app.order?".into(), "a+b.c".into()]).unwrap();
        for name in ["public.orders", "public.my.table", "app.orders", "a+b.c"] {
            assert!(patterns.matches(name), "{name}");
        }
        for name in ["publicXorders", "app.order", "app.orders2", "aab.c", "xpublic.orders"] {
            assert!(!patterns.matches(name), "{name}");
        }
        assert_eq!(patterns.unmatched(&["public.a".into()]), ["app.order?", "a+b.c"]);
    }
}
