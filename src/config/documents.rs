//! Tests that keep the documents true: the sample file and the table in the manual are made from the table of keys.
//! `HEADWATER_UPDATE=1 cargo test config::documents` writes them anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::keys::{Form, KEYS, SECTIONS, split};
use super::units::{format_duration, format_size};
use super::{LoadOptions, defaults_toml, load, schema_json};

const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn agrees(path: &str, wanted: &str) {
    let path = root(path);
    if std::env::var_os("HEADWATER_UPDATE").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == wanted,
        "{} is not what the code says: run the test with HEADWATER_UPDATE=1",
        path.display()
    );
}

/// `config/headwater.toml`: every key with its meaning, commented out but for those that must be given.
fn sample_toml() -> String {
    let mut text = String::from(
        "# Headwater: change data capture from PostgreSQL to Kafka.\n#\n# Every key with its default. What is not commented out must be given; all else may stay as it is.\n# An empty text is the same as leaving the key out, except where its comment says otherwise.\n# `headwater config show` prints what is in force; docs/configuration.md explains environment and flags.\n",
    );
    let mut section = "";
    for key in KEYS {
        let (in_section, name) = split(key.path);
        text.push('\n');
        if in_section != section {
            section = in_section;
            let about = SECTIONS.iter().find(|(name, _)| *name == section).map_or("", |(_, about)| *about);
            writeln!(text, "\n# {about}\n[{section}]\n").unwrap();
        }
        for line in wrapped(key.doc, 98) {
            writeln!(text, "# {line}").unwrap();
        }
        match REQUIRED.iter().find(|(path, _)| *path == key.path) {
            Some((_, example)) => writeln!(text, "{name} = {example}").unwrap(),
            None => writeln!(text, "#{name} = {}", key.default).unwrap(),
        }
    }
    text
}

/// Keys that must be given, with the values of the sample.
const REQUIRED: [(&str, &str); 3] = [
    ("name", "\"shop\""),
    ("source.url", "\"postgres://headwater@127.0.0.1:5432/shop\""),
    ("kafka.brokers", "[\"127.0.0.1:9092\"]"),
];

/// The table of `docs/configuration.md`.
fn table_markdown() -> String {
    let mut text = String::from("| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in KEYS {
        let kind = match key.form {
            Form::Text => "text".to_owned(),
            Form::Secret => "secret".to_owned(),
            Form::Bool => "true, false".to_owned(),
            Form::Integer(min, max) => format!("number, {min} to {max}"),
            Form::Duration(min, max) => {
                format!("duration, {} to {}", format_duration(min), format_duration(max))
            }
            Form::Size(min, max) => format!("size, {} to {}", format_size(min), format_size(max)),
            Form::Choice(choices, _) => choices.join(", "),
            Form::List => "list of texts".to_owned(),
            Form::Map => "table".to_owned(),
        };
        let default = if key.may_be_empty() { String::new() } else { format!("`{}`", key.default) };
        let doc = key.doc.replace('|', "\\|").replace('*', "\\*").replace('_', "\\_");
        writeln!(text, "| `{}` | {kind} | {default} | {doc} |", key.path).unwrap();
    }
    text
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
                continue;
            }
        }
        lines.push(word.to_owned());
    }
    lines
}

/// `section.key` and value of each key; of maps only that they are there.
fn flat(text: &str) -> BTreeMap<String, Value> {
    let tables: Map<String, Value> = toml::from_str(text).unwrap();
    let mut result = BTreeMap::new();
    for (name, value) in tables {
        match value {
            Value::Object(keys) if SECTIONS.iter().any(|(section, _)| *section == name) => {
                result.extend(keys.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => {
                result.insert(name, value);
            }
        }
    }
    result
}

/// The sample with every key in force.
fn uncommented() -> String {
    let sample = std::fs::read_to_string(root("config/headwater.toml")).unwrap();
    let lines = sample.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn sample_is_current() {
    agrees("config/headwater.toml", &sample_toml());
}

#[test]
fn sample_and_defaults_have_the_same_keys_and_values() {
    let (mut sample, mut defaults) = (flat(&uncommented()), flat(&defaults_toml()));
    let names: Vec<&String> = defaults.keys().collect();
    let mut known: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
    known.sort_unstable();
    assert_eq!(names, known);
    for (path, _) in REQUIRED {
        assert!(sample.remove(path).is_some() && defaults.remove(path).is_some(), "{path}");
    }
    assert_eq!(sample, defaults);
}

/// An empty text, or the default itself, is the same as leaving a key out.
#[test]
fn sample_means_the_same_with_and_without_its_comments() {
    let directory = tempfile::tempdir().unwrap();
    let all = directory.path().join("all.toml");
    std::fs::write(&all, uncommented()).unwrap();
    let config = |file: PathBuf| {
        let options = LoadOptions { files: vec![file], ..LoadOptions::default() };
        format!("{:?}", load(&options).unwrap().pipelines)
    };
    assert_eq!(config(all), config(root("config/headwater.toml")));
}

#[test]
fn manual_has_the_table_of_keys() {
    let manual = std::fs::read_to_string(root("docs/configuration.md")).unwrap();
    let (before, rest) = manual.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    agrees("docs/configuration.md", &format!("{before}{BEGIN}{}{END}{after}", table_markdown()));
}

#[test]
fn manual_names_every_exit_code() {
    let manual = std::fs::read_to_string(root("docs/configuration.md")).unwrap();
    for kind in crate::error::Kind::ALL {
        assert!(manual.contains(&format!("| {} |", kind.exit_code())), "{kind:?}");
    }
}

#[test]
fn schema_has_every_key_and_default() {
    let schema = schema_json();
    let defaults = flat(&defaults_toml());
    for key in KEYS {
        let (section, name) = split(key.path);
        let top = &schema["properties"];
        let entry = if section.is_empty() { &top[name] } else { &top[section]["properties"][name] };
        assert_eq!(entry["description"], key.doc, "{}", key.path);
        if !key.may_be_empty() {
            assert_eq!(entry["default"], defaults[key.path], "{}", key.path);
        }
    }
}
