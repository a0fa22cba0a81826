//! Reads one configuration file into values with their lines, TOML or YAML by the extension of its name. The texts of
//! syntax errors never quote the file, since the line may hold a password.

use std::path::Path;

use config::{Map, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::origin::Origin;
use super::report::{Mistake, Report};
use super::yaml;

/// Larger files are surely not a configuration.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Reads `path`; mistakes go into the report, and what can be understood is returned.
pub(super) fn read(path: &Path, report: &mut Report) -> Map<String, Value> {
    let name = path.display().to_string();
    match text_of(path) {
        Ok(text) => parse(&name, &text, report),
        Err(reason) => {
            report.add(Mistake::about_file(&name, reason, "check the path given with --config"));
            Map::new()
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
pub(super) fn parse(name: &str, text: &str, report: &mut Report) -> Map<String, Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("yaml" | "yml") => yaml::parse(name, text, report),
        Some("toml") | None => parse_toml(name, text, report),
        Some(_) => {
            report.add(Mistake::about_file(
                name,
                "the extension of the name says neither TOML nor YAML",
                "name it .toml, .yaml or .yml",
            ));
            Map::new()
        }
    }
}

fn parse_toml(name: &str, text: &str, report: &mut Report) -> Map<String, Value> {
    let starts: Vec<usize> = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1).collect();
    let origin = |offset: usize| {
        let line = starts.partition_point(|start| *start <= offset) + 1;
        Origin::File { path: name.to_owned(), line }
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let start = error.span().map_or(0, |span| span.start);
        report.add(Mistake::syntax(origin(start), format!("not TOML: {}", error.message())));
    }
    toml_table(table.get_ref(), &origin)
}

/// The defaults, which are TOML too.
pub(super) fn parse_defaults(text: &str) -> Map<String, Value> {
    toml_table(DeTable::parse_recoverable(text).0.get_ref(), &|_| Origin::Default)
}

fn toml_table(table: &DeTable<'_>, origin: &dyn Fn(usize) -> Origin) -> Map<String, Value> {
    let entry = |key: &str, at: usize, value| (key.to_owned(), origin(at).value(toml_value(value, origin)));
    table.iter().map(|(key, value)| entry(key.get_ref(), key.span().start, value.get_ref())).collect()
}

fn toml_value(value: &DeValue<'_>, origin: &dyn Fn(usize) -> Origin) -> ValueKind {
    match value {
        DeValue::String(text) => ValueKind::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| float(number.as_str()), ValueKind::I64),
        DeValue::Float(number) => float(number.as_str()),
        DeValue::Boolean(truth) => ValueKind::Boolean(*truth),
        DeValue::Datetime(date) => ValueKind::String(date.to_string()),
        DeValue::Array(items) => {
            let item = |at: usize, value| origin(at).value(toml_value(value, origin));
            ValueKind::Array(items.iter().map(|value| item(value.span().start, value.get_ref())).collect())
        }
        DeValue::Table(table) => ValueKind::Table(toml_table(table, origin)),
    }
}

/// A number as it was written: no key takes one, but a property may, and `1.10` is not `1.1` to everybody.
pub(super) fn float(text: &str) -> ValueKind {
    match text.parse::<f64>() {
        Ok(number) if number.to_string() == text => ValueKind::Float(number),
        _ => ValueKind::String(text.to_owned()),
    }
}
