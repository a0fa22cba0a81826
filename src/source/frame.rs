//! The framing of the protocol, pure: bytes in, one frame and its size out. [`parse`] knows the five-byte header of
//! every backend message and, inside CopyData, the two headers of a replication stream; it borrows what it returns. It
//! reads the header itself because the body of a message may be larger than anybody wants to hold: a length beyond the
//! limit is an error before a byte of the body has come.

use crate::error::{Error, Kind, Result};
use crate::lsn::{Lsn, UnixMicros};

/// One message of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A piece of the stream (`w`).
    XLogData {
        /// Where the change begins in the log; 0/0 for messages without a place of their own.
        start: Lsn,
        /// The end of the log on the server, as far as logical decoding tells it.
        end: Lsn,
        /// The server's clock.
        sent: UnixMicros,
        /// A message of the output plugin.
        body: &'a [u8],
    },
    /// A sign of life (`k`).
    Keepalive { wal_end: Lsn, sent: UnixMicros, reply_requested: bool },
    /// Anything else.
    Other { tag: u8, body: &'a [u8] },
}

/// Reads the first message of `bytes`: the frame and how many bytes it takes; none while it is not complete.
///
/// # Errors
/// [`Kind::SourceProtocol`] when the bytes are no message of a backend, [`Kind::MessageTooLarge`] when it announces
/// more than `max` bytes.
pub fn parse(bytes: &[u8], max: u64) -> Result<Option<(Frame<'_>, usize)>> {
    let Some((tag, body, size)) = message(bytes, max)? else { return Ok(None) };
    let frame = if tag == COPY_DATA { copy_data(body)? } else { Frame::Other { tag, body } };
    Ok(Some((frame, size)))
}

/// Reads the first message of `bytes` without a look into it: its tag, its body, and how many bytes it takes.
///
/// # Errors
/// As [`size`].
pub fn message(bytes: &[u8], max: u64) -> Result<Option<(u8, &[u8], usize)>> {
    let Some(size) = size(bytes, max)? else { return Ok(None) };
    let Some((message, _)) = bytes.split_at_checked(size) else { return Ok(None) };
    Ok(message.split_first_chunk::<HEADER>().map(|(&[tag, ..], body)| (tag, body, size)))
}

/// How many bytes the first message takes, header and all; none while its header is not complete.
///
/// # Errors
/// As [`parse`].
pub fn size(bytes: &[u8], max: u64) -> Result<Option<usize>> {
    let Some(&[tag, a, b, c, d]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    if !TAGS.contains(&tag) {
        return Err(protocol(format!("a message begins with byte 0x{tag:02x}, which no backend sends")));
    }
    let length = u32::from_be_bytes([a, b, c, d]);
    // A web server answers with this letter too.
    let too_long = tag == COPY_OUT_RESPONSE && length > LONGEST_COPY_OUT_RESPONSE;
    if length < 4 || i32::try_from(length).is_err() || too_long {
        return Err(protocol(format!("a message of type {:?} announces {length} bytes", char::from(tag))));
    }
    if u64::from(length) > max {
        let detail =
            format!("the server sends a message of {length} bytes; limits.max_message is {max} bytes");
        return Err(Error::new(Kind::MessageTooLarge, detail));
    }
    let total = usize::try_from(length).ok().and_then(|length| length.checked_add(1));
    total.map(Some).ok_or_else(|| protocol(format!("a message announces {length} bytes")))
}

fn copy_data(body: &[u8]) -> Result<Frame<'_>> {
    match body.split_first() {
        Some((b'w', rest)) => {
            let (start, rest) = number(rest, "XLogData")?;
            let (end, rest) = number(rest, "XLogData")?;
            let (sent, body) = number(rest, "XLogData")?;
            Ok(Frame::XLogData { start: Lsn(start), end: Lsn(end), sent: clock(sent), body })
        }
        Some((b'k', rest)) => {
            let (wal_end, rest) = number(rest, "keepalive")?;
            let (sent, rest) = number(rest, "keepalive")?;
            let &[reply] = rest else {
                return Err(protocol(format!("a keepalive ends with {} bytes instead of 1", rest.len())));
            };
            Ok(Frame::Keepalive { wal_end: Lsn(wal_end), sent: clock(sent), reply_requested: reply != 0 })
        }
        Some((kind, _)) => Err(protocol(format!("the stream holds a message of unknown kind 0x{kind:02x}"))),
        None => Err(protocol("the stream holds an empty message".into())),
    }
}

