//! Encoded records, back to back in one buffer, with their spans beside it: what the encoder fills and the sink empties,
//! with no allocation per record once both vectors have grown.

use std::ops::Range;

use crate::event::TopicId;

/// A run of encoded records.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    spans: Vec<RecordSpan>,
}

/// Where one record lies in the buffer. Offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSpan {
    pub topic: TopicId,
    /// The record carries the `__debezium.context.*` headers.
    pub context: bool,
    key: (u32, u32),
    value: (u32, u32),
    headers: (u32, u32),
}

/// One record, borrowed from [`Records`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub topic: TopicId,
    pub context: bool,
    pub key: Option<&'a [u8]>,
    /// None is a tombstone.
    pub value: Option<&'a [u8]>,
    headers: &'a [u8],
}

/// Marks an absent key or value.
const NONE: (u32, u32) = (u32::MAX, u32::MAX);

impl Records {
    /// No records, with room for `bytes` before the buffer has to grow.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), spans: Vec::new() }
    }

    /// The buffer, to append to. What is appended belongs to the record that [`Records::push`] closes next.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes held.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Records held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether no record is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Closes a record whose parts were appended to the buffer. Ranges are offsets into the buffer; the headers are
    /// written with [`push_header`]. Two records may share a range (a tombstone its delete's key).
    pub fn push(
        &mut self,
        topic: TopicId,
        context: bool,
        key: Option<Range<usize>>,
        value: Option<Range<usize>>,
        headers: Range<usize>,
    ) {
        let span = |range: Range<usize>| (clamp(range.start), clamp(range.end));
        self.spans.push(RecordSpan {
            topic,
            context,
            key: key.map_or(NONE, span),
            value: value.map_or(NONE, span),
            headers: span(headers),
        });
    }

    /// The record at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        let span = self.spans.get(index)?;
        let part = |(start, end): (u32, u32)| self.bytes.get(start as usize..end as usize);
        Some(Record {
            topic: span.topic,
            context: span.context,
            key: part(span.key),
            value: part(span.value),
            headers: part(span.headers).unwrap_or_default(),
        })
    }

    /// Drops the records from `len` on; bytes that only they used stay until [`Records::clear`].
    pub fn truncate(&mut self, len: usize) {
        self.spans.truncate(len);
    }

    /// Empties both vectors and keeps their memory, but gives back what exceeds `keep_bytes`.
    pub fn clear(&mut self, keep_bytes: usize) {
        self.bytes.clear();
        self.spans.clear();
        if self.bytes.capacity() > keep_bytes {
            self.bytes.shrink_to(keep_bytes);
        }
    }
}

impl<'a> Record<'a> {
    /// Name and value of each header, in order; a value may be null.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.headers;
        std::iter::from_fn(move || {
            let (name, after) = take_part(rest)?;
            let (value, after) = match after.strip_prefix(&NULL) {
                Some(after) => (None, after),
                None => take_part(after).map(|(value, after)| (Some(value), after))?,
            };
            rest = after;
            Some((name, value))
        })
    }
}

/// Appends one header to a record's headers.
pub fn push_header(buffer: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, value] {
        buffer.extend_from_slice(&clamp(part.len()).to_le_bytes());
        buffer.extend_from_slice(part);
    }
}

/// Appends one header, whose value `write` appends; it is null when `write` says false.
pub(super) fn push_header_with(buffer: &mut Vec<u8>, name: &[u8], write: impl FnOnce(&mut Vec<u8>) -> bool) {
    buffer.extend_from_slice(&clamp(name.len()).to_le_bytes());
    buffer.extend_from_slice(name);
    let place = buffer.len();
    buffer.extend_from_slice(&NULL);
    let start = buffer.len();
    if write(buffer) {
        let len = clamp(buffer.len() - start).to_le_bytes();
        if let Some(place) = buffer.get_mut(place..start) {
            place.copy_from_slice(&len);
        }
    } else {
        buffer.truncate(start);
    }
}

/// Stands in the place of the length of a value that is null.
const NULL: [u8; 4] = u32::MAX.to_le_bytes();

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}

/// A run of records is bounded far below 4 GiB by `limits.memory`; a larger offset becomes the absent mark and reads as none.
fn clamp(offset: usize) -> u32 {
    debug_assert!(offset < u32::MAX as usize);
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_pushed() {
        let mut records = Records::default();
        let buffer = records.buffer();
        buffer.extend_from_slice(b"keyvalue");
        push_header(buffer, b"a", b"1");
        push_header(buffer, b"b", b"");
        push_header_with(buffer, b"c", |buffer| {
            buffer.extend_from_slice(b"begun");
            false
        });
        push_header_with(buffer, b"d", |buffer| {
            buffer.extend_from_slice(b"42");
            true
        });
        let end = buffer.len();
        records.push(TopicId(1), true, Some(0..3), Some(3..8), 8..end);
        records.push(TopicId(1), true, Some(0..3), None, end..end);
        let first = records.get(0).unwrap();
        assert_eq!((first.key, first.value), (Some(&b"key"[..]), Some(&b"value"[..])));
        assert_eq!(
            first.headers().collect::<Vec<_>>(),
            [(&b"a"[..], Some(&b"1"[..])), (b"b", Some(b"")), (b"c", None), (b"d", Some(b"42"))]
        );
        let second = records.get(1).unwrap();
        assert_eq!((second.key, second.value, second.headers().count()), (Some(&b"key"[..]), None, 0));
        assert_eq!(records.get(2), None);
    }
}
