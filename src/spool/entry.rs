//! How a log is laid out, pure: messages in the order in which they came, each behind its length and position, in runs of
//! one subtransaction and one block of the stream. A run begins with its subtransaction and where the run before it begins,
//! so that the end of a log can be walked backwards. Nobody but the process that wrote it reads it.

use crate::lsn::{Lsn, Xid};

/// Bytes before a message.
pub(super) const MESSAGE: usize = 12;
/// Bytes that begin a run.
pub(super) const RUN: usize = 24;

/// What stands at a place of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A message of `length` bytes follows.
    Message {
        lsn: Lsn,
        length: usize,
    },
    Run,
}

/// The header of a message.
pub(super) fn message(lsn: Lsn, length: usize) -> [u8; MESSAGE] {
    let mut header = [0; MESSAGE];
    // A message is at most `limits.max_message`, 1 GiB.
    let length = u32::try_from(length).unwrap_or(MARK - 1);
    header[..4].copy_from_slice(&length.to_ne_bytes());
    header[4..].copy_from_slice(&lsn.0.to_ne_bytes());
    header
}

/// The beginning of a run.
pub(super) fn run(xid: Xid, previous: Option<u64>, block: u64) -> [u8; RUN] {
    let mut header = [0; RUN];
    header[..4].copy_from_slice(&MARK.to_ne_bytes());
    header[4..8].copy_from_slice(&xid.0.to_ne_bytes());
    header[8..16].copy_from_slice(&previous.unwrap_or(NONE).to_ne_bytes());
    header[16..].copy_from_slice(&block.to_ne_bytes());
    header
}

/// The header at the front of `bytes`; none when they are too few.
pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32::from_ne_bytes(*length);
    if length == MARK {
        return Some(Header::Run);
    }
    let (lsn, _) = rest.split_first_chunk::<8>()?;
    Some(Header::Message { lsn: Lsn(u64::from_ne_bytes(*lsn)), length: usize::try_from(length).ok()? })
}

/// Subtransaction, run before and block of the run that begins at the front of `bytes`.
pub(super) fn parse_run(bytes: &[u8]) -> Option<(Xid, Option<u64>, u64)> {
    let (mark, rest) = bytes.split_first_chunk::<4>()?;
    let (xid, rest) = rest.split_first_chunk::<4>()?;
    let (previous, rest) = rest.split_first_chunk::<8>()?;
    let (block, _) = rest.split_first_chunk::<8>()?;
    let previous = Some(u64::from_ne_bytes(*previous)).filter(|at| *at != NONE);
    let run = (Xid(u32::from_ne_bytes(*xid)), previous, u64::from_ne_bytes(*block));
    (u32::from_ne_bytes(*mark) == MARK).then_some(run)
}

/// No message is so long.
const MARK: u32 = u32::MAX;
const NONE: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let header = message(Lsn(7), 300);
        assert_eq!(parse(&header), Some(Header::Message { lsn: Lsn(7), length: 300 }));
        assert_eq!(parse_run(&[header, header].concat()), None);
        for previous in [None, Some(0), Some(1 << 40)] {
            let header = run(Xid(u32::MAX), previous, 9);
            assert_eq!(parse(&header), Some(Header::Run));
            assert_eq!(parse_run(&header), Some((Xid(u32::MAX), previous, 9)));
        }
        assert_eq!((parse(&[1, 0, 0]), parse_run(&run(Xid(1), None, 1)[..23])), (None, None));
    }
}
