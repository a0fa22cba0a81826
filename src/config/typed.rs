//! From a value of the tree to the type of its key. Files bring types of their own, and those must fit; variables and flags
//! bring bare text, which is read as the key's type.

use std::collections::BTreeMap;
use std::time::Duration;

use super::keys::{Form, Key};
use super::report::{Mistake, closest};
use super::tree::{Node, Origin, Table, Value};
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

impl Typed {
    /// As a file would say it.
    pub(super) fn to_tree(&self) -> Value {
        let node = |value| Node { origin: Origin::Default, value };
        match self {
            Self::Unset => Value::Text(String::new()),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Integer(number) => Value::Integer(*number),
            Self::Duration(duration) => Value::Text(units::format_duration(*duration)),
            Self::Size(bytes) => Value::Text(units::format_size(*bytes)),
            Self::List(items) => {
                Value::List(items.iter().map(|item| node(Value::Text(item.clone()))).collect())
            }
            Self::Map(entries) => Value::Table(Table(
                entries
                    .iter()
                    .map(|(name, entry)| (name.clone(), node(Value::Text(entry.text.clone()))))
                    .collect(),
            )),
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
pub(super) fn mistake(path: &str, key: &Key, node: &Node, wrong: Wrong) -> Mistake {
    let mistake = Mistake::about_key(Some(&node.origin), path, wrong.reason, wrong.fix);
    match key.form {
        Form::Secret => mistake.with_secret(),
        _ => mistake.with_value(&node.value),
    }
}

/// The value of `node` as `key` takes it.
pub(super) fn typed(key: &Key, node: &Node) -> Result<Typed, Wrong> {
    let empty = match &node.value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    if empty && key.may_be_empty() {
        return Ok(Typed::Unset);
    }
    let bare = node.origin.is_bare_text();
    match (key.form, &node.value) {
        (Form::Text | Form::Secret, Value::Text(text)) => Ok(Typed::Text(text.clone())),
        (Form::Bool, Value::Bool(truth)) => Ok(Typed::Bool(*truth)),
        (Form::Bool, Value::Text(text)) if bare => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(Typed::Bool(true)),
            "false" | "no" | "off" | "0" => Ok(Typed::Bool(false)),
            _ => wrong("is neither true nor false", "write true or false"),
        },
        (Form::Integer(min, max), Value::Integer(number)) => integer(*number, min, max),
        (Form::Integer(min, max), Value::Text(text)) if bare => match text.trim().parse() {
            Ok(number) => integer(number, min, max),
            Err(_) => wrong("is not a whole number", format!("write a whole number from {min} to {max}")),
        },
        (Form::Duration(min, max), Value::Text(text)) => duration(text, min, max),
        (Form::Duration(min, max), Value::Integer(number)) => duration(&number.to_string(), min, max),
        (Form::Size(min, max), Value::Text(text)) => size(text, min, max),
        (Form::Size(min, max), Value::Integer(number)) => size(&number.to_string(), min, max),
        (Form::Choice(now, later), Value::Text(text)) => choice(text, now, later),
        (Form::Choice(now, later), Value::Bool(truth)) if now.contains(&"true") => {
            choice(if *truth { "true" } else { "false" }, now, later)
        }
        (Form::List, Value::List(items)) => texts(items),
        (Form::List, Value::Text(text)) if bare => bare_list(text),
        (form, value) => wrong(format!("is {}, not {}", value.type_name(), name_of(form)), example(form)),
    }
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

fn texts(items: &[Node]) -> Result<Typed, Wrong> {
    let mut result = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Value::Text(text) => result.push(text.clone()),
            other => {
                let reason = format!("holds {} where a text belongs", other.type_name());
                return wrong(reason, "write a list of texts: [\"a\", \"b\"]");
            }
        }
    }
    Ok(Typed::List(result))
}

/// A list from a variable or flag: a TOML list, or texts with commas between them.
fn bare_list(text: &str) -> Result<Typed, Wrong> {
    if text.trim_start().starts_with('[') {
        let parsed = toml::de::DeValue::parse(text.trim()).ok();
        let items = parsed.as_ref().and_then(|value| value.get_ref().as_array());
        let items: Option<Vec<String>> = items
            .and_then(|items| items.iter().map(|item| Some(item.get_ref().as_str()?.to_owned())).collect());
        return match items {
            Some(items) => Ok(Typed::List(items)),
            None => wrong("begins with [ and is not a list", "write a,b or [\"a\", \"b\"]"),
        };
    }
    Ok(Typed::List(
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect(),
    ))
}

/// The entries of a map.
pub(super) fn typed_map(key: &Key, node: &Node) -> Result<Typed, Vec<Mistake>> {
    let mut entries = BTreeMap::new();
    let mut mistakes = Vec::new();
    match &node.value {
        Value::Table(table) => flatten("", table, &mut |name, node| match scalar(&node.value) {
            Some(text) => {
                entries.insert(name.to_owned(), Entry { origin: node.origin.clone(), text });
            }
            None => mistakes.push(Mistake::about_key(
                Some(&node.origin),
                &format!("{}.\"{name}\"", key.path),
                format!("is {}, not a text, number or truth", node.value.type_name()),
                "write one value, as a text",
            )),
        }),
        Value::Null => {}
        other => mistakes.push(Mistake::about_key(
            Some(&node.origin),
            key.path,
            format!("is {}, not a table", other.type_name()),
            format!("write [{}] and its names below", key.path),
        )),
    }
    if mistakes.is_empty() { Ok(Typed::Map(entries)) } else { Err(mistakes) }
}

/// `compression.type = "lz4"` without quotes nests tables in TOML; the name that was meant has the dots.
fn flatten(prefix: &str, table: &Table, visit: &mut impl FnMut(&str, &Node)) {
    for (name, node) in &table.0 {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match &node.value {
            Value::Table(table) => flatten(&name, table, visit),
            _ => visit(&name, node),
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Float(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Null | Value::List(_) | Value::Table(_) => None,
    }
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
