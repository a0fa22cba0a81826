//! Rows of `COPY … TO STDOUT` in text format
//! (<https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-TEXT-FORMAT>) into the same [`Tuple`] that an Insert
//! holds, so that nothing behind this stage knows the difference. Escapes must be taken away anyway, so a row is written anew
//! into one buffer that is used again: a copy, and no allocation.

use super::message::Tuple;
use super::reader::{DecodeError, Got};

/// The row that was read last.
#[derive(Debug, Default)]
pub struct CopyRow {
    count: u16,
    /// As a TupleData of the stream, without its count.
    body: Vec<u8>,
}

impl CopyRow {
    /// Reads one line, with or without its newline, as a row of so many `columns`.
    ///
    /// # Errors
    /// When it has more columns or fewer, or ends within an escape; the row is of no use then.
    pub fn read(&mut self, line: &[u8], columns: u16) -> Result<(), DecodeError> {
        self.body.clear();
        if self.body.capacity() > KEPT_BYTES {
            self.body.shrink_to(KEPT_BYTES);
        }
        self.count = columns;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let fail = |rest: &[u8], expected, got| DecodeError {
            message: Some(b'd'),
            offset: line.len() - rest.len(),
            expected,
            got,
        };
        let mut rest = line;
        for column in 1..=columns {
            let Some((tail, more)) = self.value(rest) else {
                return Err(fail(&[], "the end of an escape", Got::End { needed: 1, left: 0 }));
            };
            rest = tail;
            match (more, column == columns) {
                (false, false) => {
                    return Err(fail(rest, "another column", Got::End { needed: 1, left: 0 }));
                }
                (true, true) => return Err(fail(rest, "the end of the row", Got::Trailing(rest.len()))),
                _ => {}
            }
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(fail(rest, "a row without columns", Got::Trailing(rest.len())))
        }
    }

    /// The row.
    #[must_use]
    pub fn tuple(&self) -> Tuple<'_> {
        Tuple { count: self.count, body: &self.body }
    }

    /// Writes the first value of `rest`. Returns what follows, and whether a tab stood between; none for half an escape.
    fn value<'a>(&mut self, rest: &'a [u8]) -> Option<(&'a [u8], bool)> {
        match rest {
            [b'\\', b'N'] => {
                self.body.push(b'n');
                return Some((&[], false));
            }
            [b'\\', b'N', b'\t', tail @ ..] => {
                self.body.push(b'n');
                return Some((tail, true));
            }
            _ => {}
        }
        self.body.extend_from_slice(b"t\0\0\0\0");
        let start = self.body.len();
        let mut rest = rest;
        let (tail, more) = loop {
            let Some(at) = memchr::memchr2(b'\t', b'\\', rest) else {
                self.body.extend_from_slice(rest);
                break (&[][..], false);
            };
            let (plain, special) = rest.split_at_checked(at)?;
            self.body.extend_from_slice(plain);
            match special {
                [b'\\', escaped, tail @ ..] => {
                    self.body.push(unescaped(*escaped));
                    rest = tail;
                }
                [b'\t', tail @ ..] => break (tail, true),
                _ => return None,
            }
        };
        // PostgreSQL has no value of 4 GiB.
        let length = u32::try_from(self.body.len() - start).ok()?.to_be_bytes();
        self.body.get_mut(start - length.len()..start)?.copy_from_slice(&length);
        Some((tail, more))
    }
}

/// What stands behind a backslash stands for. COPY TO writes these letters and no numbers; any other byte is itself.
const fn unescaped(byte: u8) -> u8 {
    match byte {
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0B,
        other => other,
    }
}

/// What a row may leave behind in the buffer; a larger one gives its room back.
const KEPT_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Value;

    fn read(line: &[u8], columns: u16) -> Result<Vec<Option<Vec<u8>>>, DecodeError> {
        let mut row = CopyRow::default();
        row.read(b"what was there before", 1).unwrap();
        row.read(line, columns)?;
        let owned = |value| match value {
            Value::Text(text) => Some(text.to_vec()),
            Value::Null => None,
            other => panic!("{other:?}"),
        };
        Ok(row.tuple().iter().map(owned).collect())
    }

    fn texts(values: &[Option<&str>]) -> Vec<Option<Vec<u8>>> {
        values.iter().map(|value| value.map(|text| text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn reads_what_the_manual_says() {
        for (line, expected) in [
            (&b"1\tone\n"[..], &[Some("1"), Some("one")][..]),
            (b"\\N\t\\N\n", &[None, None]),
            (b"\t\n", &[Some(""), Some("")]),
            (b"\n", &[Some("")]),
            (b"\\\\N\n", &[Some("\\N")]),
            (b"a\\tb\\nc\\\\d\\re\\bf\\fg\\vh\n", &[Some("a\tb\nc\\d\re\u{8}f\u{c}g\u{b}h")]),
            (b"\\.\n", &[Some(".")]),
            ("žluť\t\\N\t😀\n".as_bytes(), &[Some("žluť"), None, Some("😀")]),
        ] {
            let columns = u16::try_from(expected.len()).unwrap();
            assert_eq!(read(line, columns).unwrap(), texts(expected), "{line:?}");
        }
        assert_eq!(read(b"\n", 0).unwrap(), []);
    }

    #[test]
    fn says_what_is_wrong_and_no_value() {
        for (line, columns, words) in [
            (&b"secret\n"[..], 2, "at byte 6: expected another column"),
            (b"secret\tx\n", 1, "at byte 7: expected the end of the row, got 1 more bytes"),
            (b"secret\\", 1, "at byte 7: expected the end of an escape"),
            (b"secret\n", 0, "expected a row without columns"),
        ] {
            let error = read(line, columns).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{error}");
        }
    }

    /// As `CopyAttributeOutText` does it.
    fn written(values: &[Option<Vec<u8>>]) -> Vec<u8> {
        let mut line = Vec::new();
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                line.push(b'\t');
            }
            let Some(value) = value else {
                line.extend_from_slice(b"\\N");
                continue;
            };
            for byte in value {
                match byte {
                    0x08 => line.extend_from_slice(b"\\b"),
                    0x0C => line.extend_from_slice(b"\\f"),
                    b'\n' => line.extend_from_slice(b"\\n"),
                    b'\r' => line.extend_from_slice(b"\\r"),
                    b'\t' => line.extend_from_slice(b"\\t"),
                    0x0B => line.extend_from_slice(b"\\v"),
                    b'\\' => line.extend_from_slice(b"\\\\"),
                    other => line.push(*other),
                }
            }
        }
        line.push(b'\n');
        line
    }

    fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
        let byte = prop_oneof![any::<u8>(), prop::sample::select(&b"\\\t\n\rNtn\x08\x0B\x0C."[..])];
        prop::option::weighted(0.8, prop::collection::vec(byte, 0..12))
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back(values in prop::collection::vec(value(), 1..6)) {
            let columns = u16::try_from(values.len()).unwrap();
            prop_assert_eq!(read(&written(&values), columns).unwrap(), values);
        }

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..40), columns in 0u16..5) {
            let mut row = CopyRow::default();
            if row.read(&line, columns).is_ok() {
                prop_assert_eq!(row.tuple().iter().count(), usize::from(columns));
            }
        }
    }
}
