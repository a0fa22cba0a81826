//! From [`Settings`] to the checked [`Config`]: what keys mean for one another, what is required, what follows from what.
//! Every rule adds its mistake to the report and goes on, so that one run shows them all; the result counts only when the
//! report stayed empty.

mod flat;
mod kafka;
pub(super) mod masks;
mod properties;
mod rest;
mod snapshot;
mod source;

use std::collections::BTreeMap;

use super::model::{Checkpoint, Config, Process, Topics};
use super::report::{Mistake, Report};
use super::settings::Settings;
use super::share::{SMALLEST_PROCESS, Share};
use super::units::format_size;

/// What every builder needs.
struct Builder<'a> {
    settings: &'a Settings,
    variables: &'a BTreeMap<String, String>,
    report: &'a mut Report,
    name: String,
    /// It is one of the `[[pipeline]]` tables.
    several: bool,
}

/// What concerns the process as a whole; `several` says that there are `[[pipeline]]` tables.
pub(super) fn process(
    settings: &Settings,
    several: bool,
    variables: &BTreeMap<String, String>,
    report: &mut Report,
) -> Process {
    let mut builder = Builder { settings, variables, report, name: String::new(), several };
    let memory = settings.size("limits.memory").unwrap_or_default();
    if memory < SMALLEST_PROCESS && !settings.is_mistaken("limits.memory") {
        let least = format_size(SMALLEST_PROCESS);
        builder.wrong(
            "limits.memory",
            format!("is out of range: a process needs {least}"),
            format!("write at least \"{least}\""),
        );
    }
    if several && settings.is_given("name") {
        builder.wrong(
            "name",
            "names one pipeline, and there are [[pipeline]] tables",
            "remove it: each [[pipeline]] has a name of its own",
        );
    }
    Process { admin: builder.admin(), log: builder.log(), memory, several }
}

/// Builds a pipeline; `settings` receives what `source.url` says.
pub(super) fn pipeline(
    settings: &mut Settings,
    (share, several): (Share, bool),
    variables: &BTreeMap<String, String>,
    report: &mut Report,
) -> Config {
    source::take_url_apart(settings, report);
    let name = settings.text("name").unwrap_or_default().to_owned();
    let mut builder = Builder { settings, variables, report, name, several };
    builder.check_name();
    let sink = builder.sink();
    let limits = builder.limits(share);
    let topics = builder.topics();
    Config {
        source: builder.source(),
        snapshot: builder.snapshot(),
        events: builder.events(),
        kafka: builder.kafka(sink == super::model::Sink::Kafka),
        checkpoint: builder.checkpoint(&topics),
        retry: builder.retry(),
        name: builder.name,
        topics,
        sink,
        limits,
    }
}

impl Builder<'_> {
    fn wrong(&mut self, path: &str, reason: impl Into<String>, fix: impl Into<String>) {
        self.report.add(self.settings.mistake(path, reason, fix));
    }

    fn missing(&mut self, path: &str, fix: &str) {
        if !self.settings.is_given(path) {
            self.report.add(Mistake::about_key(None, path, "is required and missing", fix));
        }
    }

    fn text(&self, path: &str) -> String {
        self.settings.text(path).unwrap_or_default().to_owned()
    }

    fn duration(&self, path: &str) -> std::time::Duration {
        self.settings.duration(path).unwrap_or_default()
    }

    /// The text at `path` with `{name}` filled in.
    fn with_name(&mut self, path: &str, name: &str) -> String {
        let text = self.text(path).replace("{name}", name);
        if text.contains(['{', '}']) {
            self.wrong(path, "has braces that are not {name}", "the only placeholder here is {name}");
        }
        text
    }

    fn check_name(&mut self) {
        const LONGEST: usize = 63;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.name.is_empty() {
            self.missing("name", "name = \"shop\": the prefix of the topics and a part of the slot's name");
        } else if self.name.len() > LONGEST || !self.name.chars().all(fits) {
            self.wrong(
                "name",
                "is not a name of a pipeline",
                "use letters, digits, '.', '_' and '-', at most 63 of them",
            );
            // What is made from it would be wrong too, and say nothing new.
            self.name.clear();
        } else if self.name.chars().all(|c| c == '.') {
            self.wrong("name", "is only dots", "use at least one letter or digit");
            self.name.clear();
        }
    }

    fn check_topic_name(&mut self, path: &str, topic: &str) {
        const LONGEST: usize = 249;
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let whole = !topic.is_empty() && topic.len() <= LONGEST && topic != "." && topic != "..";
        if self.name.is_empty() {
            return;
        }
        if !whole || !topic.chars().all(fits) {
            self.wrong(
                path,
                "is not a name that Kafka takes for a topic",
                "use letters, digits, '.', '_' and '-', at most 249 of them",
            );
        }
    }

    fn checkpoint(&mut self, topics: &Topics) -> Checkpoint {
        let topic = self.text("checkpoint.topic");
        self.check_topic_name("checkpoint.topic", &topic);
        for (other, path) in [
            (Some(&topics.transaction), "topics.transaction"),
            (Some(&topics.message), "topics.message"),
            (Some(&topics.heartbeat), "topics.heartbeat"),
            (topics.notification.as_ref(), "topics.notification"),
        ] {
            if other == Some(&topic) {
                self.wrong("checkpoint.topic", format!("is also {path}"), "give one of them another name");
            }
        }
        let name = self.name.clone();
        let file = self.with_name("checkpoint.file", &name);
        if file.is_empty() {
            self.wrong("checkpoint.file", "is empty", "write a path, for example \"shop.checkpoint\"");
        }
        Checkpoint { topic, file: file.into(), interval: self.duration("checkpoint.interval") }
    }
}
