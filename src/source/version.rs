//! The version of a server as a number that can be compared, `server_version_num`: 100023 is 10.23, 180001 is 18.1.

use std::fmt;

/// `server_version_num`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion(pub u32);

impl ServerVersion {
    /// The number that PostgreSQL's manual is named after: 10 to 18.
    #[must_use]
    pub const fn major(self) -> u32 {
        self.0 / 10_000
    }

    /// Whether this is `major` or newer.
    #[must_use]
    pub const fn at_least(self, major: u32) -> bool {
        self.major() >= major
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.0 % 10_000)
    }
}

/// The oldest server whose output plugin and catalogs are known here.
pub(super) const OLDEST: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_people_write_it() {
        assert_eq!(ServerVersion(100_023).to_string(), "10.23");
        assert_eq!(ServerVersion(180_001).to_string(), "18.1");
        assert!(ServerVersion(180_000).at_least(18) && !ServerVersion(179_999).at_least(18));
    }
}
