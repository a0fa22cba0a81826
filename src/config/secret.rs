//! Secrets: given as they are, in a file, or in an environment variable, but not in two ways at once.

use std::collections::BTreeMap;
use std::io::Read;

use secrecy::SecretString;

use super::origin::Origin;
use super::report::{Mistake, Report};
use super::settings::Settings;
use super::typed::quote;

/// Longer files are surely not a secret.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// One way in which a secret is given.
pub(super) struct Given<'a> {
    pub(super) key: String,
    pub(super) origin: &'a Origin,
    /// The secret, the path or the name of the variable.
    pub(super) text: &'a str,
    pub(super) way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    File,
    Environment,
}

impl Way {
    /// Every way with what it puts behind the name of the key.
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::Plain, ""), (Self::File, "_file"), (Self::Environment, "_env")];
}

/// The secret of the key at `path`, whose other ways are `path_file` and `path_env`.
pub(super) fn of_key(
    path: &str,
    settings: &Settings,
    variables: &BTreeMap<String, String>,
    report: &mut Report,
) -> Option<SecretString> {
    let keys = Way::ALL.map(|(way, suffix)| (way, format!("{path}{suffix}")));
    let given = keys.into_iter().filter_map(|(way, key)| {
        let (text, origin) = (settings.text(&key)?, settings.origin(&key)?);
        Some(Given { key, origin, text, way })
    });
    resolve(given.collect(), variables, report)
}

/// The one secret that is given, if any.
pub(super) fn resolve(
    given: Vec<Given<'_>>,
    variables: &BTreeMap<String, String>,
    report: &mut Report,
) -> Option<SecretString> {
    let mut given = given.into_iter();
    let first = given.next()?;
    for other in given {
        report.add(other.mistake(
            format!("is given although {} is given too ({})", first.key, first.origin),
            format!("remove {} or {}", first.key, other.key),
        ));
    }
    match first.read(variables) {
        Ok(secret) if secret.contains('\0') => {
            report.add(first.mistake("the secret holds a NUL byte", "remove it"));
            None
        }
        Ok(secret) => Some(secret.into()),
        Err((reason, fix)) => {
            report.add(first.mistake(reason, fix));
            None
        }
    }
}

impl Given<'_> {
    fn mistake(&self, reason: impl Into<String>, fix: impl Into<String>) -> Mistake {
        let mistake = Mistake::about_key(Some(self.origin), &self.key, reason, fix);
        match self.way {
            Way::Plain => mistake.with_secret(),
            Way::File | Way::Environment => mistake.with_value(&quote(self.text)),
        }
    }

    fn read(&self, variables: &BTreeMap<String, String>) -> Result<String, (String, &'static str)> {
        match self.way {
            Way::Plain => Ok(self.text.to_owned()),
            Way::File => read_file(self.text).map_err(|reason| {
                (
                    reason,
                    "check the path and that this user may read the file; without a password, remove the key",
                )
            }),
            Way::Environment => variables.get(self.text).filter(|text| !text.is_empty()).cloned().ok_or((
                "the environment variable is not set, or empty".to_owned(),
                "set it, or name another; the key takes the name of a variable, not the secret",
            )),
        }
    }
}

fn read_file(path: &str) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("the secret cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("the file is longer than {MAX_SECRET_BYTES} bytes"));
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8 text".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() { Err("the file is empty".to_owned()) } else { Ok(text) }
}
