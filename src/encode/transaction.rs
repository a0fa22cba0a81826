//! What is not a change of a row: the BEGIN and END records of the transaction topic, and logical messages.

use super::envelope::{JsonEncoder, Written, appended, internal};
use super::records::Records;
use super::schema::fixed::{MESSAGE_KEY, TRANSACTION_KEY, TRANSACTION_VALUE, framed, message_value};
use super::source::Order;
use super::value::push_bytes;
use super::writer::{push_int, push_string};
use crate::error::Result;
use crate::event::TopicId;
use crate::lsn::{Lsn, UnixMicros};

/// Where a BEGIN or END record goes and what it is called.
#[derive(Clone, Copy, Debug)]
pub struct TransactionRecord {
    /// The transaction topic.
    pub topic: TopicId,
    /// The second half of its id: the first change for BEGIN, the end of the commit for END.
    pub lsn: Lsn,
    pub ordinal: u64,
}

/// How many events of a transaction went to one collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectionCount<'a> {
    /// Empty for [`MESSAGE_COLLECTION`].
    pub schema: &'a str,
    pub table: &'a str,
    pub events: u64,
}

/// The collection that transactional messages count under. (Debezium prints the identity of a Java object here.)
pub const MESSAGE_COLLECTION: &str = "message";

/// A message of `pg_logical_emit_message`.
#[derive(Clone, Copy, Debug)]
pub struct MessageEvent<'a> {
    /// The message topic.
    pub topic: TopicId,
    pub prefix: &'a str,
    pub content: &'a [u8],
    /// End of its record in the log.
    pub lsn: Lsn,
    pub scope: MessageScope,
}

/// Whether a message belongs to the current transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageScope {
    Transactional {
        ordinal: u64,
        order: Order,
    },
    /// Delivered at once. The protocol says no time for it: the caller's best is the last commit time. It is a transaction
    /// of its own, known by the last byte of its record: the next byte, its LSN, may begin the commit record of another.
    Lone {
        time: UnixMicros,
    },
}

impl JsonEncoder {
    /// Appends the BEGIN record of the current transaction.
    pub fn begin_record(&mut self, record: TransactionRecord, out: &mut Records) -> Result<Written> {
        self.transaction_record(record, out, b"{\"status\":\"BEGIN\",", |buffer| {
            buffer.extend_from_slice(b"null,\"data_collections\":null");
        })
    }

