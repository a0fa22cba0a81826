//! Texts, out of the encoding in which they come. PostgreSQL sends UTF-8, whatever the encoding of the database is, unless it
//! is SQL_ASCII: then it does not know what its texts are, and `source.sql_ascii` declares it.
//!
//! A text that does not fit its encoding is written whole as `\x` and its bytes in hexadecimal, as PostgreSQL prints bytea,
//! and counted: nothing of it is lost, and two texts do not become one, not even in a key, short of one that looks like this already.

use std::str;

use crate::encode::writer::{Wholeness, push_string};
use crate::modes::TextEncoding;

/// Writes texts; keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub(in crate::encode) struct Texts {
    pub encoding: TextEncoding,
    /// Texts that did not fit, since last asked.
    pub undecoded: u32,
    /// A text in UTF-8.
    converted: String,
    /// A text without its escapes.
    unescaped: Vec<u8>,
}

impl Texts {
    /// Appends a text as a JSON string. One in UTF-8 is copied.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        if !self.is_utf8(text) {
            self.push_converted(text, out);
        } else if push_string(out, text) == Wholeness::Replaced {
            out.truncate(start);
            self.push_hex(text, out);
        }
    }

    /// [`Texts::push`] of what stood between quotes, with backslashes before some characters.
    #[cold]
    pub(super) fn push_quoted(&mut self, quoted: &[u8], out: &mut Vec<u8>) {
        let mut text = std::mem::take(&mut self.unescaped);
        text.clear();
        let mut bytes = quoted.iter();
        while let Some(&byte) = bytes.next() {
            text.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
        }
        self.push(&text, out);
        self.unescaped = text;
    }

    /// The text in UTF-8, as [`Texts::push`] has it, for those who make something else of it.
    pub(super) fn decoded<'a>(&'a mut self, text: &'a [u8]) -> &'a [u8] {
        if self.is_utf8(text) {
            if str::from_utf8(text).is_ok() {
                return text;
            }
        } else if self.convert(text) {
            return self.converted.as_bytes();
        }
        self.undecoded += 1;
        self.converted.clear();
        self.converted.push_str("\\x");
        self.converted.extend(text.iter().flat_map(|byte| hex_digits(*byte)).map(char::from));
        self.converted.as_bytes()
    }

    /// Whether a text, or a part of one, needs no conversion.
    #[inline]
    pub(super) fn is_utf8(&self, text: &[u8]) -> bool {
        self.encoding == TextEncoding::Utf8 || text.is_ascii()
    }

    #[inline(never)]
    fn push_converted(&mut self, text: &[u8], out: &mut Vec<u8>) {
        if self.convert(text) {
            // Whole: it is a String.
            let _ = push_string(out, self.converted.as_bytes());
        } else {
            self.push_hex(text, out);
        }
    }

    /// Leaves the text in `converted`, if it fits.
    fn convert(&mut self, text: &[u8]) -> bool {
        self.converted.clear();
        text.iter().all(|&byte| {
            let character = character(byte, self.encoding);
            self.converted.extend(character);
            character.is_some()
        })
    }

    #[cold]
    fn push_hex(&mut self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"\\\\x");
        out.extend(text.iter().flat_map(|byte| hex_digits(*byte)));
        out.push(b'"');
        self.undecoded += 1;
    }
}

fn hex_digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| HEX_DIGITS[usize::from(digit)])
}

