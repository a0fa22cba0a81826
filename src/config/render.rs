//! The configuration as text: all defaults, what is in force, and the JSON Schema, each made from the table of keys.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use toml::de::ValueDeserializer;

use super::Loaded;
use super::build::masks::without_salt;
use super::keys::{Form, KEYS, Key, SECTIONS, split};
use super::librdkafka::is_secret;
use super::model::{Config, SslMode};
use super::pipelines::is_of_the_process;
use super::report::{REDACTED, redact_urls};
use super::settings::{Setting, Settings};
use super::typed::{Typed, quote};
use super::units::{format_duration, format_size};

/// Every key with its default, as TOML. Keys without a fixed default have an empty text, which is the same as leaving
/// them out; three of them must be given before it runs.
pub fn defaults_toml() -> String {
    let mut text = String::new();
    sections(&mut text, "", |text, key| writeln!(text, "{} = {}", split(key.path).1, key.default));
    text
}

/// The configuration in force, as TOML with the origin of each value; secrets are `<redacted>`.
pub fn show(loaded: &Loaded) -> String {
    let mut text = String::new();
    let (top, pipelines) = &loaded.settings;
    let concerns_all = |path: &str| is_of_the_process(path) || path == "limits.memory";
    let several = !pipelines.is_empty();
    sections(&mut text, "", |text, key| {
        if several && !concerns_all(key.path) { Ok(()) } else { line_in_force(text, key, top) }
    });
    for settings in pipelines {
        text.push_str("\n[[pipeline]]\n");
        sections(&mut text, "pipeline.", |text, key| {
            if is_of_the_process(key.path) { Ok(()) } else { line_in_force(text, key, settings) }
        });
    }
    text
}

fn line_in_force(text: &mut String, key: &'static Key, settings: &Settings) -> std::fmt::Result {
    let Some((_, setting)) = settings.iter().find(|(known, _)| known.path == key.path) else {
        return Ok(());
    };
    if setting.value == Typed::Unset {
        return Ok(());
    }
    let value = value_toml(key, setting);
    writeln!(text, "{} = {value} # {}", split(key.path).1, origins(setting))
}