    /// Appends the END record of the current transaction.
    pub fn end_record<'c>(
        &mut self,
        record: TransactionRecord,
        event_count: u64,
        collections: impl IntoIterator<Item = CollectionCount<'c>>,
        out: &mut Records,
    ) -> Result<Written> {
        self.transaction_record(record, out, b"{\"status\":\"END\",", |buffer| {
            push_int(buffer, event_count);
            buffer.extend_from_slice(b",\"data_collections\":[");
            for (index, collection) in collections.into_iter().enumerate() {
                if index > 0 {
                    buffer.push(b',');
                }
                push_collection(collection, buffer);
            }
            buffer.push(b']');
        })
    }

    /// `status`: the beginning of the value, up to its id.
    fn transaction_record(
        &self,
        record: TransactionRecord,
        out: &mut Records,
        status: &[u8],
        push_counts: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Written> {
        let context =
            self.current.as_ref().ok_or_else(|| internal("a transaction record outside of transactions"))?;
        let mut lsn = itoa::Buffer::new();
        let lsn = lsn.format(record.lsn.0).as_bytes();
        let buffer = out.buffer();
        let schemas = self.settings.modes.schemas;
        let mut id = 0..0;
        let key = appended(buffer, |buffer| {
            framed(schemas.key().then_some(TRANSACTION_KEY), buffer, |buffer| {
                buffer.push(b'{');
                id = appended(buffer, |buffer| {
                    buffer.extend_from_slice(b"\"id\":\"");
                    push_int(buffer, context.xid.0);
                    buffer.push(b':');
                    buffer.extend_from_slice(lsn);
                    buffer.push(b'"');
                });
                buffer.push(b'}');
            });
        });
        let value = appended(buffer, |buffer| {
            framed(schemas.value().then_some(TRANSACTION_VALUE), buffer, |buffer| {
                buffer.extend_from_slice(status);
                buffer.extend_from_within(id);
                buffer.extend_from_slice(b",\"event_count\":");
                push_counts(buffer);
                buffer.extend_from_slice(b",\"ts_ms\":");
                push_int(buffer, context.commit_time.0.div_euclid(1000));
                buffer.push(b'}');
            });
        });
        let headers = appended(buffer, |buffer| self.headers.push(record.ordinal, lsn, buffer));
        out.push(record.topic, false, Some(key), Some(value), headers);
        Ok(Written { records: 1, ..Written::default() })
    }

    /// Appends the record of a logical message. `now_ns` is the wall clock in nanoseconds since 1970.
    pub fn message(&mut self, message: &MessageEvent<'_>, now_ns: i64, out: &mut Records) -> Result<Written> {
        let mut lsn = itoa::Buffer::new();
        let lsn = lsn.format(message.lsn.0).as_bytes();
        let (source, headers, ordinal, order) = match message.scope {
            MessageScope::Transactional { .. } if self.current.is_none() => {
                return Err(internal("a transactional message outside of transactions"));
            }
            MessageScope::Transactional { ordinal, order } => (&self.source, &self.headers, ordinal, order),
            MessageScope::Lone { time } => {
                let (source, headers) = &mut self.lone;
                source.begin_lone(&self.settings, time, message.lsn);
                let last_byte = Lsn(message.lsn.0.saturating_sub(1));
                headers.begin(self.settings.system_id, last_byte, None);
                (&*source, &*headers, 0, Order { total: 0, data_collection: 0 })
            }
        };
        let buffer = out.buffer();
        let push_prefix = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(b"{\"prefix\":");
            let _ = push_string(buffer, message.prefix.as_bytes());
        };
        let modes = self.settings.modes;
        let key = appended(buffer, |buffer| {
            framed(modes.schemas.key().then_some(MESSAGE_KEY), buffer, |buffer| {
                push_prefix(buffer);
                buffer.push(b'}');
            });
        });
        let value = appended(buffer, |buffer| {
            framed(modes.schemas.value().then(|| message_value(modes.binary)), buffer, |buffer| {
                buffer.extend_from_slice(b"{\"op\":\"m\",\"ts_ms\":");
                push_int(buffer, now_ns.div_euclid(1_000_000));
                source.push(b"\"schema\":\"\",\"table\":\"\",", lsn, order, buffer);
                buffer.extend_from_slice(b",\"message\":");
                push_prefix(buffer);
                buffer.extend_from_slice(b",\"content\":");
                push_bytes(message.content, modes.binary, buffer);
                buffer.extend_from_slice(b"}}");
            });
        });
        let headers = appended(buffer, |buffer| headers.push(ordinal, lsn, buffer));
        out.push(message.topic, false, Some(key), Some(value), headers);
        Ok(Written { records: 1, ..Written::default() })
    }
}

fn push_collection(collection: CollectionCount<'_>, buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(b"{\"data_collection\":");
    let start = buffer.len();
    let _ = push_string(buffer, collection.schema.as_bytes());
    if collection.schema.is_empty() {
        buffer.truncate(start);
        let _ = push_string(buffer, collection.table.as_bytes());
    } else {
        // Both names as one string: the quotes between them give way to the dot.
        buffer.pop();
        let name = buffer.len();
        let _ = push_string(buffer, collection.table.as_bytes());
        if let Some(quote) = buffer.get_mut(name) {
            *quote = b'.';
        }
    }
    buffer.extend_from_slice(b",\"event_count\":");
    push_int(buffer, collection.events);
    buffer.push(b'}');
}
