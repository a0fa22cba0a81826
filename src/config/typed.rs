//! From a value to the type of its key. Files bring types of their own, and those must fit; variables and flags
//! bring bare text, which is read as the key's type.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use config::{Map, Value, ValueKind};
use serde::Deserialize;
use toml::de::ValueDeserializer;

use super::keys::{Form, Key};
use super::origin::Origin;
use super::report::{Mistake, closest};
use super::units;

/// A value of the type of its key.
#[derive(Clone, PartialEq)]
pub(super) enum Typed {
    /// Left out, and without a fixed default.
    Unset,
    Text(String),
    Bool(bool),
    Integer(i64),
    Duration(Duration),
    Size(u64),
    List(Vec<String>),
    Map(BTreeMap<String, Entry>),
}

/// An entry of a map.
#[derive(Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    pub(super) text: String,
}

/// As a TOML file would say it; maps are written by whoever knows which of their entries are secret.
impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unset | Self::Map(_) => Ok(()),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Duration(duration) => f.write_str(&quote(&units::format_duration(*duration))),
            Self::Size(bytes) => f.write_str(&quote(&units::format_size(*bytes))),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(|item| quote(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

/// Why a value does not fit, and what to do.
pub(super) struct Wrong {
    reason: String,
    fix: String,
}

fn wrong<T>(reason: impl Into<String>, fix: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { reason: reason.into(), fix: fix.into() })
}

/// A value of the wrong type, or out of bounds.
pub(super) fn mistake(path: &str, key: &Key, value: &Value, wrong: Wrong) -> Mistake {
    let mistake = Mistake::about_key(Some(&Origin::of(value)), path, wrong.reason, wrong.fix);
    match key.form {
        Form::Secret => mistake.with_secret(),
        _ => mistake.with_value(&to_toml(&value.kind)),
    }
}

/// The value as `key` takes it.
pub(super) fn typed(key: &Key, value: &Value) -> Result<Typed, Wrong> {
    let empty = match &value.kind {
        ValueKind::Nil => true,
        ValueKind::String(text) => text.is_empty(),
        _ => false,
    };
    if empty && key.may_be_empty() {
        return Ok(Typed::Unset);
    }
    let bare = Origin::of(value).is_bare_text();
    match (key.form, &value.kind) {
        (Form::Text | Form::Secret, ValueKind::String(text)) => Ok(Typed::Text(text.clone())),
        (Form::Bool, ValueKind::Boolean(truth)) => Ok(Typed::Bool(*truth)),
        (Form::Bool, ValueKind::String(_)) if bare => match value.clone().into_bool() {
            Ok(truth) => Ok(Typed::Bool(truth)),
            Err(_) => wrong("is neither true nor false", "write true or false"),
        },
        (Form::Integer(min, max), ValueKind::I64(number)) => integer(*number, min, max),
        (Form::Integer(min, max), ValueKind::String(text)) => match text.trim().parse() {
            Ok(number) if bare => integer(number, min, max),
            Ok(_) => Err(mismatch(key.form, &value.kind)),
            Err(_) => wrong("is not a whole number", format!("write a whole number from {min} to {max}")),
        },
        (Form::Duration(min, max), ValueKind::String(text)) => duration(text, min, max),
        (Form::Duration(min, max), ValueKind::I64(number)) => duration(&number.to_string(), min, max),
        (Form::Size(min, max), ValueKind::String(text)) => size(text, min, max),
        (Form::Size(min, max), ValueKind::I64(number)) => size(&number.to_string(), min, max),
        (Form::Choice(now, later), ValueKind::String(text)) => choice(text, now, later),
        (Form::Choice(now, later), ValueKind::Boolean(truth)) if now.contains(&"true") => {
            choice(if *truth { "true" } else { "false" }, now, later)
        }
        (Form::List, ValueKind::Array(items)) => texts(items),
        (Form::List, ValueKind::String(text)) if bare => bare_list(text),
        (form, kind) => Err(mismatch(form, kind)),
    }
}

/// A value of a type that the key does not take.
fn mismatch(form: Form, kind: &ValueKind) -> Wrong {
    let fix = match (form, kind) {
        (Form::List, ValueKind::String(text)) if !text.contains("://") => {
            let items: Vec<String> = text.split(',').map(|item| quote(item.trim())).collect();
            format!("write [{}]", items.join(", "))
        }
        _ => example(form),
    };
    Wrong { reason: format!("is {}, not {}", type_name(kind), name_of(form)), fix }
}

fn integer(number: i64, min: i64, max: i64) -> Result<Typed, Wrong> {
    if (min..=max).contains(&number) {
        return Ok(Typed::Integer(number));
    }
    wrong("is out of range", format!("write a whole number from {min} to {max}"))
}

fn duration(text: &str, min: Duration, max: Duration) -> Result<Typed, Wrong> {
    match units::parse_duration(text) {
        Ok(duration) if (min..=max).contains(&duration) => Ok(Typed::Duration(duration)),
        Ok(_) => {
            let (min, max) = (units::format_duration(min), units::format_duration(max));
            wrong("is out of range", format!("write a duration from \"{min}\" to \"{max}\""))
        }
        Err(fix) => wrong("is not a duration", fix),
    }
}

fn size(text: &str, min: u64, max: u64) -> Result<Typed, Wrong> {
    match units::parse_size(text) {
        Ok(size) if (min..=max).contains(&size) => Ok(Typed::Size(size)),
        Ok(_) => {
            let (min, max) = (units::format_size(min), units::format_size(max));
            wrong("is out of range", format!("write a size from \"{min}\" to \"{max}\""))
        }
        Err(fix) => wrong("is not a size", fix),
    }
}

fn choice(text: &str, now: &[&str], later: &[&str]) -> Result<Typed, Wrong> {
    if now.contains(&text) {
        return Ok(Typed::Text(text.to_owned()));
    }
    let choices = now.join(", ");
    if later.contains(&text) {
        return wrong("is not yet there: this version does not have it", format!("write {choices}"));
    }
    match closest(&text.to_ascii_lowercase(), now.iter().copied()) {
        Some(near) => wrong("is not one of the choices", format!("did you mean {near}? One of: {choices}")),
        None => wrong("is not one of the choices", format!("one of: {choices}")),
    }
}

fn texts(items: &[Value]) -> Result<Typed, Wrong> {
    let mut result = Vec::with_capacity(items.len());
    for item in items {
        match &item.kind {
            ValueKind::String(text) => result.push(text.clone()),
            other => {
                let reason = format!("holds {} where a text belongs", type_name(other));
                return wrong(reason, "write a list of texts: [\"a\", \"b\"]");
            }
        }
    }
    Ok(Typed::List(result))
}

/// A list from a variable or flag: a TOML list, or texts with commas between them.
fn bare_list(text: &str) -> Result<Typed, Wrong> {
    if text.trim_start().starts_with('[') {
        let items = ValueDeserializer::parse(text.trim()).and_then(Vec::<String>::deserialize);
        return items
            .map(Typed::List)
            .or_else(|_| wrong("begins with [ and is not a list of texts", "write a,b or [\"a\", \"b\"]"));
    }
    Ok(Typed::List(
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
    ))
}

/// The entries of a map, or all that is wrong with them.
pub(super) fn typed_map(key: &Key, table: &Map<String, Value>) -> Result<Typed, Vec<Mistake>> {
    let mut entries = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (name, value) in table {
        let origin = Origin::of(value);
        match &value.kind {
            ValueKind::Nil | ValueKind::Array(_) | ValueKind::Table(_) => mistakes.push(Mistake::about_key(
                Some(&origin),
                &format!("{}.\"{name}\"", key.path),
                format!("is {}, not a text, number or truth", type_name(&value.kind)),
                "write one value, as a text",
            )),
            scalar => {
                entries.insert(name.clone(), Entry { origin, text: scalar.to_string() });
            }
        }
    }
    if mistakes.is_empty() { Ok(Typed::Map(entries)) } else { Err(mistakes) }
}

/// The type as a person calls it.
pub(super) fn type_name(kind: &ValueKind) -> &'static str {
    match kind {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a whole number",
        ValueKind::Float(_) => "a number",
        ValueKind::String(_) => "a text",
        ValueKind::Array(_) => "a list",
        ValueKind::Table(_) => "a table",
    }
}