/// Where the value comes from; the entries of a map may come from several places.
fn origins(setting: &Setting) -> String {
    let Typed::Map(entries) = &setting.value else { return setting.origin.to_string() };
    let origins: BTreeSet<_> = entries.values().map(|entry| &entry.origin).collect();
    if origins.is_empty() {
        return setting.origin.to_string();
    }
    origins.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Writes the top-level keys and then each section that has lines with its heading; `within` is the table around them.
fn sections(
    text: &mut String,
    within: &str,
    mut line: impl FnMut(&mut String, &'static Key) -> std::fmt::Result,
) {
    for section in std::iter::once("").chain(SECTIONS.iter().map(|(name, _)| *name)) {
        let mut lines = String::new();
        for key in KEYS.iter().filter(|key| split(key.path).0 == section) {
            // Writing to a String cannot fail.
            let _ = line(&mut lines, key);
        }
        if !section.is_empty() && !lines.is_empty() {
            let _ = writeln!(text, "{}[{within}{section}]", if text.is_empty() { "" } else { "\n" });
        }
        text.push_str(&lines);
    }
}

fn value_toml(key: &Key, setting: &Setting) -> String {
    match (&setting.value, key.form) {
        (_, Form::Secret) => quote(REDACTED),
        (Typed::Text(text), Form::Choice(..)) if text == "true" || text == "false" => text.clone(),
        (Typed::Map(entries), _) => {
            let entries = entries.iter().map(|(name, entry)| {
                let indirect = name.ends_with("_file") || name.ends_with("_env");
                let hidden = key.path == "kafka.properties" && is_secret(name) && !indirect;
                let text = match key.path {
                    _ if hidden => REDACTED.to_owned(),
                    "source.mask_columns" => without_salt(&entry.text, REDACTED),
                    _ => redact_urls(&entry.text),
                };
                format!("{} = {}", quote(name), quote(&text))
            });
            let entries: Vec<String> = entries.collect();
            if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
        }
        (value, _) => redact_urls(&value.to_string()),
    }
}

/// Puts what follows from other keys into the settings that were left out.
pub(super) fn settle(settings: &mut Settings, config: &Config) {
    let text = |text: &str| Typed::Text(text.to_owned());
    let sslmode = match config.source.sslmode {
        SslMode::Disable => "disable",
        SslMode::Prefer => "prefer",
        SslMode::Require => "require",
        SslMode::VerifyCa => "verify-ca",
        SslMode::VerifyFull => "verify-full",
    };
    for (path, value) in [
        ("source.database", text(&config.source.database)),
        ("source.sslmode", text(sslmode)),
        ("source.slot", text(&config.source.slot)),
        ("source.publication", text(&config.source.publication)),
        ("topics.transaction", text(&config.topics.transaction)),
        ("topics.message", text(&config.topics.message)),
        ("topics.heartbeat", text(&config.topics.heartbeat)),
        ("kafka.transactional_id", text(&config.kafka.transactional_id)),
        ("checkpoint.file", text(&config.checkpoint.file.to_string_lossy())),
        ("limits.max_message", Typed::Size(config.limits.max_message)),
    ] {
        settings.derive(path, value);
    }
    if let Some(topic) = &config.topics.notification {
        settings.derive("topics.notification", text(topic));
    }
}

/// Puts the share of a `[[pipeline]]` into its settings.
pub(super) fn settle_share(settings: &mut Settings, config: &Config) {
    settings.derive("limits.memory", Typed::Size(config.limits.memory));
}

/// JSON Schema (draft 2020-12) of a file, for editors.
pub fn schema_json() -> Json {
    let mut properties = properties(|_| true);
    let of_one = properties_of_pipeline();
    properties.insert("pipeline".to_owned(), of_one);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Headwater",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

fn properties_of_pipeline() -> Json {
    let one = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["name"],
        "properties": properties(|path| !is_of_the_process(path)),
    });
    json!({
        "description": "Several pipelines in one process; what stands at the top is what each of them inherits, key by key.",
        "type": "array", "minItems": 1, "items": one,
    })
}

fn properties(wanted: impl Fn(&str) -> bool) -> Map<String, Json> {
    let mut properties = Map::new();
    for section in std::iter::once(("", "")).chain(SECTIONS) {
        let keys = KEYS.iter().filter(|key| split(key.path).0 == section.0 && wanted(key.path));
        let entries = keys.map(|key| (split(key.path).1.to_owned(), key_schema(key))).collect::<Map<_, _>>();
        if section.0.is_empty() {
            properties.extend(entries);
        } else if !entries.is_empty() {
            let schema = json!({
                "description": section.1, "type": "object", "additionalProperties": false, "properties": entries,
            });
            properties.insert(section.0.to_owned(), schema);
        }
    }
    properties
}

fn key_schema(key: &Key) -> Json {
    let mut schema = match key.form {
        Form::Text => json!({"type": "string"}),
        Form::Secret => json!({"type": "string", "writeOnly": true}),
        Form::Bool => json!({"type": "boolean"}),
        Form::Integer(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
        Form::Duration(min, max) => json!({
            "type": "string",
            "$comment": format!("duration from {} to {}", format_duration(min), format_duration(max)),
        }),
        Form::Size(min, max) => json!({
            "type": ["string", "integer"],
            "$comment": format!("size from {} to {}", format_size(min), format_size(max)),
        }),
        Form::Choice(choices, _) => {
            let choices = choices.iter().flat_map(|choice| match *choice {
                "true" => vec![json!(true), json!("true")],
                "false" => vec![json!(false), json!("false")],
                other => vec![json!(other)],
            });
            json!({"enum": choices.collect::<Vec<_>>()})
        }
        Form::List => json!({"type": "array", "items": {"type": "string"}}),
        Form::Map => json!({"type": "object"}),
    };
    if key.may_be_empty() && !matches!(key.form, Form::Text | Form::Secret | Form::Duration(..)) {
        schema = json!({"anyOf": [schema, {"const": ""}]});
    }
    if let Json::Object(fields) = &mut schema {
        fields.insert("description".to_owned(), json!(key.doc));
        if let Some(default) = default_json(key).filter(|_| !key.may_be_empty()) {
            fields.insert("default".to_owned(), default);
        }
    }
    schema
}

fn default_json(key: &Key) -> Option<Json> {
    Json::deserialize(ValueDeserializer::parse(key.default).ok()?).ok()
}
