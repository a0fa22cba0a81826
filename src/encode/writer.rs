//! The JSON that everything else here is made of, appended to a byte buffer: escaped strings, integers, base64. Bytes in,
//! valid JSON out, whatever the bytes are. Strings are escaped as Jackson does it (`\u001B` with capitals, DEL and all
//! of UTF-8 as they are), so that a record has the same bytes as one of Debezium's.

use std::str;

/// Appends `text` as a JSON string, quotes included; see [`push_escaped`].
#[inline]
pub(super) fn push_string(out: &mut Vec<u8>, text: &[u8]) -> Wholeness {
    out.push(b'"');
    let wholeness = push_escaped(out, text);
    out.push(b'"');
    wholeness
}

/// Whether a text could be written as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Wholeness {
    Whole,
    /// Bytes that are no UTF-8 became U+FFFD.
    Replaced,
}

/// Appends the inside of a JSON string.
#[inline]
pub(super) fn push_escaped(out: &mut Vec<u8>, text: &[u8]) -> Wholeness {
    let plain = plain_prefix(text);
    if let Some((plain, rest)) = text.split_at_checked(plain) {
        out.extend_from_slice(plain);
        if rest.is_empty() { Wholeness::Whole } else { push_special(out, rest) }
    } else {
        Wholeness::Whole
    }
}

/// Appends an integer.
#[inline]
pub(super) fn push_int(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends bytes as base64 with padding, without quotes.
pub(super) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let threes = bytes.chunks_exact(3);
    let rest = threes.remainder();
    for three in threes {
        if let [a, b, c] = *three {
            out.extend_from_slice(&quantum(a, b, c));
        }
    }
    match *rest {
        [a] => {
            let [first, second, ..] = quantum(a, 0, 0);
            out.extend_from_slice(&[first, second, b'=', b'=']);
        }
        [a, b] => {
            let [first, second, third, _] = quantum(a, b, 0);
            out.extend_from_slice(&[first, second, third, b'=']);
        }
        _ => {}
    }
}

/// Three bytes as four base64 digits.
#[inline]
pub(super) fn quantum(a: u8, b: u8, c: u8) -> [u8; 4] {
    let bits = u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c);
    [18, 12, 6, 0].map(|shift| BASE64[(bits >> shift & 63) as usize])
}

/// Bytes at the start of `text` that need neither an escape nor a look at their encoding, eight at a time.
#[inline]
fn plain_prefix(text: &[u8]) -> usize {
    let words = text.chunks_exact(8);
    let rest = words.remainder();
    for (index, word) in words.enumerate() {
        let special = special_bytes(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        if special != 0 {
            return index * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let done = text.len() - rest.len();
    done + rest.iter().take_while(|&&byte| KIND[usize::from(byte)] == PLAIN).count()
}

/// The high bit of each byte that is a control character, a quote, a backslash or not ASCII. Bits above the lowest one
/// set may be false (a borrow runs upwards), which is why only the lowest one is used.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let controls = word.wrapping_sub(ONES * 0x20);
    let quotes = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslashes = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (controls | quotes | backslashes | word) & HIGHS
}

/// Escapes what [`plain_prefix`] stopped at, and all that follows.
fn push_special(out: &mut Vec<u8>, text: &[u8]) -> Wholeness {
    let mut wholeness = Wholeness::Whole;
    let mut rest = text;
    while !rest.is_empty() {
        match str::from_utf8(rest) {
            Ok(valid) => {
                push_valid(out, valid.as_bytes());
                break;
            }
            Err(error) => {
                let (valid, bad) = rest.split_at(error.valid_up_to());
                push_valid(out, valid);
                out.extend_from_slice("\u{FFFD}".as_bytes());
                wholeness = Wholeness::Replaced;
                rest = error.error_len().and_then(|len| bad.get(len..)).unwrap_or_default();
            }
        }
    }
    wholeness
}

/// Escapes bytes that are known to be UTF-8.
fn push_valid(out: &mut Vec<u8>, text: &[u8]) {
    let mut start = 0;
    for (index, &byte) in text.iter().enumerate() {
        let kind = KIND[usize::from(byte)];
        if kind == PLAIN || kind == WIDE {
            continue;
        }
        out.extend_from_slice(&text[start..index]);
        start = index + 1;
        if kind == HEX {
            let digits = [HEX_DIGITS[usize::from(byte >> 4)], HEX_DIGITS[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        } else {
            out.extend_from_slice(&[b'\\', kind]);
        }
    }
    out.extend_from_slice(&text[start..]);
}

const PLAIN: u8 = 0;
const WIDE: u8 = 1;
const HEX: u8 = b'u';
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// For each byte: plain, part of a longer character, or the letter that follows the backslash.
const KIND: [u8; 256] = {
    let mut kind = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte < 0x20 {
            kind[byte] = HEX;
        } else if byte >= 0x80 {
            kind[byte] = WIDE;
        }
        byte += 1;
    }
    kind[0x08] = b'b';
    kind[b'\t' as usize] = b't';
    kind[b'\n' as usize] = b'n';
    kind[0x0C] = b'f';
    kind[b'\r' as usize] = b'r';
    kind[b'"' as usize] = b'"';
    kind[b'\\' as usize] = b'\\';
    kind
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        let _ = push_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_as_jackson_does() {
        let text = "quote \" backslash \\ slash / tab \t newline \n return \r bell \u{7} back \u{8} feed \u{c} esc \u{1b} del \u{7f}";
        assert_eq!(
            string(text.as_bytes()),
            "\"quote \\\" backslash \\\\ slash / tab \\t newline \\n return \\r bell \\u0007 back \\b feed \\f esc \\u001B del \u{7f}\""
        );
        assert_eq!(string("Grüße, 世界, 😀 \u{2028}".as_bytes()), "\"Grüße, 世界, 😀 \u{2028}\"");
        assert_eq!(string(b""), "\"\"");
    }

    #[test]
    fn replaces_what_is_no_text() {
        let mut out = Vec::new();
        assert_eq!(push_escaped(&mut out, b"caf\xe9 \"au lait\" \xc3"), Wholeness::Replaced);
        assert_eq!(out, "caf\u{FFFD} \\\"au lait\\\" \u{FFFD}".as_bytes());
        assert_eq!(push_escaped(&mut out, "é".as_bytes()), Wholeness::Whole);
    }

    #[test]
    fn base64_pads() {
        for (bytes, text) in
            [(&b""[..], ""), (b"\x00", "AA=="), (b"\x00\xff", "AP8="), (b"\xde\xad\xbe\xef", "3q2+7w==")]
        {
            let mut out = Vec::new();
            push_base64(&mut out, bytes);
            assert_eq!(out, text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text: String) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(text.as_bytes())).unwrap(), text);
        }

        #[test]
        fn any_bytes_make_valid_json(bytes: Vec<u8>) {
            let text = serde_json::from_str::<String>(&string(&bytes)).unwrap();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
