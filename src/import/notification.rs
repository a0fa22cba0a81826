//! Properties of notifications.

use super::draft::text;
use super::lists;
use super::work::Context;

/// `notification.enabled.channels`.
pub(crate) fn channels(context: &mut Context<'_>, property: &str, value: &str) {
    for channel in lists::split(value) {
        match channel.as_str() {
            "sink" => match context.get(TOPIC) {
                Some(topic) => context.draft.set(
                    ("topics", "notification"),
                    text(topic),
                    &format!("{property} with {TOPIC}"),
                ),
                None => context.draft.missing(property, &format!("sink, which needs {TOPIC}")),
            },
            "log" => context.draft.same(property, "the log says how a snapshot goes (log)"),
            "jmx" => context
                .draft
                .missing(property, "jmx, as there is no JMX: /metrics and /status say how a snapshot goes"),
            other => context.draft.missing(
                property,
                &format!(
                    "{other}: topics.notification, the log, /metrics and /status say how a snapshot goes"
                ),
            ),
        }
    }
}

/// `notification.sink.topic.name`, which is set with the channel.
pub(crate) fn topic(context: &mut Context<'_>, property: &str, _: &str) {
    let channels = lists::split(context.get(CHANNELS).unwrap_or_default());
    if !channels.iter().any(|channel| channel == "sink") {
        context
            .draft
            .same(property, "sink is not among notification.enabled.channels, as if it were not there");
    }
}

const CHANNELS: &str = "notification.enabled.channels";
const TOPIC: &str = "notification.sink.topic.name";
