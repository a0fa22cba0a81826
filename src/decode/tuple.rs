//! Rows: one walk over a row checks every length and finds its end, a second one hands out the values. The walk runs
//! for every row of the stream, so it touches nothing but the five bytes in front of each value; after it a
//! [`TupleIter`] has nothing left that could fail.

use std::iter::FusedIterator;

use super::message::{Oids, OldTuple, Tuple, TupleIter, Value};
use super::reader::{Got, Reader, Result, widen};
use crate::lsn::Oid;

impl<'a> Tuple<'a> {
    /// Reads a TupleData, checking that every value lies within the message.
    #[inline]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let count = reader.u16("number of columns")?;
        let start = reader.rest();
        let mut rest = start;
        for _ in 0..count {
            match skip(rest) {
                Some(tail) => rest = tail,
                None => return Err(explain(reader, rest)),
            }
        }
        reader.advance_to(rest);
        let body = start.get(..start.len() - rest.len()).unwrap_or(start);
        Ok(Self { count, body })
    }

    /// The number of columns.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the row has no columns, as `CREATE TABLE t ()` makes them.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values in the order of the relation's columns.
    #[inline]
    #[must_use]
    pub const fn iter(&self) -> TupleIter<'a> {
        TupleIter { left: self.count, body: self.body }
    }
}

impl<'a> IntoIterator for &Tuple<'a> {
    type Item = Value<'a>;
    type IntoIter = TupleIter<'a>;

    fn into_iter(self) -> TupleIter<'a> {
        self.iter()
    }
}

impl<'a> OldTuple<'a> {
    /// The row, whichever form it came in.
    #[must_use]
    pub const fn tuple(&self) -> Tuple<'a> {
        match self {
            Self::Key(tuple) | Self::Full(tuple) => *tuple,
        }
    }
}

impl<'a> Iterator for TupleIter<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Tuple::read took exactly the bytes that `split` takes, `count` times: it succeeds here.
        let (value, rest) = split(self.body)?;
        self.body = rest;
        Some(value)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for TupleIter<'_> {}
impl FusedIterator for TupleIter<'_> {}

impl<'a> Oids<'a> {
    /// The relations in the order of the statement.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Oid> + use<'a> {
        self.body
            .chunks_exact(4)
            .map(|chunk| Oid(chunk.iter().fold(0, |oid, &byte| oid << 8 | u32::from(byte))))
    }

    /// The number of relations.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.body.len() / 4
    }

    /// Whether there is none; the server sends no such message.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

/// What follows the first value of `body`; none if it is cut short or of no known kind.
#[inline]
fn skip(body: &[u8]) -> Option<&[u8]> {
    match body {
        [b't' | b'b', a, b, c, d, rest @ ..] => rest.get(widen(u32::from_be_bytes([*a, *b, *c, *d]))..),
        [b'n' | b'u', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// The first value of `body` and what follows it.
#[inline]
fn split(body: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match body {
        [kind @ (b't' | b'b'), a, b, c, d, rest @ ..] => {
            let (bytes, rest) = rest.split_at_checked(widen(u32::from_be_bytes([*a, *b, *c, *d])))?;
            Some((if *kind == b't' { Value::Text(bytes) } else { Value::Binary(bytes) }, rest))
        }
        [b'n', rest @ ..] => Some((Value::Null, rest)),
        [b'u', rest @ ..] => Some((Value::Unchanged, rest)),
        _ => None,
    }
}

/// Reads the value that [`skip`] refused field by field, to say what is wrong with it.
#[cold]
fn explain(reader: &Reader<'_>, rest: &[u8]) -> super::DecodeError {
    let mut reader = reader.clone();
    let walked = reader.rest().len() - rest.len();
    let failed = reader.bytes(walked, "value").and_then(|_| {
        let at = reader.clone();
        match reader.u8("kind of value")? {
            b't' | b'b' => {
                let len = reader.length("length of value")?;
                reader.bytes(len, "value")
            }
            kind => Err(at.fail("kind of value 'n', 'u', 't' or 'b'", Got::Byte(kind))),
        }
    });
    // Whatever `skip` refuses, the reader refuses; the fallback only keeps this function total.
    failed.err().unwrap_or_else(|| reader.fail("value", Got::Trailing(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Value<'_>>> {
        Tuple::read(&mut Reader::new(bytes)).map(|tuple| tuple.iter().collect())
    }

    #[test]
    fn every_kind_of_value() {
        let bytes = b"\0\x05t\0\0\0\x02hinub\0\0\0\x01\xFFt\0\0\0\0";
        assert_eq!(
            read(bytes),
            Ok(vec![
                Value::Text(b"hi"),
                Value::Null,
                Value::Unchanged,
                Value::Binary(b"\xFF"),
                Value::Text(b"")
            ])
        );
    }

    #[test]
    fn stops_where_the_row_ends() {
        let mut reader = Reader::new(b"\0\x01nN");
        let tuple = Tuple::read(&mut reader).expect("a row of one null");
        assert_eq!((tuple.len(), reader.rest()), (1, &b"N"[..]));
        let mut values = tuple.iter();
        assert_eq!(
            (values.len(), values.next(), values.len(), values.next()),
            (1, Some(Value::Null), 0, None)
        );
    }

    #[test]
    fn a_length_beyond_the_message_is_an_error() {
        let error = read(b"\0\x02nt\xFF\xFF\xFF\xFFab").expect_err("4 GiB are not there");
        assert_eq!((error.offset, error.got), (8, Got::End { needed: 0xFFFF_FFFF, left: 2 }));
        let error = read(b"\0\x01t\0\0\0\x03ab").expect_err("one byte is missing");
        assert_eq!((error.offset, error.got), (7, Got::End { needed: 3, left: 2 }));
    }

    #[test]
    fn names_what_is_wrong() {
        let error = read(b"\0\x02nx").expect_err("no such kind");
        assert_eq!((error.offset, error.got), (3, Got::Byte(b'x')));
        let error = read(b"\0\x02n").expect_err("one value is missing");
        assert_eq!((error.offset, error.expected), (3, "kind of value"));
        let error = read(b"\0\x01t\0\0").expect_err("half a length");
        assert_eq!((error.offset, error.expected), (3, "length of value"));
    }

    #[test]
    fn oids_of_a_truncate() {
        let oids = Oids { body: b"\0\0\x40\x01\xFF\0\0\0" };
        assert_eq!(oids.iter().collect::<Vec<_>>(), [Oid(0x4001), Oid(0xFF00_0000)]);
        assert_eq!((oids.len(), oids.iter().len()), (2, 2));
    }
}
