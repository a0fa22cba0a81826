//! The text of /metrics as values by name and labels.

use std::collections::BTreeMap;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// All samples of one scrape.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(pub(crate) Vec<Sample>);

impl Metrics {
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect())
    }

    /// The sum of the samples of this name that have at least these labels; none when there is none.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let matches = |sample: &&Sample| {
            sample.name == name
                && labels
                    .iter()
                    .all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        };
        let values: Vec<f64> = self.0.iter().filter(matches).map(|sample| sample.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// [`Metrics::get`] without labels; fails the test when there is no such metric.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.get(name, &[]).unwrap_or_else(|| panic!("no metric {name}"))
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|sample| sample.name.as_str()).collect();
        names.dedup();
        names
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let name = line[..end].to_owned();
    let mut labels = BTreeMap::new();
    let mut rest = &line[end..];
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (key, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(key.to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

/// The text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            _ => value.push(character),
        }
    }
    None
}

#[test]
fn samples_have_names_labels_and_values() {
    let metrics = Metrics::parse(
        "# HELP a help\n# TYPE a counter\na{b=\"c\",d=\"e \\\"f\\\", }\"} 1.5\na{b=\"x\"} 2\nplain 3e2\nempty{} +Inf\n",
    );
    assert_eq!(metrics.get("a", &[("b", "c")]), Some(1.5));
    assert_eq!(metrics.get("a", &[("d", "e \"f\", }")]), Some(1.5));
    assert_eq!(metrics.get("a", &[]), Some(3.5));
    assert_eq!(metrics.get("plain", &[]), Some(300.0));
    assert_eq!(metrics.get("empty", &[]), Some(f64::INFINITY));
    assert_eq!(metrics.get("a", &[("b", "y")]), None);
    assert_eq!(metrics.names(), ["a", "plain", "empty"]);
}
