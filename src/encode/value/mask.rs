//! Texts that must not be seen as they are: asterisks, a digest, or the beginning. Nothing is kept from one value to the next
//! and nothing is allocated.

use std::str;

use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::oid::{BPCHAR, CHAR, NAME, VARCHAR};
use super::{Scratch, ValueWriter};
use crate::decode::Value;
use crate::encode::writer::push_escaped;
use crate::event::Column;
use crate::masks::{HashAlgorithm, HashVersion, Mask, Salt};
use crate::modes::Modes;
use crate::source::catalog::{TypeDetails, TypeKind};

/// How the texts of one column are hidden.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::encode) enum Masked {
    /// The same JSON for every value.
    Constant(Box<[u8]>),
    /// So many units of UTF-16; `halves`: the last one may be half of a character, as Debezium cuts.
    Beginning { units: usize, halves: bool },
    /// At most so many digits of the digest.
    Digest { version: HashVersion, algorithm: HashAlgorithm, salt: Salt, digits: usize },
}

impl Masked {
    /// Hides the values of `column` that `writer` would show; none when they are no texts.
    pub(in crate::encode) fn new(
        mask: &Mask,
        column: &Column,
        writer: &ValueWriter,
        modes: Modes,
    ) -> Option<Self> {
        // What is always null is hidden by asterisks all the same.
        let blank = column.ty.oid.0 == NAME && matches!(mask, Mask::Stars { .. });
        if *writer != ValueWriter::Text && !blank {
            return None;
        }
        Some(match mask {
            Mask::Stars { chars } => {
                let json = std::iter::once(b'"').chain(std::iter::repeat_n(b'*', *chars)).chain([b'"']);
                Self::Constant(json.collect())
            }
            Mask::Truncate { chars } => Self::Beginning { units: *chars, halves: modes.quirky() },
            Mask::Hash { version, algorithm, salt } => Self::Digest {
                version: *version,
                algorithm: *algorithm,
                salt: salt.clone(),
                digits: length(&column.ty, column.typmod).unwrap_or(usize::MAX),
            },
        })
    }

    /// The JSON of every value, NULL too.
    pub(in crate::encode) fn constant(&self) -> Option<&[u8]> {
        match self {
            Self::Constant(json) => Some(json),
            _ => None,
        }
    }

    /// Whether both values look the same behind the mask.
    pub(in crate::encode) fn hides(&self, old: Value<'_>, new: Value<'_>) -> bool {
        match (self, old, new) {
            (Self::Constant(_), ..) => true,
            // What is no UTF-8 may be written in hexadecimal, of which less is shown.
            (Self::Beginning { units, halves }, Value::Text(old), Value::Text(new))
                if str::from_utf8(old).is_ok() && str::from_utf8(new).is_ok() =>
            {
                let cut = |text| beginning(text, *units);
                let (one, other) = (cut(old), cut(new));
                one.0 == other.0 && (!halves || one.1 == other.1)
            }
            _ => false,
        }
    }

    /// Appends what stands for `text`.
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) {
        if let Self::Constant(json) = self {
            out.extend_from_slice(json);
            return;
        }
        let text = scratch.texts.decoded(text);
        out.push(b'"');
        match self {
            Self::Constant(_) => {}
            Self::Beginning { units, halves } => {
                let (beginning, half) = beginning(text, *units);
                // Whole: it is UTF-8.
                let _ = push_escaped(out, beginning);
                if let Some(half) = half.filter(|_| *halves) {
                    out.extend_from_slice(b"\\u");
                    push_digits(&half.to_be_bytes(), b"0123456789ABCDEF", 4, out);
                }
            }
            Self::Digest { version, algorithm, salt, digits } => {
                let write = match algorithm {
                    HashAlgorithm::Md5 => digest::<Md5>,
                    HashAlgorithm::Sha1 => digest::<Sha1>,
                    HashAlgorithm::Sha224 => digest::<Sha224>,
                    HashAlgorithm::Sha256 => digest::<Sha256>,
                    HashAlgorithm::Sha384 => digest::<Sha384>,
                    HashAlgorithm::Sha512 => digest::<Sha512>,
                };
                write((*version, salt), text, *digits, out);
            }
        }
        out.push(b'"');
    }
}

