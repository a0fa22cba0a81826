//! A connector's configuration as it lies about: a `.properties` file, the JSON that is posted to Kafka Connect, or what
//! Connect's REST interface answers.

use serde_json::{Map, Value};

use super::properties;
use crate::error::{Error, Kind, Result};

/// What a connector was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connector {
    /// In the order of the file, each key once: the last word counts, as it does for Connect.
    pub properties: Vec<(String, String)>,
    /// Keys that stood there more than once.
    pub repeated: Vec<String>,
}

impl Connector {
    /// The value of a property.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.properties.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, key: String, value: String) {
        match self.properties.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => {
                *old = value;
                self.repeated.push(key);
            }
            None => self.properties.push((key, value)),
        }
    }
}

/// Reads the text of the file `origin`. `wanted` names one of several connectors, as `GET /connectors?expand=info` has them.
///
/// # Errors
/// [`Kind::Config`], with file, line, reason and repair.
pub(crate) fn parse(origin: &str, text: &str, wanted: Option<&str>) -> Result<Connector> {
    let is_json = std::path::Path::new(origin).extension().is_some_and(|end| end == "json")
        || text.trim_start().starts_with(['{', '[']);
    let connector = if is_json { of_json(origin, text, wanted)? } else { of_properties(origin, text)? };
    match connector.get("connector.class") {
        Some(class) if !class.ends_with("PostgresConnector") => Err(mistake(
            origin,
            None,
            format!("connector.class {class:?} is not Debezium's PostgreSQL connector"),
        )
        .with_hint("name the file of an io.debezium.connector.postgresql.PostgresConnector")),
        _ if connector.properties.is_empty() => Err(mistake(origin, None, "there is no property in it")
            .with_hint("name a file of properties, or the JSON of GET /connectors/NAME/config")),
        _ => Ok(connector),
    }
}

/// Of a file of properties, for example a worker's.
pub(crate) fn of_properties(origin: &str, text: &str) -> Result<Connector> {
    let lines = properties::parse(text).map_err(|properties::Mistake { line, reason, repair }| {
        mistake(origin, Some(line), reason).with_hint(repair)
    })?;
    let mut connector = Connector::default();
    for line in lines {
        connector.set(line.key, line.value);
    }
    Ok(connector)
}

fn of_json(origin: &str, text: &str, wanted: Option<&str>) -> Result<Connector> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        // The error's own text ends in the place, which stands in front already.
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        mistake(origin, Some(error.line()), format!("no JSON: {reason}, column {}", error.column()))
            .with_hint("correct the JSON; `python3 -m json.tool FILE` finds the place too")
    })?;
    let Value::Object(mut object) = value else {
        return Err(mistake(origin, None, "JSON, but no object")
            .with_hint("name the answer of GET /connectors/NAME or GET /connectors/NAME/config"));
    };
    if let Some(config) = object.remove("config") {
        return flat(origin, config);
    }
    if object.contains_key("connector") && object.contains_key("tasks") {
        return Err(mistake(
            origin,
            None,
            "the status of a connector, which does not hold its configuration",
        )
        .with_hint("name the answer of GET /connectors/NAME/config"));
    }
    let is_list = !object.is_empty()
        && object.values().all(|entry| entry.get("info").or_else(|| entry.get("status")).is_some());
    if is_list {
        return one_of(origin, object, wanted);
    }
    flat(origin, Value::Object(object))
}

/// `GET /connectors?expand=info`: an object of connectors.
fn one_of(origin: &str, connectors: Map<String, Value>, wanted: Option<&str>) -> Result<Connector> {
    let is_wanted = |name: &str, config: &Value| match wanted {
        Some(wanted) => name == wanted,
        None => config["connector.class"].as_str().is_none_or(|class| class.ends_with("PostgresConnector")),
    };
    let mut found: Vec<(String, Value)> = connectors
        .into_iter()
        .filter_map(|(name, mut entry)| {
            let config = entry.get_mut("info")?.get_mut("config").map(Value::take)?;
            Some((name, config))
        })
        .filter(|(name, config)| is_wanted(name, config))
        .collect();
    if let (1, Some((_, config))) = (found.len(), found.pop()) {
        return flat(origin, config);
    }
    Err(mistake(origin, None, "a list of connectors, of which not exactly one is meant")
        .with_hint("take it with ?expand=info, and choose with --connector NAME"))
}

