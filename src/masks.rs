//! How the values of a column are hidden: the rules of `source.mask_columns`, named as Debezium's `column.*` properties are.
//! They belong to no stage: the configuration reads them, an event's table carries them, and the encoder applies them.

use std::fmt;
use std::sync::Arc;

/// What is written in the place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    /// `mask.with.N.chars`: so many asterisks, for NULL too.
    Stars { chars: usize },
    /// `mask.hash.ALGORITHM.with.salt.SALT`, `mask.hash.v2.…`: the digits of a digest of salt and value.
    Hash { version: HashVersion, algorithm: HashAlgorithm, salt: Salt },
    /// `truncate.to.N.chars`: the beginning, counted in units of UTF-16 as Java does.
    Truncate { chars: usize },
}

/// What of a value goes into its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashVersion {
    /// The Java object: header, length and modified UTF-8, as `ObjectOutputStream` writes them.
    V1,
    /// The text in UTF-8.
    V2,
}

/// The digests, by the names that Java has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// A salt, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt(Arc<[u8]>);

impl HashAlgorithm {
    /// All of them.
    pub const ALL: [(&'static str, Self); 6] = [
        ("MD5", Self::Md5),
        ("SHA-1", Self::Sha1),
        ("SHA-224", Self::Sha224),
        ("SHA-256", Self::Sha256),
        ("SHA-384", Self::Sha384),
        ("SHA-512", Self::Sha512),
    ];

    /// The one of a name, in letters of any case.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, algorithm)| *algorithm)
    }
}

impl Salt {
    #[must_use]
    pub fn new(salt: &str) -> Self {
        Self(salt.as_bytes().into())
    }

    /// The salt, for the digest.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(<redacted>)")
    }
}

#[test]
fn a_salt_is_not_shown() {
    assert_eq!(format!("{:?}", Salt::new("hunter2")), "Salt(<redacted>)");
    assert_eq!(HashAlgorithm::named("sha-256"), Some(HashAlgorithm::Sha256));
    assert_eq!(HashAlgorithm::named("SHA-3"), None);
}
