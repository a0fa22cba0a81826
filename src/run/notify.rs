//! Notifications of snapshots, to `topics.notification` through the publisher that everything passes through: they become durable
//! with the batch that they are in.

use std::time::Instant;

use uuid::Uuid;

use crate::encode::{EncodeSettings, Notification, Records, SnapshotStatus};
use crate::event::TopicId;
use crate::run::publish::Publisher;
use crate::run::session::wall_clock;

/// Writes them, when there is a topic for them.
#[derive(Clone)]
pub(crate) struct Notifier(Option<(TopicId, EncodeSettings)>);

impl Notifier {
    /// To `topic`; none: nothing is written.
    pub(crate) fn new(topic: Option<TopicId>, settings: &EncodeSettings) -> Self {
        Self(topic.map(|topic| (topic, settings.clone())))
    }

    /// Whether anybody wants to know.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Appends a notification to `out`.
    pub(crate) fn write(&self, status: SnapshotStatus<'_>, out: &mut Records) {
        let Some((topic, settings)) = &self.0 else { return };
        // There are a few per table.
        let id = Uuid::now_v7().to_string();
        let notification = Notification { topic: *topic, id: &id, status, now_ms: wall_clock().millis() };
        notification.push(settings, out);
    }

    /// Puts a notification into the batch that is open.
    pub(crate) fn tell(&self, status: SnapshotStatus<'_>, publisher: &mut Publisher) {
        let before = publisher.records().byte_len();
        self.write(status, publisher.records());
        let bytes = publisher.records().byte_len() - before;
        publisher.added(bytes, Instant::now());
    }
}