fn number<'a>(bytes: &'a [u8], what: &str) -> Result<(u64, &'a [u8])> {
    match bytes.split_first_chunk::<8>() {
        Some((number, rest)) => Ok((u64::from_be_bytes(*number), rest)),
        None => Err(protocol(format!("the header of {what} is cut off"))),
    }
}

fn clock(raw: u64) -> UnixMicros {
    UnixMicros::from_postgres(i64::from_ne_bytes(raw.to_ne_bytes()))
}

fn protocol(detail: String) -> Error {
    Error::new(Kind::SourceProtocol, detail)
}

/// Tag and length.
const HEADER: usize = 5;
const COPY_DATA: u8 = b'd';
/// The first bytes of what a server can send to a client that only logs in, asks simple queries and streams.
const TAGS: &[u8] = b"dENScCZWTDRKAvIH";
const COPY_OUT_RESPONSE: u8 = b'H';
/// Two bytes for each of the 1,664 columns that a result may have.
const LONGEST_COPY_OUT_RESPONSE: u32 = 4096;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: u64 = 1 << 20;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    #[test]
    fn reads_both_messages_of_a_stream() {
        let mut data = vec![b'w'];
        data.extend(0x16_B374_D848_u64.to_be_bytes());
        data.extend(0x16_B374_D900_u64.to_be_bytes());
        data.extend(1_000_000_u64.to_be_bytes());
        data.extend(b"B...");
        let data = message(b'd', &data);
        let expected = Frame::XLogData {
            start: Lsn(0x16_B374_D848),
            end: Lsn(0x16_B374_D900),
            sent: UnixMicros(946_684_801_000_000),
            body: b"B...",
        };
        assert_eq!(parse(&data, MAX).unwrap(), Some((expected, data.len())));

        let mut alive = vec![b'k'];
        alive.extend(7_u64.to_be_bytes());
        alive.extend((-1_i64).to_be_bytes());
        alive.push(1);
        let alive = message(b'd', &alive);
        let expected = Frame::Keepalive {
            wal_end: Lsn(7),
            sent: UnixMicros(946_684_799_999_999),
            reply_requested: true,
        };
        assert_eq!(parse(&alive, MAX).unwrap(), Some((expected, alive.len())));
    }

    #[test]
    fn waits_for_every_byte() {
        let whole = message(b'E', b"SERROR\0\0");
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut], MAX).unwrap(), None, "{cut}");
        }
        assert!(matches!(parse(&whole, MAX).unwrap(), Some((Frame::Other { tag: b'E', .. }, 13))));
    }

    #[test]
    fn refuses_a_large_message_by_its_header() {
        let error = parse(&[b'd', 0, 0x10, 0, 1], 1 << 20).unwrap_err();
        assert_eq!(error.kind(), Kind::MessageTooLarge);
        assert!(
            error.to_string().contains("1048577") && error.to_string().contains("limits.max_message"),
            "{error}"
        );
        assert_eq!(parse(&[b'd', 0, 0x10, 0, 0], 1 << 20).unwrap(), None);
    }

    #[test]
    fn refuses_what_is_no_protocol() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request"[..],
            &[b'd', 0, 0, 0, 3],
            &[b'd', 0xFF, 0xFF, 0xFF, 0xFF],
            &message(b'd', b""),
            &message(b'd', b"x"),
            &message(b'd', b"k1234567"),
            &message(b'd', &[&b"k"[..], &[0; 18]].concat()),
            &message(b'd', &[&b"w"[..], &[0; 23]].concat()),
        ] {
            let error = parse(bytes, u64::MAX).unwrap_err();
            assert!(matches!(error.kind(), Kind::SourceProtocol), "{bytes:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_nor_takes_more_than_there_is(bytes in proptest::collection::vec(any::<u8>(), 0..80), max in 0_u64..100) {
            if let Ok(Some((_, used))) = parse(&bytes, max) {
                prop_assert!(used >= HEADER && used <= bytes.len());
            }
        }

        #[test]
        fn never_panics_on_bytes_that_begin_well(body in proptest::collection::vec(any::<u8>(), 0..40), kind in prop_oneof![Just(b'w'), Just(b'k')]) {
            let whole = message(b'd', &[&[kind], &body[..]].concat());
            if let Ok(frame) = parse(&whole, MAX) {
                prop_assert_eq!(frame.map(|(_, used)| used), Some(whole.len()));
            }
        }
    }
}
