//! The numbers PostgreSQL counts with: log positions, transaction ids and object ids, each a type of its own so that
//! one cannot stand in for another. Nothing here does arithmetic that the server would not do.

use std::fmt;
use std::str::FromStr;

/// A byte position in the write-ahead log; prints as PostgreSQL prints `pg_lsn`, for example `0/16B3748`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// `InvalidXLogRecPtr`: no position.
    pub const INVALID: Self = Self(0);

    /// Whether this is a real position (PostgreSQL's `XLogRecPtrIsValid`).
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.0 != 0
    }

    /// Bytes of log between `earlier` and this position; zero when `earlier` is not earlier.
    #[must_use]
    pub const fn bytes_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// The text was not two hexadecimal numbers of at most eight digits with a slash between.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a log position: {0:?} (expected a form like 0/16B3748)")]
pub struct ParseLsnError(pub String);

impl FromStr for Lsn {
    type Err = ParseLsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseLsnError(text.chars().take(40).collect());
        let (high, low) = text.split_once('/').ok_or_else(bad)?;
        let part = |digits: &str| {
            let plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if plain { u64::from_str_radix(digits, 16).ok() } else { None }
        };
        match (part(high), part(low)) {
            (Some(high), Some(low)) => Ok(Self(high << 32 | low)),
            _ => Err(bad()),
        }
    }
}

/// A transaction id as the log holds it: 32 bits, without the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Xid(pub u32);

impl fmt::Display for Xid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An object id: of a relation, a type, a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub u32);

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Microseconds since 1970-01-01 00:00 UTC, the unit of Debezium's `ts_us`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// From the protocol's clock: microseconds since 2000-01-01 00:00 UTC.
    #[must_use]
    pub const fn from_postgres(micros: i64) -> Self {
        Self(micros.saturating_add(POSTGRES_EPOCH_US))
    }

    /// To the protocol's clock.
    #[must_use]
    pub const fn to_postgres(self) -> i64 {
        self.0.saturating_sub(POSTGRES_EPOCH_US)
    }
}

/// 2000-01-01 00:00 UTC in microseconds since 1970.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_as_postgres_does() {
        for (text, value) in
            [("0/16B3748", 0x16B_3748), ("16/B374D848", 0x16_B374_D848), ("FFFFFFFF/FFFFFFFF", u64::MAX)]
        {
            assert_eq!(text.parse(), Ok(Lsn(value)));
            assert_eq!(Lsn(value).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_position() {
        for text in ["", "0", "/", "0/", "/0", "0/123456789", "+1/0", "0/0x1", "0/0/0"] {
            assert!(text.parse::<Lsn>().is_err(), "{text:?}");
        }
    }
}