fn flat(origin: &str, config: Value) -> Result<Connector> {
    let Value::Object(object) = config else {
        return Err(
            mistake(origin, None, "\"config\" is no object").with_hint("write {\"name\":…,\"config\":{…}}")
        );
    };
    let mut connector = Connector::default();
    for (key, value) in object {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                let reason = format!("property {key:?} has a list or an object as its value");
                return Err(mistake(origin, None, reason)
                    .with_hint("Connect takes texts alone: write the list as \"a,b\""));
            }
        };
        connector.set(key, text.trim().to_owned());
    }
    Ok(connector)
}

fn mistake(origin: &str, line: Option<usize>, reason: impl Into<String>) -> Error {
    let place = line.map_or_else(|| origin.to_owned(), |line| format!("{origin}:{line}"));
    Error::new(Kind::Config, format!("{place}: {}", reason.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": 1, "topic.prefix": "shop", "read.only": false, "none": null}"#;

    fn read(text: &str) -> Connector {
        parse("c", text, None).unwrap()
    }

    #[test]
    fn all_forms_say_the_same() {
        let bare = read(CONFIG);
        assert_eq!(bare.get("topic.prefix"), Some("shop"));
        assert_eq!(
            (bare.get("tasks.max"), bare.get("read.only"), bare.get("none")),
            (Some("1"), Some("false"), None)
        );
        for text in [
            format!(r#"{{"name": "shop", "config": {CONFIG}}}"#),
            format!(r#"{{"name": "shop", "config": {CONFIG}, "tasks": [], "type": "source"}}"#),
            format!(r#"{{"shop": {{"info": {{"name": "shop", "config": {CONFIG}}}}}}}"#),
        ] {
            assert_eq!(read(&text), bare, "{text}");
        }
        let several = format!(
            r#"{{"a": {{"info": {{"config": {{"connector.class": "x"}}}}}}, "b": {{"info": {{"config": {CONFIG}}}}}, "c": {{"info": {{"config": {CONFIG}}}}}}}"#
        );
        assert!(parse("c", &several, None).is_err());
        assert_eq!(parse("c", &several, Some("b")).unwrap(), bare);
        let properties = read("connector.class=PostgresConnector\na=1\na=2\n");
        assert_eq!((properties.get("a"), properties.repeated.as_slice()), (Some("2"), &["a".to_owned()][..]));
    }

    #[test]
    fn mistakes_name_file_line_reason_and_repair() {
        for (text, place, reason, repair) in [
            ("{\n\"a\": \"b\"\n\"c\"", "c:3: ", "expected `,` or `}`", "correct the JSON"),
            ("a=b\nc", "c:2: ", "a key without a value", "write key=value"),
            ("[]", "c: ", "no object", "GET /connectors/NAME"),
            ("{}", "c: ", "no property", "GET /connectors/NAME/config"),
            (r#"{"a": ["b"]}"#, "c: ", "property \"a\"", "\"a,b\""),
            (r#"{"name":"a","connector":{},"tasks":[]}"#, "c: ", "status", "/config"),
            (
                "connector.class=io.debezium.connector.mysql.MySqlConnector",
                "c: ",
                "MySqlConnector",
                "Postgres",
            ),
        ] {
            let error = parse("c", text, None).unwrap_err();
            assert_eq!(error.kind().exit_code(), 64);
            let shown = error.to_string();
            assert!(shown.starts_with(place) && shown.contains(reason), "{shown}");
            assert!(error.hint().contains(repair), "{}", error.hint());
        }
    }
}