/// The character that a byte stands for; none where the encoding has none.
fn character(byte: u8, encoding: TextEncoding) -> Option<char> {
    match (encoding, byte) {
        (TextEncoding::Latin9, _) => {
            let other = LATIN9.iter().find(|(place, _)| *place == byte);
            Some(other.map_or(char::from(byte), |(_, character)| *character))
        }
        (TextEncoding::Win1252, 0x80..=0x9F) => WIN1252[usize::from(byte - 0x80)],
        _ => Some(char::from(byte)),
    }
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Where ISO 8859-15 is not ISO 8859-1.
const LATIN9: [(u8, char); 8] = [
    (0xA4, '\u{20AC}'),
    (0xA6, '\u{160}'),
    (0xA8, '\u{161}'),
    (0xB4, '\u{17D}'),
    (0xB8, '\u{17E}'),
    (0xBC, '\u{152}'),
    (0xBD, '\u{153}'),
    (0xBE, '\u{178}'),
];

/// 80 to 9F of Windows-1252; the rest is ISO 8859-1.
#[rustfmt::skip]
const WIN1252: [Option<char>; 32] = [
    Some('\u{20AC}'), None, Some('\u{201A}'), Some('\u{192}'), Some('\u{201E}'), Some('\u{2026}'), Some('\u{2020}'), Some('\u{2021}'),
    Some('\u{2C6}'), Some('\u{2030}'), Some('\u{160}'), Some('\u{2039}'), Some('\u{152}'), None, Some('\u{17D}'), None,
    None, Some('\u{2018}'), Some('\u{2019}'), Some('\u{201C}'), Some('\u{201D}'), Some('\u{2022}'), Some('\u{2013}'), Some('\u{2014}'),
    Some('\u{2DC}'), Some('\u{2122}'), Some('\u{161}'), Some('\u{203A}'), Some('\u{153}'), None, Some('\u{17E}'), Some('\u{178}'),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{ArrayWriter, Scratch, ValueWriter};
    use super::*;

    fn scratch(encoding: TextEncoding) -> Scratch {
        Scratch { texts: Texts { encoding, ..Texts::default() }, ..Scratch::default() }
    }

    /// The string of a text, and how many texts did not fit.
    fn pushed(encoding: TextEncoding, writer: &ValueWriter, text: &[u8]) -> (String, u32) {
        let (mut out, mut scratch) = (Vec::new(), scratch(encoding));
        writer.write(text, &mut out, &mut scratch).unwrap();
        (String::from_utf8(out).unwrap(), scratch.texts.undecoded)
    }

    #[test]
    fn each_encoding_has_its_characters() {
        use TextEncoding::{Latin1, Latin9, Utf8, Win1252};
        for (encoding, text, expected) in [
            (Utf8, "caf\u{e9}\"".as_bytes(), "\"caf\u{e9}\\\"\""),
            (Latin1, b"caf\xe9\"\n", "\"caf\u{e9}\\\"\\n\""),
            (Latin1, b"\x80\x9f\xa4", "\"\u{80}\u{9f}\u{a4}\""),
            (Latin9, b"1 \xa4 \xbe\xe9", "\"1 \u{20ac} \u{178}\u{e9}\""),
            (Win1252, b"1 \x80 \x93x\x94 \xe9", "\"1 \u{20ac} \u{201c}x\u{201d} \u{e9}\""),
            (Win1252, b"plain", "\"plain\""),
        ] {
            assert_eq!(pushed(encoding, &ValueWriter::Text, text), (expected.to_owned(), 0), "{encoding:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_its_bytes() {
        use TextEncoding::{Utf8, Win1252};
        for (encoding, text, expected) in
            [(Utf8, &b"caf\xe9"[..], r#""\\x636166e9""#), (Win1252, b"\x81\xe9", r#""\\x81e9""#)]
        {
            assert_eq!(pushed(encoding, &ValueWriter::Text, text), (expected.to_owned(), 1));
        }
        let array = ValueWriter::Array(ArrayWriter { element: Box::new(ValueWriter::Text), delimiter: b',' });
        assert_eq!(
            pushed(Win1252, &array, b"{\xe9,\"a \x8d\",b}"),
            ("[\"\u{e9}\",\"\\\\x61208d\",\"b\"]".to_owned(), 1)
        );
        let hstore = &b"\"k\\\"\xe9\"=>\"\x9d\", \"b\"=>NULL"[..];
        assert_eq!(
            pushed(Win1252, &ValueWriter::HstoreMap, hstore),
            ("{\"k\\\"\u{e9}\":\"\\\\x9d\",\"b\":null}".to_owned(), 1)
        );
        assert_eq!(
            pushed(Utf8, &ValueWriter::Hstore, hstore),
            (r#""{\"\\\\x6b22e9\":\"\\\\x9d\",\"b\":null}""#.to_owned(), 2)
        );
    }

    proptest! {
        #[test]
        fn texts_never_fall_together(one: Vec<u8>, other: Vec<u8>) {
            for encoding in TextEncoding::ALL {
                let text = |bytes: &[u8]| pushed(*encoding, &ValueWriter::Text, bytes);
                let (one_text, undecoded) = text(&one);
                prop_assert!(serde_json::from_str::<String>(&one_text).is_ok());
                prop_assert!(undecoded <= 1);
                prop_assert_eq!(one == other, text(&other).0 == one_text);
            }
        }
    }
}