/// `n` of `varchar(n)` and `char(n)`, also below a domain.
fn length(ty: &TypeDetails, typmod: i32) -> Option<usize> {
    match &ty.kind {
        TypeKind::Domain { base, typmod: own } => length(base, if typmod < 0 { *own } else { typmod }),
        _ if ty.oid.0 == CHAR => Some(1),
        _ if matches!(ty.oid.0, BPCHAR | VARCHAR) => typmod.checked_sub(4).and_then(|n| n.try_into().ok()),
        _ => None,
    }
}

/// The first `units` of UTF-16 of a text as whole characters, and the first half of the character that is cut by them.
fn beginning(text: &[u8], units: usize) -> (&[u8], Option<u16>) {
    if text.len() <= units {
        return (text, None);
    }
    // No more bytes than that can matter, of a text that may be long.
    let window = text.get(..units.saturating_add(1).saturating_mul(4)).unwrap_or(text);
    let valid = match str::from_utf8(window) {
        Ok(valid) => valid,
        Err(cut) if cut.error_len().is_none() => {
            window.get(..cut.valid_up_to()).and_then(|valid| str::from_utf8(valid).ok()).unwrap_or_default()
        }
        // Not of a text that was decoded.
        Err(_) => return (text.get(..units).unwrap_or(text), None),
    };
    let mut taken = 0;
    for (at, char) in valid.char_indices() {
        if taken + char.len_utf16() > units {
            let half =
                (taken < units).then(|| char.encode_utf16(&mut [0; 2]).first().copied().unwrap_or_default());
            return (text.get(..at).unwrap_or(text), half);
        }
        taken += char.len_utf16();
    }
    (text, None)
}

/// The two units of UTF-16 of a character of four bytes.
fn surrogates(bytes: [u8; 4]) -> [u16; 2] {
    let code = bytes.iter().fold(0_u32, |code, byte| code << 6 | u32::from(byte & 63)) & 0x1F_FFFF;
    let unit = |bits: u32| u16::try_from(bits & 0x3FF).unwrap_or_default();
    [0xD800 | unit(code.wrapping_sub(0x1_0000) >> 10), 0xDC00 | unit(code)]
}

fn digest<D: Digest>((version, salt): (HashVersion, &Salt), text: &[u8], digits: usize, out: &mut Vec<u8>) {
    let mut digest = D::new();
    digest.update(salt.expose());
    match version {
        HashVersion::V1 => serialized(text, |part| digest.update(part)),
        HashVersion::V2 => digest.update(text),
    }
    push_digits(&digest.finalize(), b"0123456789abcdef", digits, out);
}

/// A text as `java.io.ObjectOutputStream` writes a String: the header of a stream, the length, and modified UTF-8, in which a
/// character beyond 16 bits is two of three bytes (<https://docs.oracle.com/en/java/javase/21/docs/specs/serialization/protocol.html>).
/// A text of PostgreSQL has no NUL, which would be different too.
fn serialized(text: &[u8], mut take: impl FnMut(&[u8])) {
    let pairs = text.iter().filter(|&&byte| byte >= 0xF0).count();
    let length = text.len() + 2 * pairs;
    take(&[0xAC, 0xED, 0x00, 0x05]);
    if let Ok(length) = u16::try_from(length) {
        take(b"\x74");
        take(&length.to_be_bytes());
    } else {
        take(b"\x7C");
        take(&(length as u64).to_be_bytes());
    }
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte >= 0xF0) {
        let (before, from) = rest.split_at(at);
        take(before);
        let Some((four, after)) = from.split_first_chunk() else { return take(from) };
        for unit in surrogates(*four) {
            let [high, low] = unit.to_be_bytes();
            take(&[0xE0 | high >> 4, 0x80 | (high & 15) << 2 | low >> 6, 0x80 | low & 63]);
        }
        rest = after;
    }
    take(rest);
}