/// As a TOML file would say it.
fn to_toml(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Nil => "null".to_owned(),
        ValueKind::String(text) => quote(text),
        ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| to_toml(&item.kind)).collect();
            format!("[{}]", items.join(", "))
        }
        ValueKind::Table(_) => "{…}".to_owned(),
        other => other.to_string(),
    }
}

/// A text as a TOML basic string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn name_of(form: Form) -> &'static str {
    match form {
        Form::Text | Form::Secret => "a text",
        Form::Bool => "true or false",
        Form::Integer(..) => "a whole number",
        Form::Duration(..) => "a duration",
        Form::Size(..) => "a size",
        Form::Choice(..) => "one of the choices",
        Form::List => "a list of texts",
        Form::Map => "a table",
    }
}

fn example(form: Form) -> String {
    match form {
        Form::Text | Form::Secret => "put it in quotes".to_owned(),
        Form::Bool => "write true or false, without quotes".to_owned(),
        Form::Integer(min, max) => format!("write a whole number from {min} to {max}, without quotes"),
        Form::Duration(..) => "write a text with a unit, for example \"10s\"".to_owned(),
        Form::Size(..) => "write a text with a unit, for example \"64MiB\"".to_owned(),
        Form::Choice(choices, _) => format!("one of: {}", choices.join(", ")),
        Form::List => "write a list of texts: [\"a\", \"b\"]".to_owned(),
        Form::Map => "write a table".to_owned(),
    }
}
