//! YAML into values with their lines: the events of the parser, one at a time, onto a stack of open lists and maps. Nothing recurses,
//! so depth is a count that is checked and not a stack that overflows. Of several documents the first counts, and
//! aliases are refused: no configuration needs them, and they can grow without bound.

use config::{Map, Value, ValueKind};
use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

use super::file::float;
use super::origin::Origin;
use super::report::{Mistake, Report};
use super::typed::type_name;

/// The deepest key of the configuration is three levels down.
const MAX_DEPTH: usize = 16;

/// A list or map whose end has not come yet.
enum Open {
    List(Origin, Vec<Value>),
    Table(Origin, Map<String, Value>, Option<(String, Origin)>),
}

/// Parses the text of the file `name`.
pub(super) fn parse(name: &str, text: &str, report: &mut Report) -> Map<String, Value> {
    let origin = |line: usize| Origin::File { path: name.to_owned(), line: line.max(1) };
    let mut parser = Parser::new_from_str(text);
    let mut open: Vec<Open> = Vec::new();
    loop {
        let (event, marker) = match parser.next_token() {
            Ok(next) => next,
            Err(error) => {
                let place = origin(error.marker().line());
                report.add(Mistake::syntax(place, format!("not YAML: {}", error.info())));
                return unwind(open);
            }
        };
        let here = origin(marker.line());
        let done = match event {
            Event::Scalar(text, style, _, _) => place(&mut open, here, scalar(text, style), report),
            Event::SequenceStart(..) => {
                open.push(Open::List(here, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Table(here, Map::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(origin, items)) => place(&mut open, origin, ValueKind::Array(items), report),
                Some(Open::Table(origin, table, _)) => {
                    place(&mut open, origin, ValueKind::Table(table), report)
                }
                None => None,
            },
            Event::Alias(_) => {
                report.add(Mistake::syntax(here.clone(), "aliases (*name) are not taken"));
                place(&mut open, here, ValueKind::Nil, report)
            }
            Event::StreamEnd | Event::DocumentEnd => return Map::new(),
            Event::Nothing | Event::StreamStart | Event::DocumentStart => None,
        };
        if open.len() > MAX_DEPTH {
            let reason = format!("nested more than {MAX_DEPTH} levels deep");
            report.add(Mistake::syntax(origin(marker.line()), reason));
            return Map::new();
        }
        if let Some(root) = done {
            return root_table(root, report);
        }
    }
}

/// Puts a value into what is open, or returns it when nothing is: then it is the whole document.
fn place(open: &mut [Open], origin: Origin, kind: ValueKind, report: &mut Report) -> Option<Value> {
    match open.last_mut() {
        None => return Some(origin.value(kind)),
        Some(Open::List(_, items)) => items.push(origin.value(kind)),
        Some(Open::Table(_, table, pending)) => match pending.take() {
            None => *pending = Some((kind.to_string(), origin)),
            Some((key, place)) if table.contains_key(&key) => {
                report.add(Mistake::syntax(place, format!("the key {key} is given twice in this file")));
            }
            Some((key, place)) => {
                table.insert(key, place.value(kind));
            }
        },
    }
    None
}

fn scalar(text: String, style: TScalarStyle) -> ValueKind {
    if style != TScalarStyle::Plain {
        return ValueKind::String(text);
    }
    match Yaml::from_str(&text) {
        Yaml::Null => ValueKind::Nil,
        Yaml::Boolean(truth) => ValueKind::Boolean(truth),
        Yaml::Integer(number) => ValueKind::I64(number),
        Yaml::Real(number) => float(&number),
        _ => ValueKind::String(text),
    }
}

fn root_table(root: Value, report: &mut Report) -> Map<String, Value> {
    let origin = Origin::of(&root);
    match root.kind {
        ValueKind::Table(table) => table,
        ValueKind::Nil => Map::new(),
        other => {
            let reason = format!("the file holds {} and no keys", type_name(&other));
            report.add(Mistake::syntax(origin, reason));
            Map::new()
        }
    }
}

/// What had been read of the outermost map when the text ended in an error.
fn unwind(open: Vec<Open>) -> Map<String, Value> {
    match open.into_iter().next() {
        Some(Open::Table(_, table, _)) => table,
        _ => Map::new(),
    }
}