/// Bytes in hexadecimal digits, at most so many.
fn push_digits(bytes: &[u8], alphabet: &[u8; 16], digits: usize, out: &mut Vec<u8>) {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    out.extend(nibbles.take(digits).map(|nibble| alphabet[usize::from(nibble & 15)]));
}

#[cfg(test)]
mod tests {
    use super::super::choose;
    use super::*;
    use crate::lsn::Oid;
    use crate::modes::{Quirks, TextEncoding};

    fn written(masked: &Masked, text: &str) -> String {
        let mut out = Vec::new();
        masked.write(text.as_bytes(), &mut out, &mut Scratch::default());
        String::from_utf8(out).unwrap()
    }

    fn hash(version: HashVersion, algorithm: HashAlgorithm, salt: &str, digits: usize) -> Masked {
        Masked::Digest { version, algorithm, salt: Salt::new(salt), digits }
    }

    #[test]
    fn texts_are_cut_at_units_of_utf16() {
        for (text, units, whole, half) in [
            ("", 2, "", ""),
            ("ab", 2, "ab", ""),
            ("abc", 2, "ab", ""),
            ("Ünï", 2, "Ün", ""),
            ("é😀é", 3, "é😀", ""),
            ("é😀é", 2, "é", "\\uD83D"),
            ("\"\u{10FFFF}", 2, "\\\"", "\\uDBFF"),
            ("世界", 1, "世", ""),
            ("😀😀😀😀😀😀😀😀", 4, "😀😀", ""),
        ] {
            let cut = |halves| written(&Masked::Beginning { units, halves }, text);
            assert_eq!(cut(false), format!("\"{whole}\""), "{text}");
            assert_eq!(cut(true), format!("\"{whole}{half}\""), "{text}");
        }
    }

    #[test]
    fn texts_are_hidden_as_they_would_be_shown() {
        use TextEncoding::{Latin1, Utf8, Win1252};
        let cut = || Masked::Beginning { units: 4, halves: true };
        let digest = || hash(HashVersion::V2, HashAlgorithm::Sha256, "x", 8);
        for (encoding, mask, text, shown, undecoded) in [
            (Latin1, cut(), &b"caf\xe9s"[..], "caf\u{e9}".to_owned(), 0),
            (Utf8, cut(), b"caf\xe9s", "\\\\x63".to_owned(), 1),
            (Win1252, cut(), b"\x81", "\\\\x81".to_owned(), 1),
            (Latin1, digest(), b"caf\xe9", written(&digest(), "caf\u{e9}").trim_matches('"').to_owned(), 0),
            (Utf8, digest(), b"caf\xe9", written(&digest(), "\\x636166e9").trim_matches('"').to_owned(), 1),
            (Utf8, Masked::Constant(b"\"**\""[..].into()), b"\xe9", "**".to_owned(), 0),
        ] {
            let (mut out, mut scratch) = (Vec::new(), Scratch::default());
            scratch.texts.encoding = encoding;
            mask.write(text, &mut out, &mut scratch);
            assert_eq!(String::from_utf8(out).unwrap(), format!("\"{shown}\""), "{encoding:?}");
            assert_eq!((scratch.texts.undecoded, scratch.lossy), (undecoded, 0));
        }
    }

