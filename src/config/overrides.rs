//! Environment variables and `--set` flags as trees. `HEADWATER_SOURCE__PASSWORD` and `--set source.password=…` are the
//! same key; both bring bare text, and the key decides what type it is.

use super::keys::{Form, KEYS, SECTIONS, key};
use super::report::{Mistake, Report, closest};
use super::tree::{Origin, Table};

const PREFIX: &str = "HEADWATER_";

/// Names the files to load, and is no key.
const FILES: &str = "HEADWATER_CONFIG";

/// The tree of all variables that name keys.
///
/// A variable without `__` whose first word is no section is left alone: Kubernetes, for one, sets
/// `HEADWATER_SERVICE_HOST` and `HEADWATER_PORT` when a service is named `headwater`.
pub(super) fn environment<'a>(
    variables: impl Iterator<Item = (&'a str, &'a str)>,
    report: &mut Report,
) -> Table {
    let mut table = Table::default();
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX).filter(|_| variable != FILES) else { continue };
        let name = name.to_ascii_lowercase();
        let origin = Origin::Environment { variable: variable.to_owned() };
        if !name.contains("__") && key(&name).is_none() {
            if let Some(fix) = meant(&name) {
                report.add(Mistake::about_key(Some(&origin), &name, "unknown key", fix));
            }
            continue;
        }
        table.set_path(&environment_path(&name), &origin, text.to_owned());
    }
    table
}

/// `kafka__properties__ssl_key_password_file` is `kafka.properties."ssl.key.password_file"`, since names of properties
/// have dots, which variables cannot have, and no underscores.
fn environment_path(name: &str) -> Vec<String> {
    let mut words = name.split("__").map(str::to_owned);
    let mut path: Vec<String> = words.by_ref().take(2).collect();
    let Some(first) = words.next() else { return path };
    let rest = words.fold(first, |rest, word| format!("{rest}.{word}"));
    if is_map(&path) {
        let (stem, suffix) = ["_file", "_env"]
            .into_iter()
            .find_map(|suffix| Some((rest.strip_suffix(suffix)?, suffix)))
            .filter(|_| path[0] == "kafka")
            .unwrap_or((&rest, ""));
        path.push(format!("{}{suffix}", stem.replace('_', ".")));
    } else {
        path.push(rest);
    }
    path
}

/// What a variable with single underscores was probably meant to be.
fn meant(name: &str) -> Option<String> {
    let (section, rest) = name.split_once('_')?;
    if !SECTIONS.iter().any(|(known, _)| *known == section) {
        return None;
    }
    let names = KEYS.iter().filter_map(|key| key.path.strip_prefix(section)?.strip_prefix('.'));
    let near = closest(rest, names).unwrap_or(rest);
    let variable = format!("{PREFIX}{section}__{near}").to_ascii_uppercase();
    Some(format!("two underscores part section and key: did you mean {variable}?"))
}

fn is_map(path: &[String]) -> bool {
    key(&path.join(".")).is_some_and(|key| matches!(key.form, Form::Map))
}

/// The tree of the `--set` flags, given as key and text.
pub(super) fn flags(overrides: &[(String, String)]) -> Table {
    let mut table = Table::default();
    for (name, text) in overrides {
        let origin = Origin::Flag { key: name.clone() };
        table.set_path(&flag_path(name), &origin, text.clone());
    }
    table
}

fn flag_path(name: &str) -> Vec<String> {
    let mut path: Vec<String> = name.splitn(3, '.').map(|word| word.trim().to_owned()).collect();
    if let Some(last) = path.get_mut(2) {
        *last = last.trim_matches(['"', '\'']).to_owned();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_get_their_dots_back() {
        assert_eq!(
            environment_path("kafka__properties__ssl_key_password_file"),
            ["kafka", "properties", "ssl.key.password_file"]
        );
        assert_eq!(
            environment_path("topics__settings__retention_ms"),
            ["topics", "settings", "retention.ms"]
        );
        assert_eq!(environment_path("source__password_file"), ["source", "password_file"]);
        assert_eq!(flag_path("kafka.properties.\"linger.ms\""), ["kafka", "properties", "linger.ms"]);
    }
}
