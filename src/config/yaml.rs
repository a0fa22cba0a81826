//! YAML into a [`Table`]: the events of the parser, one at a time, onto a stack of open lists and maps. Nothing recurses,
//! so depth is a count that is checked and not a stack that overflows. Of several documents the first counts, and
//! aliases are refused: no configuration needs them, and they can grow without bound.

use std::sync::Arc;

use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

use super::report::{Mistake, Report};
use super::tree::{Node, Origin, Table, Value};

/// The deepest key of the configuration is three levels down.
const MAX_DEPTH: usize = 16;

/// A list or map whose end has not come yet.
enum Open {
    List(Origin, Vec<Node>),
    Map(Origin, Table, Option<(String, Origin)>),
}

/// Parses the text of the file `name`.
pub(super) fn parse(name: &Arc<str>, text: &str, report: &mut Report) -> Table {
    let origin = |line: usize| Origin::File { path: Arc::clone(name), line: line.max(1) };
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
        let origin = origin(marker.line());
        let done = match event {
            Event::Scalar(text, style, _, _) => place(&mut open, origin, scalar(text, style), report),
            Event::SequenceStart(..) => {
                open.push(Open::List(origin, Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(origin, Table::default(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(origin, items)) => place(&mut open, origin, Value::List(items), report),
                Some(Open::Map(origin, table, _)) => place(&mut open, origin, Value::Table(table), report),
                None => None,
            },
            Event::Alias(_) => {
                report.add(Mistake::syntax(origin.clone(), "aliases (*name) are not taken"));
                place(&mut open, origin, Value::Null, report)
            }
            Event::StreamEnd | Event::DocumentEnd => return Table::default(),
            Event::Nothing | Event::StreamStart | Event::DocumentStart => None,
        };
        if open.len() > MAX_DEPTH {
            report.add(Mistake::syntax(
                Origin::File { path: Arc::clone(name), line: marker.line().max(1) },
                format!("nested more than {MAX_DEPTH} levels deep"),
            ));
            return Table::default();
        }
        if let Some(root) = done {
            return root_table(root, report);
        }
    }
}

/// Puts a value into what is open, or returns it when nothing is: then it is the whole document.
fn place(open: &mut [Open], origin: Origin, value: Value, report: &mut Report) -> Option<Node> {
    match open.last_mut() {
        None => return Some(Node { origin, value }),
        Some(Open::List(_, items)) => items.push(Node { origin, value }),
        Some(Open::Map(_, table, pending)) => match pending.take() {
            None => *pending = Some((key(&value), origin)),
            Some((key, place)) if table.get(&key).is_some() => {
                report.add(Mistake::syntax(place, format!("the key {key} is given twice in this file")));
            }
            Some((key, place)) => table.0.push((key, Node { origin: place, value })),
        },
    }
    None
}

fn key(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

fn scalar(text: String, style: TScalarStyle) -> Value {
    if style != TScalarStyle::Plain {
        return Value::Text(text);
    }
    match Yaml::from_str(&text) {
        Yaml::Null => Value::Null,
        Yaml::Boolean(truth) => Value::Bool(truth),
        Yaml::Integer(number) => Value::Integer(number),
        Yaml::Real(number) => Value::Float(number),
        _ => Value::Text(text),
    }
}

fn root_table(root: Node, report: &mut Report) -> Table {
    match root.value {
        Value::Table(table) => table,
        Value::Null => Table::default(),
        other => {
            let reason = format!("the file holds {} and no keys", other.type_name());
            report.add(Mistake::syntax(root.origin, reason));
            Table::default()
        }
    }
}

/// What had been read of the outermost map when the text ended in an error.
fn unwind(open: Vec<Open>) -> Table {
    match open.into_iter().next() {
        Some(Open::Map(_, table, _)) => table,
        _ => Table::default(),
    }
}
