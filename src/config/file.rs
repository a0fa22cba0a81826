//! Reads one configuration file into a [`Table`], TOML or YAML by the extension of its name. The texts of syntax errors
//! never quote the file, since the line may hold a password.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::report::{Mistake, Report};
use super::tree::{Node, Origin, Table, Value};
use super::yaml;

/// Larger files are surely not a configuration.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Reads `path`; mistakes go into the report, and what can be understood is returned.
pub(super) fn read(path: &Path, report: &mut Report) -> Table {
    let name: Arc<str> = path.display().to_string().into();
    match text_of(path) {
        Ok(text) => parse(&name, &text, report),
        Err(reason) => {
            report.add(Mistake::about_file(&name, reason, "check the path given with --config"));
            Table::default()
        }
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be read: {error}");
    let size = std::fs::metadata(path).map_err(cannot)?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("is {size} bytes long; a configuration has at most {MAX_FILE_BYTES}"));
    }
    let bytes = std::fs::read(path).map_err(cannot)?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

/// Parses the text of a file of this name.
pub(super) fn parse(name: &Arc<str>, text: &str, report: &mut Report) -> Table {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let extension = Path::new(&**name).extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("yaml" | "yml") => yaml::parse(name, text, report),
        Some("toml") | None => parse_toml(name, text, report),
        Some(_) => {
            report.add(Mistake::about_file(
                name,
                "the extension of the name says neither TOML nor YAML",
                "name it .toml, .yaml or .yml",
            ));
            Table::default()
        }
    }
}

fn parse_toml(name: &Arc<str>, text: &str, report: &mut Report) -> Table {
    let lines = Lines::of(name, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let start = error.span().map_or(0, |span| span.start);
        report.add(Mistake::syntax(lines.origin(start), format!("not TOML: {}", error.message())));
    }
    toml_table(table.get_ref(), &lines)
}

fn toml_table(table: &DeTable<'_>, lines: &Lines<'_>) -> Table {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut result = Table::default();
    for (key, value) in entries {
        let node = Node { origin: lines.origin(key.span().start), value: toml_value(value.get_ref(), lines) };
        result.0.push((key.get_ref().to_string(), node));
    }
    result
}

fn toml_value(value: &DeValue<'_>, lines: &Lines<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Float(number.as_str().to_owned()), Value::Integer),
        DeValue::Float(number) => Value::Float(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(date) => Value::Float(date.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| Node {
                    origin: lines.origin(item.span().start),
                    value: toml_value(item.get_ref(), lines),
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(toml_table(table, lines)),
    }
}

/// Turns byte offsets into lines.
struct Lines<'a> {
    name: &'a Arc<str>,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(name: &'a Arc<str>, text: &str) -> Self {
        Self { name, starts: memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1).collect() }
    }

    fn origin(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset) + 1;
        Origin::File { path: Arc::clone(self.name), line }
    }
}
