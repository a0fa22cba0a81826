//! Environment variables and `--set` flags as layers. `HEADWATER_SOURCE__PASSWORD` and `--set source.password=…` are the
//! same key; both bring bare text, and the key decides what type it is: `config::Environment` would take a password
//! `00123` for a number, and forget the name of the variable.

use config::Map;

use super::keys::{Form, KEYS, SECTIONS, key};
use super::layer::Layer;
use super::origin::Origin;
use super::pipelines::Pipelines;
use super::report::{Mistake, Report, closest};

const PREFIX: &str = "HEADWATER_";

/// Names the files to load, and is no key.
const FILES: &str = "HEADWATER_CONFIG";

/// The layer of all variables that name keys; those of one pipeline, as `HEADWATER_PIPELINE__SHOP__SOURCE__PASSWORD`,
/// go to it.
///
/// A variable without `__` whose first word is no section is left alone: Kubernetes, for one, sets
/// `HEADWATER_SERVICE_HOST` and `HEADWATER_PORT` when a service is named `headwater`.
pub(super) fn environment<'a>(
    variables: impl Iterator<Item = (&'a str, &'a str)>,
    pipelines: &mut Pipelines,
    report: &mut Report,
) -> Layer {
    let mut layer = Layer::default();
    pipelines.new_layer();
    for (variable, text) in variables {
        let Some(name) = variable.strip_prefix(PREFIX).filter(|_| variable != FILES) else { continue };
        let name = name.to_ascii_lowercase();
        let origin = Origin::Environment { variable: variable.to_owned() };
        if let Some(rest) = name.strip_prefix("pipeline__") {
            let found = pipelines.of_variable(rest).map(|(pipeline, path)| (pipeline, variable_path(path)));
            put_into_pipeline(pipelines, found, &name, &origin, text, report);
        } else if name.contains("__") || key(&name).is_some() {
            put(&mut layer, &variable_path(&name), &origin, text, report);
        } else if let Some(fix) = meant(&name) {
            report.add(Mistake::about_key(Some(&origin), &name, "unknown key", fix));
        }
    }
    layer
}

/// The layer of the `--set` flags, given as key and text; of a key that is given twice the last counts. Those of one
/// pipeline, as `pipeline.shop.source.slot`, go to it.
pub(super) fn flags(overrides: &[(String, String)], pipelines: &mut Pipelines, report: &mut Report) -> Layer {
    let mut layer = Layer::default();
    pipelines.new_layer();
    for (position, (name, text)) in overrides.iter().enumerate() {
        if overrides[position + 1..].iter().all(|(later, _)| later != name) {
            let origin = Origin::Flag { key: name.clone() };
            if let Some(rest) = name.strip_prefix("pipeline.") {
                let found = pipelines.of_flag(rest).map(|(pipeline, path)| (pipeline, path.to_owned()));
                put_into_pipeline(pipelines, found, name, &origin, text, report);
            } else {
                put(&mut layer, name, &origin, text, report);
            }
        }
    }
    layer
}

/// Puts a text at the path of the pipeline that was found for `name`, or says why none was: reason and repair.
fn put_into_pipeline(
    pipelines: &mut Pipelines,
    found: Result<(usize, String), (String, String)>,
    name: &str,
    origin: &Origin,
    text: &str,
    report: &mut Report,
) {
    match found {
        Ok((pipeline, path)) => pipelines.say(pipeline, report, |layer, report| {
            put(layer, &path, origin, text, report);
        }),
        Err((reason, fix)) => report.add(Mistake::about_key(Some(origin), name, reason, fix)),
    }
}

/// Puts a text at a path; what follows the path of a map is a name in it.
fn put(layer: &mut Layer, path: &str, origin: &Origin, text: &str, report: &mut Report) {
    let maps = KEYS.iter().filter(|key| matches!(key.form, Form::Map));
    let entry =
        |key: &str| path.strip_prefix(key)?.strip_prefix('.').map(|name| name.trim_matches(['"', '\'']));
    match maps.into_iter().find_map(|key| Some((key, entry(key.path)?))) {
        Some((key, name)) => {
            layer.put_entries(key, "", Map::from([(name.to_owned(), origin.value(text))]), report);
        }
        None => layer.put(path, origin.value(text), report),
    }
}

/// `kafka__properties__ssl_key_password_file` is `kafka.properties.ssl.key.password_file`, since names of properties
/// have dots, which variables cannot have, and no underscores.
fn variable_path(name: &str) -> String {
    let path = name.replace("__", ".");
    for map in ["topics.settings.", "kafka.properties."] {
        if let Some(name) = path.strip_prefix(map) {
            let way =
                ["_file", "_env"].into_iter().find(|way| map.starts_with("kafka") && name.ends_with(way));
            let way = way.unwrap_or_default();
            let stem = name.strip_suffix(way).unwrap_or(name);
            return format!("{map}{}{way}", stem.replace('_', "."));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_get_their_dots_back() {
        for (name, path) in [
            ("kafka__properties__ssl_key_password_file", "kafka.properties.ssl.key.password_file"),
            ("topics__settings__retention_ms", "topics.settings.retention.ms"),
            ("source__password_file", "source.password_file"),
        ] {
            assert_eq!(variable_path(name), path);
        }
    }
}
