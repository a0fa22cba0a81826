//! Take-over from Debezium: a connector's configuration as a file of Headwater's, and Kafka Connect's offsets as a position
//! in the log ([`offsets`]). Both are translations of texts and bytes; what is done with a position is in `run`.
//!
//! What becomes of each property is in one table, [`table`]. What is not to be had is said, in the file and on the terminal:
//! nothing is left out silently.

mod connector;
mod draft;
mod lists;
mod notification;
pub mod offsets;
mod placeholder;
mod properties;
mod rules;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod unwrap;
mod work;

use connector::Connector;
use draft::{Draft, list, text};
use placeholder::Origin;
use table::{Answer, As};
use work::Context;

use crate::error::Result;

/// What to translate.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// Name of the connector's file, for messages.
    pub origin: &'a str,
    /// Its text: properties, or JSON of Connect's REST interface.
    pub text: &'a str,
    /// Name and text of the worker's file, for the brokers and the converters that it gives all its connectors.
    pub worker: Option<(&'a str, &'a str)>,
    /// One of several connectors.
    pub connector: Option<&'a str>,
    /// `host:port` of the brokers; else those of the worker.
    pub brokers: &'a [String],
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file.
    pub text: String,
    /// What a person must look at, a line each.
    pub warnings: Vec<String>,
}

/// Translates a connector's configuration.
///
/// # Errors
/// [`Kind::Config`](crate::error::Kind::Config) when a text is not what it should be, with file, line, reason and repair.
pub fn debezium(request: &Request<'_>) -> Result<Imported> {
    let mut connector = connector::parse(request.origin, request.text, request.connector)?;
    let mut draft = Draft::default();
    if let Some((origin, text)) = request.worker {
        adopt(&mut connector, connector::of_properties(origin, text)?, &mut draft);
    }
    for property in &connector.repeated {
        draft.warn(property, "stands there more than once; the last one counts");
    }
    for (property, value) in &connector.properties {
        translate(&mut Context { connector: &connector, draft: &mut draft }, property, value);
    }
    finish(&mut Context { connector: &connector, draft: &mut draft }, request);
    let heading = format!(
        "From {}, by headwater {}. Each key stands below the property that it comes from.",
        request.origin,
        env!("CARGO_PKG_VERSION")
    );
    Ok(Imported { text: draft.render(&heading), warnings: draft.warnings })
}

/// What the worker says for its connectors, where this one says nothing else. A converter comes with its settings: Connect
/// does not read those of a connector that names none.
fn adopt(connector: &mut Connector, worker: Connector, draft: &mut Draft) {
    let named: Vec<&str> = ["key.converter", "value.converter"]
        .into_iter()
        .filter(|class| connector.get(class).is_none() && worker.get(class).is_some())
        .collect();
    let of_worker = |key: &str| {
        named.iter().any(|class| key.strip_prefix(class).is_some_and(|rest| rest.starts_with('.')))
    };
    for (key, _) in connector.properties.iter().filter(|(key, _)| of_worker(key)) {
        draft.warn(
            key,
            "Connect passes over it in a connector that does not name the converter: the worker's counts",
        );
    }
    connector.properties.retain(|(key, _)| !of_worker(key));
    let own: Vec<String> = connector.properties.iter().map(|(key, _)| key.clone()).collect();
    for (key, value) in worker.properties {
        let key = match key.strip_prefix("producer.") {
            Some(property) => format!("producer.override.{property}"),
            None => key,
        };
        let converter = ["key.converter", "value.converter"].into_iter().find(|class| key.starts_with(class));
        let wanted = match converter {
            Some(class) => !own.iter().any(|known| known == class),
            None => key == "bootstrap.servers" || key.starts_with("producer.override."),
        };
        if wanted && !own.contains(&key) {
            connector.properties.push((key, value));
        }
    }
}

fn translate(context: &mut Context<'_>, property: &str, value: &str) {
    let shown = shown(property);
    let of_other = ["converters", "post.processors"].into_iter().find(|list| {
        let names = lists::split(context.connector.get(list).unwrap_or_default());
        names
            .iter()
            .any(|name| property.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('.')))
    });
    let answer = match (of_other, table::answer(property)) {
        (Some(_), _) => Answer::Same("belongs to a converter or post-processor, which is not there"),
        (None, Some(answer)) => answer,
        (None, None) => {
            context
                .draft
                .missing(&shown, "unknown to Headwater: Debezium's manual says whether it changes events");
            return;
        }
    };
    let draft = &mut *context.draft;
    match answer {
        Answer::Same(why) => draft.same(&shown, why),
        Answer::Missing(nothing, _) if nothing.contains(&value) => {
            draft.same(&shown, "asks for nothing that is not so anyway");
        }
        Answer::Missing(_, what) => draft.missing(&shown, what),
        Answer::Key(path, As::Secret) => secret(draft, split(path), property, value),
        Answer::Key(..) | Answer::Work(_) if value.is_empty() && !unwrap::may_be_empty(property) => draft.same(&shown, "is empty, as if it were not there"),
        Answer::Key(path, form) => {
            if let Origin::Here(value) = placeholder::origin(value) {
                draft.set(split(path), written(form, value), property);
                return;
            }
            let comment = format!("{property}: Headwater resolves no placeholders of Connect: write the value itself");
            draft.set(split(path), text(value), &comment);
            draft.warn(property, "has a placeholder that only Connect resolves: write the value into the file");
        }
        Answer::Work(work) => match placeholder::origin(value) {
            // A login has its own place for it.
            Origin::Here(_) => work(context, property, value),
            _ if property.ends_with("sasl.jaas.config") => work(context, property, value),
            _ => draft.missing(
                property,
                "a placeholder that only Connect resolves: put the value into the connector's file and import that",
            ),
        },
    }
}

