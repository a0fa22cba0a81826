//! The headers of a record in Debezium's order: the other key of a key change, the context of the connector, and then
//! what is Headwater's.

use std::sync::OnceLock;

use uuid::Uuid;

use crate::encode::Record;

/// The context headers of this process, ready to be copied.
#[derive(Debug)]
pub(super) struct ContextHeaders([(&'static [u8], Vec<u8>); 4]);

impl ContextHeaders {
    pub(super) fn new(name: &str) -> Self {
        static RUN_ID: OnceLock<String> = OnceLock::new();
        let run_id = RUN_ID.get_or_init(|| Uuid::now_v7().to_string());
        Self([
            (b"__debezium.context.connectorLogicalName", name.as_bytes().to_vec()),
            (b"__debezium.context.taskId", b"0".to_vec()),
            (b"__debezium.context.connectorName", b"postgresql".to_vec()),
            (b"__debezium.context.runId", run_id.as_bytes().to_vec()),
        ])
    }

    /// Gives each header of a record to `take`.
    pub(super) fn for_each(&self, record: &Record<'_>, mut take: impl FnMut(&[u8], Option<&[u8]>)) {
        let mut own = record.headers().peekable();
        if record.context {
            if let Some((name, value)) = own.next_if(|(name, _)| OTHER_KEY.contains(name)) {
                take(name, value);
            }
            for (name, value) in &self.0 {
                take(name, Some(value));
            }
        }
        own.for_each(|(name, value)| take(name, value));
    }
}

/// Headers that stand before the context.
const OTHER_KEY: [&[u8]; 2] = [b"__debezium.newkey", b"__debezium.oldkey"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::sample;

    #[test]
    fn the_other_key_comes_first() {
        let context = ContextHeaders::new("shop");
        let names = |context_wanted, headers: &[(&str, &str)]| {
            let records = sample::records(context_wanted, headers, b"{}");
            let mut names = Vec::new();
            context.for_each(&records.get(0).unwrap(), |name, _| {
                names.push(String::from_utf8_lossy(name).rsplit('.').next().unwrap_or_default().to_owned());
            });
            names
        };
        let ours = [("headwater.id", "1:2:3")];
        assert_eq!(names(false, &ours), ["id"]);
        assert_eq!(names(true, &ours), ["connectorLogicalName", "taskId", "connectorName", "runId", "id"]);
        let changed = [("__debezium.oldkey", "{}"), ("headwater.id", "1:2:3")];
        assert_eq!(
            names(true, &changed),
            ["oldkey", "connectorLogicalName", "taskId", "connectorName", "runId", "id"]
        );
    }
}
