//! A cursor over the bytes of one message: every read is checked against what is left and named after the field it
//! reads, so that a failure says where, what was expected and what was there. Nothing here can panic or allocate; the
//! success path of a read is a compare and a load, the errors are built out of line.

use std::fmt;

use crate::error::{Error, Kind};
use crate::lsn::{Lsn, Oid, UnixMicros, Xid};

/// Where a message stopped making sense. Holds no bytes of rows or names, only the offset and single tag bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The message's first byte; none when the message was empty.
    pub message: Option<u8>,
    /// Bytes from the start of the message.
    pub offset: usize,
    /// The field or form that should have been there.
    pub expected: &'static str,
    pub got: Got,
}

/// What was there instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Got {
    /// The field needs more bytes than are left.
    End { needed: usize, left: usize },
    /// A byte (a tag or flags) that the protocol does not have here.
    Byte(u8),
    /// A string without its terminating zero byte.
    Unterminated,
    /// A string that is not UTF-8, although the session's `client_encoding` is.
    NotUtf8,
    /// A position or transaction id of zero where the server always sends one.
    Zero,
    /// Bytes behind the end of the message.
    Trailing(usize),
}

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// The cursor.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    len: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Goes on at `rest`, which must be a tail of what was left.
    pub(super) fn advance_to(&mut self, rest: &'a [u8]) {
        debug_assert!(rest.len() <= self.rest.len(), "a cursor never goes back");
        self.rest = rest;
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes read since the start of the message.
    pub(super) const fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(len) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(self.short(len, field)),
        }
    }

    #[inline]
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(*bytes)
            }
            None => Err(self.short(N, field)),
        }
    }

    #[inline]
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8> {
        self.array(field).map(|[byte]: [u8; 1]| byte)
    }

    #[inline]
    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16> {
        self.array(field).map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32> {
        self.array(field).map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32> {
        self.array(field).map(i32::from_be_bytes)
    }

    #[inline]
    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64> {
        self.array(field).map(u64::from_be_bytes)
    }

    #[inline]
    pub(super) fn i64(&mut self, field: &'static str) -> Result<i64> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// A length of 32 bits, widened: no arithmetic on it can wrap.
    #[inline]
    pub(super) fn length(&mut self, field: &'static str) -> Result<usize> {
        self.u32(field).map(widen)
    }

    /// A string up to its zero byte, which is consumed.
    pub(super) fn cstr(&mut self, field: &'static str) -> Result<&'a str> {
        let Some((text, rest)) = memchr::memchr(0, self.rest).and_then(|end| self.rest.split_at_checked(end))
        else {
            return Err(self.fail(field, Got::Unterminated));
        };
        let text = std::str::from_utf8(text).map_err(|_| self.fail(field, Got::NotUtf8))?;
        self.rest = rest.split_first().map_or(rest, |(_zero, rest)| rest);
        Ok(text)
    }

    #[inline]
    pub(super) fn oid(&mut self, field: &'static str) -> Result<Oid> {
        self.u32(field).map(Oid)
    }

    pub(super) fn time(&mut self, field: &'static str) -> Result<UnixMicros> {
        self.i64(field).map(UnixMicros::from_postgres)
    }

    /// A position that may be zero.
    pub(super) fn lsn(&mut self, field: &'static str) -> Result<Lsn> {
        self.u64(field).map(Lsn)
    }

    /// A position that the server's own reader refuses when it is zero.
    pub(super) fn valid_lsn(&mut self, field: &'static str) -> Result<Lsn> {
        let at = self.clone();
        self.lsn(field).and_then(|lsn| if lsn.is_valid() { Ok(lsn) } else { Err(at.fail(field, Got::Zero)) })
    }

    pub(super) fn xid(&mut self, field: &'static str) -> Result<Xid> {
        self.u32(field).map(Xid)
    }

    /// A transaction id that the server's own reader refuses when it is zero.
    pub(super) fn valid_xid(&mut self, field: &'static str) -> Result<Xid> {
        let at = self.clone();
        self.xid(field).and_then(|xid| if xid.0 == 0 { Err(at.fail(field, Got::Zero)) } else { Ok(xid) })
    }

    /// The message must end here.
    #[inline]
    pub(super) fn end(&self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        Err(self.fail("end of message", Got::Trailing(self.rest.len())))
    }

    /// A failure at the cursor.
    #[cold]
    pub(super) const fn fail(&self, expected: &'static str, got: Got) -> DecodeError {
        DecodeError { message: None, offset: self.offset(), expected, got }
    }

    #[cold]
    const fn short(&self, needed: usize, field: &'static str) -> DecodeError {
        self.fail(field, Got::End { needed, left: self.rest.len() })
    }
}

/// A 32-bit length in the machine's width; where that is narrower, no buffer could be as long.
#[inline]
pub(super) fn widen(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            Some(tag) => write!(f, "message '{}'", tag.escape_ascii())?,
            None => f.write_str("message")?,
        }
        write!(f, " at byte {}: expected {}, got ", self.offset, self.expected)?;
        match self.got {
            Got::End { needed, left } => write!(f, "{left} of {needed} bytes"),
            Got::Byte(byte) => write!(f, "byte {byte:#04x}"),
            Got::Unterminated => f.write_str("a string without end"),
            Got::NotUtf8 => f.write_str("bytes that are not UTF-8"),
            Got::Zero => f.write_str("zero"),
            Got::Trailing(bytes) => write!(f, "{bytes} more bytes"),
        }
    }
}

impl std::error::Error for DecodeError {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(Kind::Decode, error.to_string()).context("decode stream")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_network_order() {
        let mut reader = Reader::new(b"\x01\x01\x02\xFF\xFF\xFF\xFEab\0\0\0\0\x02xy");
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16("b"), Ok(0x102));
        assert_eq!(reader.i32("c"), Ok(-2));
        assert_eq!(reader.cstr("d"), Ok("ab"));
        assert_eq!(reader.length("e"), Ok(2));
        assert_eq!(reader.bytes(2, "f"), Ok(&b"xy"[..]));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn a_failed_read_says_where_and_consumes_nothing() {
        let mut reader = Reader::new(b"\x01\x02\x03");
        assert_eq!(reader.u8("tag"), Ok(1));
        let error = reader.u32("relation OID").expect_err("two bytes are not four");
        assert_eq!(error.to_string(), "message at byte 1: expected relation OID, got 2 of 4 bytes");
        assert_eq!(reader.u16("rest"), Ok(0x203));
        assert!(reader.bytes(usize::MAX, "value").is_err());
    }

    #[test]
    fn strings_end_and_are_utf8() {
        assert_eq!(Reader::new(b"abc").cstr("name").map_err(|e| e.got), Err(Got::Unterminated));
        assert_eq!(Reader::new(b"a\xFF\0").cstr("name").map_err(|e| e.got), Err(Got::NotUtf8));
        assert_eq!(Reader::new(b"\0").cstr("name"), Ok(""));
        assert_eq!(Reader::new("gr\u{fc}n\0".as_bytes()).cstr("name"), Ok("gr\u{fc}n"));
    }

    #[test]
    fn becomes_an_error_of_kind_decode() {
        let error = DecodeError { message: Some(b'I'), offset: 5, expected: "'N'", got: Got::Byte(0) };
        let error = Error::from(error);
        assert_eq!(error.kind(), Kind::Decode);
        assert_eq!(error.to_string(), "decode stream: message 'I' at byte 5: expected 'N', got byte 0x00");
    }
}
