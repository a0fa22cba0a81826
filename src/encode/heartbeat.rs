//! Heartbeats: a record that says no more than that the pipeline was alive then. It is no event of the database, so it has no id
//! and is never sent again.

use super::envelope::{JsonEncoder, Written, appended};
use super::records::Records;
use super::schema::fixed::{HEARTBEAT_KEY, HEARTBEAT_VALUE, framed};
use super::writer::{push_int, push_string};
use crate::event::TopicId;

impl JsonEncoder {
    /// Appends a heartbeat. `now_ms` is the wall clock in milliseconds since 1970.
    pub fn heartbeat(&mut self, topic: TopicId, now_ms: i64, out: &mut Records) -> Written {
        let schemas = self.settings.modes.schemas;
        let buffer = out.buffer();
        let key = appended(buffer, |buffer| {
            framed(schemas.key().then_some(HEARTBEAT_KEY), buffer, |buffer| {
                buffer.extend_from_slice(b"{\"serverName\":");
                let _ = push_string(buffer, self.settings.name.as_bytes());
                buffer.push(b'}');
            });
        });
        let value = appended(buffer, |buffer| {
            framed(schemas.value().then_some(HEARTBEAT_VALUE), buffer, |buffer| {
                buffer.extend_from_slice(b"{\"ts_ms\":");
                push_int(buffer, now_ms);
                buffer.push(b'}');
            });
        });
        let end = buffer.len();
        out.push(topic, false, Some(key), Some(value), end..end);
        Written { records: 1, ..Written::default() }
    }
}