    #[test]
    fn a_digest_is_as_long_as_its_column_and_stars_hide_names_that_are_null() {
        let of = |oid, typmod, mask: &Mask, modes| {
            let ty = TypeDetails {
                oid: Oid(oid),
                schema: String::new(),
                name: String::new(),
                kind: TypeKind::Base,
            };
            let writer = choose(&ty, typmod, modes).unwrap();
            let column = Column {
                name: "c".into(),
                ty,
                typmod,
                not_null: false,
                default: None,
                identity: false,
                selected: true,
                mask: None,
            };
            Masked::new(mask, &column, &writer, modes)
        };
        let mask =
            Mask::Hash { version: HashVersion::V2, algorithm: HashAlgorithm::Md5, salt: Salt::new("x") };
        for (oid, typmod, digits) in [(CHAR, -1, 1), (VARCHAR, 9, 5), (VARCHAR, -1, usize::MAX)] {
            let masked = of(oid, typmod, &mask, Modes::default());
            assert!(matches!(masked, Some(Masked::Digest { digits: cut, .. }) if cut == digits), "{oid}");
        }
        let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
        assert_eq!(of(NAME, -1, &mask, quirky), None);
        let stars = of(NAME, -1, &Mask::Stars { chars: 2 }, quirky);
        assert_eq!(stars, Some(Masked::Constant(b"\"**\""[..].into())));
    }

    /// From recordings of Debezium, and beyond the first 65,535 bytes what a JVM prints.
    #[test]
    fn digests_are_debeziums() {
        use HashAlgorithm::{Md5, Sha1, Sha256};
        use HashVersion::{V1, V2};
        for (mask, text, digest) in [
            (hash(V1, Sha256, "CzQMA0cB5K", 30), "4111111111111111", "d16cc1fce268e972ceeb001d3be6c4"),
            (hash(V1, Sha256, "CzQMA0cB5K", 30), "", "7b061bc77caec9afdc6b986ab6c4de"),
            (hash(V1, Sha256, "CzQMA0cB5K", 30), "世界世界世界", "6b21ad70fceaf22f94d5aa2a841f4d"),
            (hash(V1, Sha1, "x", usize::MAX), "Ann", "89fa96b461967961ef97f46cbdac9dad4aa6fa52"),
            (hash(V2, Sha256, "CzQMA0cB5K", 30), "4111111111111111", "85099cd5f13d155d305120941e7c95"),
            (hash(V2, Md5, "x", usize::MAX), "é😀é😀é😀é😀", "381f1f569d1133e65b22ab0dd4e9e98e"),
        ] {
            assert_eq!(written(&mask, text), format!("\"{digest}\""), "{text}");
        }
        let bytes = |text: &str| {
            let mut bytes = Vec::new();
            serialized(text.as_bytes(), |part| bytes.extend_from_slice(part));
            bytes
        };
        assert_eq!(bytes("a😀"), b"\xAC\xED\0\x05\x74\0\x07a\xED\xA0\xBD\xED\xB8\x80");
        let long = bytes(&"a".repeat(65_536));
        assert_eq!(&long[..14], b"\xAC\xED\0\x05\x7C\0\0\0\0\0\x01\0\0a");
        assert_eq!(long.len(), 13 + 65_536);
    }

    #[test]
    fn what_looks_the_same_is_no_change() {
        let text = |text: &'static str| Value::Text(text.as_bytes());
        let stars = Masked::Constant(b"\"**\""[..].into());
        assert!(stars.hides(text("a"), Value::Null));
        let cut = Masked::Beginning { units: 2, halves: true };
        assert!(cut.hides(text("abc"), text("abd")));
        assert!(!cut.hides(text("abc"), text("acc")) && !cut.hides(text("a"), Value::Null));
        assert!(!cut.hides(text("a😀"), text("a\u{10FFFF}")));
        assert!(Masked::Beginning { units: 2, halves: false }.hides(text("a😀"), text("a\u{10FFFF}")));
        let one = Value::Text(b"ab\xe9");
        assert!(!cut.hides(one, text("abc")) && !cut.hides(one, Value::Text(b"ab\xe8")));
        assert!(!hash(HashVersion::V2, HashAlgorithm::Md5, "x", 9).hides(text("a"), text("b")));
    }
}
