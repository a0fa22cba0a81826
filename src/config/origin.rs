//! Where a value was said. The `config` crate carries it with each value as a text, through every merge; here the text
//! is made and read back. That is how a mistake found at the end can still name a line.

use std::fmt;

use config::{Value, ValueKind};

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    File {
        path: String,
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
    Default,
}

const VARIABLE: &str = "environment variable ";
const FLAG: &str = "--set ";

impl Origin {
    /// What [`Origin::value`] wrote.
    pub(super) fn of(value: &Value) -> Self {
        let text = value.origin().unwrap_or_default();
        if let Some(variable) = text.strip_prefix(VARIABLE) {
            return Self::Environment { variable: variable.to_owned() };
        }
        if let Some(key) = text.strip_prefix(FLAG) {
            return Self::Flag { key: key.to_owned() };
        }
        let place = text.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse().ok()?)));
        place.map_or(Self::Default, |(path, line)| Self::File { path: path.to_owned(), line })
    }

    /// A value that was said here.
    pub(super) fn value(&self, kind: impl Into<ValueKind>) -> Value {
        Value::new(Some(&self.to_string()), kind)
    }

    /// Whether the value came as bare text, whose type is decided by the key it is for.
    pub(super) fn is_bare_text(&self) -> bool {
        matches!(self, Self::Environment { .. } | Self::Flag { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment { variable } => write!(f, "{VARIABLE}{variable}"),
            Self::Flag { key } => write!(f, "{FLAG}{key}"),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back() {
        for origin in [
            Origin::File { path: "C:\\a b:3.toml".to_owned(), line: 7 },
            Origin::Environment { variable: "HEADWATER_NAME".to_owned() },
            Origin::Flag { key: "kafka.properties.a:1".to_owned() },
            Origin::Default,
        ] {
            assert_eq!(Origin::of(&origin.value("x")), origin);
        }
    }
}
