//! What the sources of the configuration say, before it is checked: a tree of values, each with the place it comes
//! from. Files, environment and flags all become such trees, and [`merge`] lays one over another. The place survives
//! the merge; that is how a mistake found at the end can still name a line. None of these types has `Debug`: they hold
//! secrets as they were given.

use std::fmt;
use std::sync::Arc;

/// A value and where it was said.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// The shapes that TOML and YAML share.
#[derive(Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// As it was written; no key takes one, but the report shows it.
    Float(String),
    Text(String),
    List(Vec<Node>),
    Table(Table),
}

/// Entries in the order in which they were written; a key occurs once.
#[derive(Clone, Default)]
pub(super) struct Table(pub(super) Vec<(String, Node)>);

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File {
        path: Arc<str>,
        /// From 1.
        line: usize,
    },
    Environment {
        variable: String,
    },
    /// `--set`
    Flag {
        key: String,
    },
}

impl Origin {
    /// Whether the value came as bare text, whose type is decided by the key it is for.
    pub(super) fn is_bare_text(&self) -> bool {
        matches!(self, Self::Environment { .. } | Self::Flag { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Flag { key } => write!(f, "--set {key}"),
        }
    }
}

impl Table {
    /// The entry of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// Sets `key`; what was there before is laid under: tables are merged key by key, all else is replaced.
    pub(super) fn set(&mut self, key: String, node: Node) {
        let Some((_, below)) = self.0.iter_mut().find(|(name, _)| *name == key) else {
            self.0.push((key, node));
            return;
        };
        match (&mut below.value, node) {
            (Value::Table(below), Node { value: Value::Table(above), .. }) => merge(below, above),
            (_, node) => *below = node,
        }
    }

    /// Sets the value at a path, making the tables on the way.
    pub(super) fn set_path(&mut self, path: &[String], origin: &Origin, text: String) {
        let Some((first, rest)) = path.split_first() else { return };
        let value = if rest.is_empty() {
            Value::Text(text)
        } else {
            let mut table = Self::default();
            table.set_path(rest, origin, text);
            Value::Table(table)
        };
        self.set(first.clone(), Node { origin: origin.clone(), value });
    }
}

/// Lays `above` over `below`.
pub(super) fn merge(below: &mut Table, above: Table) {
    for (key, node) in above.0 {
        below.set(key, node);
    }
}

impl Value {
    /// The type as a person calls it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number or date",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(value),
            Self::Text(value) => f.write_str(&quote(value)),
            Self::List(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if index > 0 { ", " } else { "" }, item.value)?;
                }
                f.write_str("]")
            }
            Self::Table(_) => f.write_str("{…}"),
        }
    }
}

/// A text as a TOML basic string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