/// A password: where Connect has it, if Headwater can read it there.
fn secret(draft: &mut Draft, (section, name): (&'static str, &'static str), property: &str, value: &str) {
    match placeholder::origin(value) {
        Origin::Here("") => draft.same(property, "is empty, as if it were not there"),
        Origin::Here(value) => {
            let comment =
                format!("{property}, as it was; {name}_file and {name}_env keep it out of this file");
            draft.set((section, name), text(value), &comment);
            draft.warn(property, "the password is in the file: keep it private, or use a file or variable");
        }
        Origin::Variable(variable) => {
            draft.set((section, &format!("{name}_env")), text(variable), property);
        }
        Origin::File(path) => draft.set((section, &format!("{name}_file")), text(&path), property),
        Origin::Elsewhere => {
            let variable = property.rsplit("override.").next().unwrap_or_default().to_ascii_uppercase();
            let variable = variable.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let comment = format!(
                "{property}: from a provider of Connect's; put it into this variable, or use {name}_file"
            );
            draft.set((section, &format!("{name}_env")), text(&variable), &comment);
            draft.warn(
                property,
                &format!("comes from a provider of Connect's: put it into the variable {variable}"),
            );
        }
    }
}

/// What Debezium does when nothing is said of it, where Headwater does otherwise.
fn finish(context: &mut Context<'_>, request: &Request<'_>) {
    work::finish_converters(context);
    work::finish_plugin(context);
    unwrap::finish(context);
    if context.connector.get("snapshot.mode").is_none() {
        snapshot::mode(context, "snapshot.mode", "initial");
    }
    let draft = &mut *context.draft;
    for (path, value, property) in DEFAULTS {
        let key = split(path);
        if !draft.has(key) {
            draft.set(key, (*value).to_owned(), &format!("{property}: Debezium's default"));
        }
    }
    draft.set(
        ("events", "quirks"),
        text("debezium"),
        "records stay as they were, also where they say something else than the row; \"none\" is the honest form",
    );
    if !draft.has(("", "name")) {
        draft.missing("topic.prefix", "a connector without it; the name of the pipeline is missing");
    }
    if !request.brokers.is_empty() {
        draft.set(("kafka", "brokers"), list(request.brokers), "--brokers");
    } else if !draft.has(("kafka", "brokers")) {
        let comment = "bootstrap.servers of the worker, which is not in the connector: Connect's default";
        draft.set(("kafka", "brokers"), list(&["localhost:9092"]), comment);
        draft.warn(
            "bootstrap.servers",
            "is the worker's: write kafka.brokers, or name its file with --worker",
        );
    }
}

/// Keys that Headwater has other defaults for: path, TOML, property.
const DEFAULTS: &[(&str, &str, &str)] = &[
    ("source.slot", "\"debezium\"", "slot.name"),
    ("source.publication", "\"dbz_publication\"", "publication.name"),
    ("source.publication_mode", "\"all_tables\"", "publication.autocreate.mode"),
    ("source.sslmode", "\"prefer\"", "database.sslmode"),
    ("source.tables", "[\"*.*\"]", "table.include.list"),
    ("events.transaction_metadata", "false", "provide.transaction.metadata"),
    ("events.skipped_operations", "[\"t\"]", "skipped.operations"),
];

fn split(path: &'static str) -> (&'static str, &'static str) {
    path.split_once('.').unwrap_or(("", path))
}

fn written(form: As, value: &str) -> String {
    match (form, value.to_ascii_lowercase()) {
        (As::Truth, truth) if truth == "true" || truth == "false" => truth,
        (As::Number, number) if number.parse::<i64>().is_ok() => number,
        (As::Lower, lower) => text(&lower),
        _ => text(value),
    }
}

/// The name of a property in comments: that of a hash has its salt in it.
fn shown(property: &str) -> String {
    match property.split_once(".with.salt.") {
        Some((before, _)) => format!("{before}.with.salt.…"),
        None => property.to_owned(),
    }
}
