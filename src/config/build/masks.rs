//! `source.mask_columns`: patterns of columns, and what is written in the place of their values, in the words of Debezium's
//! `column.*` properties. The salts of hashes are secrets, so they may be in a file or a variable.

use secrecy::ExposeSecret;

use super::Builder;
use crate::config::pattern::is_sound;
use crate::config::report::Mistake;
use crate::config::secret::{self, Given, Way};
use crate::config::typed::quote;
use crate::masks::{HashAlgorithm, HashVersion, Mask, Salt};

const PATH: &str = "source.mask_columns";

/// What comes before the salt, or where it is.
pub(in crate::config) const SALTS: [(&str, Way); 3] =
    [(".with.salt.", Way::Plain), (".with.salt_file.", Way::File), (".with.salt_env.", Way::Environment)];

/// They are kept as they are written.
const MOST_STARS: usize = 65_535;

/// A rule as it is written.
#[derive(Clone, Copy, PartialEq)]
#[cfg_attr(test, derive(Debug))]
enum Rule<'a> {
    Stars(usize),
    Truncate(usize),
    Hash { version: HashVersion, algorithm: &'a str, salt: &'a str, way: Way },
}

impl Builder<'_> {
    /// Patterns with their rules, those that hide most first.
    pub(super) fn masks(&mut self) -> Vec<(String, Mask)> {
        let settings = self.settings;
        let mut masks = Vec::new();
        for (pattern, entry) in settings.map(PATH) {
            let key = format!("{PATH}.\"{pattern}\"");
            let mistake =
                |reason: String, fix: String| Mistake::about_key(Some(&entry.origin), &key, reason, fix);
            if !is_sound(pattern, 3) {
                let reason = "is not a pattern of the form schema.table.column".to_owned();
                let fix =
                    "write \"public.users.email\" = …; * stands for any text, ? for one character".to_owned();
                self.report.add(mistake(reason, fix));
                continue;
            }
            let Some(rule) = Rule::parse(&entry.text) else {
                let reason = "is not a rule".to_owned();
                let fix = "write \"mask.with.8.chars\", \"truncate.to.20.chars\" or \"mask.hash.v2.SHA-256.with.salt_env.VARIABLE\"";
                self.report.add(mistake(reason, fix.to_owned()).with_secret());
                continue;
            };
            let mask = match rule {
                Rule::Stars(chars) => Mask::Stars { chars },
                Rule::Truncate(chars) => Mask::Truncate { chars },
                Rule::Hash { version, algorithm, salt, way } => {
                    let Some(algorithm) = HashAlgorithm::named(algorithm) else {
                        let names = HashAlgorithm::ALL.map(|(name, _)| name).join(", ");
                        let reason = format!("has the algorithm {}, which is not known", quote(algorithm));
                        self.report.add(mistake(reason, format!("use one of {names}")));
                        continue;
                    };
                    let given = Given { key: key.clone(), origin: &entry.origin, text: salt, way };
                    let Some(salt) = secret::resolve(vec![given], self.variables, self.report) else {
                        continue;
                    };
                    Mask::Hash { version, algorithm, salt: Salt::new(salt.expose_secret()) }
                }
            };
            masks.push((pattern.to_owned(), mask));
        }
        masks.sort_by_key(|(_, mask)| match mask {
            Mask::Stars { .. } => 0,
            Mask::Hash { .. } => 1,
            Mask::Truncate { .. } => 2,
        });
        masks
    }
}

impl<'a> Rule<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let chars = |rest: &str| rest.strip_suffix(".chars")?.parse::<u32>().ok()?.try_into().ok();
        if let Some(rest) = text.strip_prefix("mask.with.") {
            return chars(rest).filter(|chars| *chars <= MOST_STARS).map(Self::Stars);
        }
        if let Some(rest) = text.strip_prefix("truncate.to.") {
            return chars(rest).filter(|chars| *chars > 0).map(Self::Truncate);
        }
        let rest = text.strip_prefix("mask.hash.")?;
        let (version, rest) = match rest.strip_prefix("v2.") {
            Some(rest) => (HashVersion::V2, rest),
            None => (HashVersion::V1, rest),
        };
        let (at, mark, way) = salt_of(rest)?;
        let (algorithm, salt) = (rest.get(..at)?, rest.get(at + mark.len()..)?);
        (!salt.is_empty()).then_some(Self::Hash { version, algorithm, salt, way })
    }
}

/// Where a rule says its salt: the first mark in it.
fn salt_of(rule: &str) -> Option<(usize, &'static str, Way)> {
    let found = SALTS.iter().filter_map(|(mark, way)| Some((rule.find(mark)?, *mark, *way)));
    found.min_by_key(|(at, ..)| *at)
}

/// A rule without the salt that stands in it.
pub(in crate::config) fn without_salt(rule: &str, instead: &str) -> String {
    match salt_of(rule) {
        Some((at, mark, Way::Plain)) => format!("{}{mark}{instead}", rule.get(..at).unwrap_or_default()),
        _ => rule.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_debeziums_words() {
        let hash = |version, algorithm, salt, way| Some(Rule::Hash { version, algorithm, salt, way });
        for (text, rule) in [
            ("mask.with.8.chars", Some(Rule::Stars(8))),
            ("mask.with.0.chars", Some(Rule::Stars(0))),
            ("mask.with.65536.chars", None),
            ("truncate.to.20.chars", Some(Rule::Truncate(20))),
            ("truncate.to.0.chars", None),
            ("truncate.to.-1.chars", None),
            ("mask.with.many.chars", None),
            ("mask.hash.SHA-256.with.salt.a.b", hash(HashVersion::V1, "SHA-256", "a.b", Way::Plain)),
            ("mask.hash.v2.MD5.with.salt_env.S", hash(HashVersion::V2, "MD5", "S", Way::Environment)),
            ("mask.hash.v2.MD5.with.salt_file./s.txt", hash(HashVersion::V2, "MD5", "/s.txt", Way::File)),
            ("mask.hash.SHA-256.with.salt.", None),
            ("mask.hash.SHA-256", None),
            ("", None),
        ] {
            assert_eq!(Rule::parse(text), rule, "{text}");
        }
        assert_eq!(
            without_salt("mask.hash.MD5.with.salt.x.with.salt_env.y", "…"),
            "mask.hash.MD5.with.salt.…"
        );
        for kept in ["mask.hash.MD5.with.salt_env.X", "mask.with.3.chars"] {
            assert_eq!(without_salt(kept, "…"), kept);
        }
    }
}
