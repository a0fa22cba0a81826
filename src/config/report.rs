//! The report of mistakes: all of them at once, each with the place, the key, the value, the reason and the repair.
//! Nothing that may be a secret is shown: values of secret and of unknown keys stay away, and URLs lose their password.

use std::fmt;

use super::origin::Origin;
use crate::error::{Error, Kind, Result};

/// What stands in for a secret.
pub(super) const REDACTED: &str = "<redacted>";

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// None when something is missing.
    origin: Option<Origin>,
    /// Key and, unless secret, value.
    subject: String,
    reason: String,
    fix: String,
}

impl Mistake {
    /// A key, without its value.
    pub(super) fn about_key(
        origin: Option<&Origin>,
        key: &str,
        reason: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let origin = origin.filter(|origin| **origin != Origin::Default).cloned();
        Self { origin, subject: key.to_owned(), reason: reason.into(), fix: fix.into() }
    }

    /// Adds the value as TOML; the caller knows that it is no secret.
    pub(super) fn with_value(mut self, value: &str) -> Self {
        const LONGEST: usize = 120;
        let mut shown = redact_urls(value);
        if let Some((end, _)) = shown.char_indices().nth(LONGEST) {
            shown.truncate(end);
            shown.push('…');
        }
        self.subject = format!("{} = {shown}", self.subject);
        self
    }

    /// Says that there is a value, which is a secret.
    pub(super) fn with_secret(mut self) -> Self {
        self.subject = format!("{} = {REDACTED}", self.subject);
        self
    }

    /// The same one about a key of a `[[pipeline]]` table, whose place in the file `prefix` is.
    fn within(mut self, prefix: &str) -> Self {
        self.subject.insert_str(0, prefix);
        self
    }

    /// A file as a whole.
    pub(super) fn about_file(name: &str, reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { origin: None, subject: name.to_owned(), reason: reason.into(), fix: fix.into() }
    }

    /// A place where a file is not what its name says.
    pub(super) fn syntax(origin: Origin, reason: impl Into<String>) -> Self {
        Self {
            origin: Some(origin),
            subject: "syntax".to_owned(),
            reason: reason.into(),
            fix: "correct this line; the lines before it may have left something open".to_owned(),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        write!(f, "{}\n    {}\n    fix: {}", self.subject, self.reason, self.fix)
    }
}

/// All mistakes.
#[derive(Debug, Default)]
pub(super) struct Report {
    mistakes: Vec<Mistake>,
}

impl Report {
    pub(super) fn add(&mut self, mistake: Mistake) {
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    pub(super) fn extend(&mut self, mistakes: Vec<Mistake>) {
        for mistake in mistakes {
            self.add(mistake);
        }
    }

    /// Takes what was found in a `[[pipeline]]` table: keys get `prefix`, such as `pipeline[0].`, unless their value was
    /// said at the top, as `inherited` knows; a mistake there is one mistake, however many pipelines inherit it.
    pub(super) fn take(&mut self, found: Self, prefix: &str, inherited: impl Fn(&Origin) -> bool) {
        for mistake in found.mistakes {
            let at_the_top = mistake.origin.as_ref().is_some_and(&inherited);
            self.add(if at_the_top { mistake } else { mistake.within(prefix) });
        }
    }

    pub(super) fn len(&self) -> usize {
        self.mistakes.len()
    }

    /// The whole report as one error, or the empty report when there is no mistake.
    pub(super) fn into_result(mut self) -> Result<Self> {
        if self.mistakes.is_empty() {
            return Ok(self);
        }
        // Files first, by line; what is missing last, in the order of the sections.
        self.mistakes.sort_by_cached_key(|mistake| {
            mistake
                .origin
                .clone()
                .map_or((Origin::Default, String::new()), |origin| (origin, mistake.subject.clone()))
        });
        let count = self.mistakes.len();
        let mut text = format!("{count} mistake{} in the configuration", if count == 1 { "" } else { "s" });
        for mistake in &self.mistakes {
            text.push_str("\n\n");
            text.push_str(&mistake.to_string());
        }
        Err(Error::new(Kind::Config, text).with_hint(
            "`headwater config defaults` prints every key; `headwater config show` what is in force",
        ))
    }
}

/// The name among `known` that `given` was most probably meant to be.
pub(super) fn closest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const ENOUGH: f64 = 0.7;
    known
        .map(|name| (strsim::normalized_damerau_levenshtein(given, name), name))
        .filter(|(likeness, _)| *likeness >= ENOUGH)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// Hides the password of every `scheme://user:password@host`, and of every `password=` parameter.
pub(super) fn redact_urls(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("://") {
        let (before, authority) = rest.split_at(start + 3);
        result.push_str(before);
        // A password may hold an unescaped slash or at sign: the last at sign before white space or a quote counts.
        let end = authority.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(authority.len());
        let (word, after) = authority.split_at(end);
        match word.rfind('@') {
            Some(at) => {
                let user = word[..at].split(':').next().unwrap_or_default();
                result.push_str(user);
                if user.len() < at {
                    result.push(':');
                    result.push_str(REDACTED);
                }
                result.push_str(&redact_parameter(&word[at..]));
            }
            None => result.push_str(&redact_parameter(word)),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

fn redact_parameter(text: &str) -> String {
    let Some(start) = text.find("password=") else { return text.to_owned() };
    let value = start + "password=".len();
    let end = text[value..].find('&').map_or(text.len(), |length| value + length);
    format!("{}{REDACTED}{}", &text[..value], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_leave_urls() {
        for (url, shown) in [
            ("postgres://u:pw@h:1/d", "postgres://u:<redacted>@h:1/d"),
            ("postgres://u:p@w/x:y@h/d", "postgres://u:<redacted>@h/d"),
            (
                "postgres://u@h/d?password=pw&sslmode=disable",
                "postgres://u@h/d?password=<redacted>&sslmode=disable",
            ),
            ("see \"a://u:p@h\" and b://v:q@i", "see \"a://u:<redacted>@h\" and b://v:<redacted>@i"),
            ("plain", "plain"),
        ] {
            assert_eq!(redact_urls(url), shown);
        }
    }

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let known = ["slot", "tables", "publication"];
        assert_eq!(closest("slto", known.into_iter()), Some("slot"));
        assert_eq!(closest("table", known.into_iter()), Some("tables"));
        assert_eq!(closest("colour", known.into_iter()), None);
    }
}
