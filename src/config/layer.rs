//! What one file, the environment or the flags say: a source for the `config` crate, which lays the layers over each
//! other. A layer holds known keys alone, each with its origin; names that no key has become mistakes here, while their
//! place is still known, with the name that was probably meant. It has no `Debug` that shows anything: it holds secrets.

use std::fmt;

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::keys::{Form, KEYS, Key, SECTIONS, SYNONYMS, key, split};
use super::librdkafka::usual;
use super::origin::Origin;
use super::report::{Mistake, Report, closest};
use super::typed;

/// Paths of keys with their values; the value of a map is a table whose names may have dots.
#[derive(Clone, Default)]
pub(super) struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl Layer {
    /// The layer of a file.
    pub(super) fn of_file(tables: Map<String, Value>, report: &mut Report) -> Self {
        let mut layer = Self::default();
        for (name, value) in tables {
            let origin = Origin::of(&value);
            if let Some((section, entry)) = name.split_once('.') {
                let fix = format!("write [{section}] and {entry} below it, without quotes");
                report.add(Mistake::about_key(Some(&origin), &name, "is one name with a dot in it", fix));
                continue;
            }
            if !is_section(&name) {
                layer.put(&name, value, report);
                continue;
            }
            match value.kind {
                ValueKind::Table(entries) => {
                    for (entry, value) in entries {
                        layer.put(&format!("{name}.{entry}"), value, report);
                    }
                }
                // A section whose lines are all commented out.
                ValueKind::Nil => {}
                other => report.add(no_section(&name, &origin, &other)),
            }
        }
        layer
    }

    /// Takes the value of the key at `path`, if there is such a key.
    pub(super) fn put(&mut self, path: &str, value: Value, report: &mut Report) {
        let origin = Origin::of(&value);
        match (key(path), value.kind) {
            (Some(key @ Key { form: Form::Map, .. }), ValueKind::Table(table)) => {
                self.put_entries(key, "", table, report);
            }
            (Some(Key { form: Form::Map, .. }), ValueKind::Nil) => {}
            (Some(Key { form: Form::Map, .. }), kind) => report.add(Mistake::about_key(
                Some(&origin),
                path,
                format!("is {}, not a table", typed::type_name(&kind)),
                format!("write [{path}] and its names below, or --set {path}.name=value"),
            )),
            // `slot.name = "x"` in [source]: no key has dots but those of its section.
            (known, ValueKind::Table(table))
                if !table.is_empty() && (known.is_some() || path.contains('.')) =>
            {
                for (name, value) in table {
                    self.put(&format!("{path}.{name}"), value, report);
                }
            }
            (_, ValueKind::Table(_)) => report.add(unknown(path, &origin, "unknown section")),
            (Some(_), kind) => {
                self.0.insert(path.to_owned(), origin.value(kind));
            }
            (None, kind) if is_section(path) => report.add(no_section(path, &origin, &kind)),
            (None, _) => report.add(unknown(path, &origin, "unknown key")),
        }
    }

    /// Takes entries of a map. `compression.type = "lz4"` without quotes nests tables in TOML; the name that was meant
    /// has the dots.
    pub(super) fn put_entries(
        &mut self,
        key: &Key,
        prefix: &str,
        table: Map<String, Value>,
        report: &mut Report,
    ) {
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            let origin = Origin::of(&value);
            match value.kind {
                ValueKind::Table(table) => self.put_entries(key, &format!("{name}."), table, report),
                kind => {
                    let map =
                        self.0.entry(key.path.to_owned()).or_insert_with(|| Map::<_, Value>::new().into());
                    let ValueKind::Table(entries) = &mut map.kind else { continue };
                    if let Some(other) = entries.insert(name.clone(), origin.value(kind)) {
                        let path = format!("{}.\"{name}\"", key.path);
                        let reason = format!("is given twice ({} too)", Origin::of(&other));
                        report.add(Mistake::about_key(Some(&origin), &path, reason, "keep one of them"));
                    }
                }
            }
        }
    }

    /// The layer without some of its keys.
    pub(super) fn without(&self, paths: &[&str]) -> Self {
        let kept = self.0.iter().filter(|(path, _)| !paths.contains(&path.as_str()));
        Self(kept.map(|(path, value)| (path.clone(), value.clone())).collect())
    }

    /// The keys that it has, with their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value))
    }

    /// Where the values come from, those in maps included.
    pub(super) fn origins(&self) -> Vec<Origin> {
        let entries = |value: &Value| match &value.kind {
            ValueKind::Table(entries) => entries.values().map(Origin::of).collect(),
            _ => vec![Origin::of(value)],
        };
        self.0.values().flat_map(entries).collect()
    }

    /// The value of the key at `path`.
    pub(super) fn get(&self, path: &str) -> Option<&Value> {
        self.0.get(path)
    }
}

fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|(section, _)| *section == name)
}

fn no_section(name: &str, origin: &Origin, kind: &ValueKind) -> Mistake {
    Mistake::about_key(
        Some(origin),
        name,
        format!("is a section, not {}", typed::type_name(kind)),
        format!("write [{name}] and its keys below, or {name}.key = value"),
    )
}

fn unknown(path: &str, origin: &Origin, reason: &str) -> Mistake {
    let (section, name) = split(path);
    let fix = match meant(path) {
        Some(near) => format!("did you mean {near}?"),
        None if section == "kafka" => match usual(name) {
            Some(property) => format!("did you mean \"{property}\" under [kafka.properties]?"),
            None => "properties of librdkafka go under [kafka.properties]".to_owned(),
        },
        None => "remove it; `headwater config defaults` prints every key".to_owned(),
    };
    Mistake::about_key(Some(origin), path, reason, fix)
}

/// The key or section that `path` was probably meant to be.
fn meant(path: &str) -> Option<String> {
    let (section, name) = split(path);
    let alike = name.replace(['-', '.'], "_").to_ascii_lowercase();
    if let Some((_, key)) = SYNONYMS.iter().find(|(other, _)| *other == alike) {
        return Some((*key).to_owned());
    }
    let known = || SECTIONS.iter().map(|(section, _)| *section);
    let within = KEYS.iter().map(|key| split(key.path)).filter(|(other, _)| *other == section);
    let sections = known().filter(|_| section.is_empty());
    closest(&alike, within.map(|(_, name)| name).chain(sections))
        .map(|name| if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") })
        .or_else(|| KEYS.iter().find(|key| split(key.path).1 == alike).map(|key| key.path.to_owned()))
        .or_else(|| key(&format!("{}.{alike}", closest(section, known())?)).map(|key| key.path.to_owned()))
}
