//! `bytea` and bit strings, which the server prints as hexadecimal or binary digits: base64 of their bytes, or the
//! hexadecimal digits.

use super::Misfit;
use crate::encode::writer::{push_base64, quantum};
use crate::modes::BinaryMode;

/// `\x` and hexadecimal digits (`bytea_output=hex`), six of them to four of base64.
pub(super) fn bytea(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    push_digits(text.strip_prefix(b"\\x").ok_or(Misfit::Malformed)?, out)
}

/// Hexadecimal digits as base64, in quotes.
#[inline]
fn push_digits(digits: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.reserve(digits.len());
    out.push(b'"');
    let threes = digits.chunks_exact(6);
    let rest = threes.remainder();
    for three in threes {
        let [a, b, c] = [byte(three, 0)?, byte(three, 2)?, byte(three, 4)?];
        out.extend_from_slice(&quantum(a, b, c));
    }
    match rest.len() {
        0 => {}
        2 => push_base64(out, &[byte(rest, 0)?]),
        4 => push_base64(out, &[byte(rest, 0)?, byte(rest, 2)?]),
        _ => return Err(Misfit::Malformed),
    }
    out.push(b'"');
    Ok(())
}

/// `bytea` in any mode.
pub(super) fn bytea_as(text: &[u8], mode: BinaryMode, out: &mut Vec<u8>) -> Result<(), Misfit> {
    push_hex(text.strip_prefix(b"\\x").ok_or(Misfit::Malformed)?, mode, out)
}

/// The bytes of hexadecimal digits as a string.
pub(super) fn push_hex(digits: &[u8], mode: BinaryMode, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let start = out.len();
    match mode {
        BinaryMode::Bytes | BinaryMode::Base64 => push_digits(digits, out)?,
        BinaryMode::Base64UrlSafe => {
            push_digits(digits, out)?;
            make_url_safe(out, start);
        }
        BinaryMode::Hex => {
            if digits.len() % 2 != 0 || digits.iter().any(|&digit| NIBBLE[usize::from(digit)] > 15) {
                return Err(Misfit::Malformed);
            }
            out.push(b'"');
            out.extend_from_slice(digits);
            out.push(b'"');
        }
    }
    Ok(())
}

/// Appends bytes as a string.
pub(in crate::encode) fn push_bytes(bytes: &[u8], mode: BinaryMode, out: &mut Vec<u8>) {
    let start = out.len();
    out.push(b'"');
    match mode {
        BinaryMode::Hex => {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
            out.extend(bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]));
        }
        BinaryMode::Bytes | BinaryMode::Base64 | BinaryMode::Base64UrlSafe => push_base64(out, bytes),
    }
    out.push(b'"');
    if mode == BinaryMode::Base64UrlSafe {
        make_url_safe(out, start);
    }
}

/// The other alphabet for the base64 from `start` on.
fn make_url_safe(out: &mut [u8], start: usize) {
    for digit in out.iter_mut().skip(start) {
        match *digit {
            b'+' => *digit = b'-',
            b'/' => *digit = b'_',
            _ => {}
        }
    }
}

/// A bit string, the least bit last: little-endian bytes without zero bytes at the end, so that all-zero is empty.
pub(super) fn bits(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let mut left = match text.iter().position(|&bit| bit != b'0') {
        Some(first) => &text[first..],
        None => &[],
    };
    out.push(b'"');
    while !left.is_empty() {
        let mut bytes = [0_u8; 3];
        let mut len = 0;
        for place in &mut bytes {
            if left.is_empty() {
                break;
            }
            let (rest, eight) = left.split_at(left.len().saturating_sub(8));
            for &bit in eight {
                *place = *place << 1
                    | match bit {
                        b'0' => 0,
                        b'1' => 1,
                        _ => return Err(Misfit::Malformed),
                    };
            }
            left = rest;
            len += 1;
        }
        push_base64(out, &bytes[..len]);
    }
    out.push(b'"');
    Ok(())
}

/// The byte that two hexadecimal digits at `index` stand for.
#[inline]
pub(super) fn byte(digits: &[u8], index: usize) -> Result<u8, Misfit> {
    match digits.get(index..index + 2) {
        Some(&[high, low]) => {
            let (high, low) = (NIBBLE[usize::from(high)], NIBBLE[usize::from(low)]);
            if (high | low) & 0xF0 == 0 { Ok(high << 4 | low) } else { Err(Misfit::Malformed) }
        }
        _ => Err(Misfit::Malformed),
    }
}

/// The value of each hexadecimal digit; 0xFF for all else.
const NIBBLE: [u8; 256] = {
    let mut nibble = [0xFF; 256];
    let mut value = 0;
    while value < 16 {
        nibble[b"0123456789abcdef"[value as usize] as usize] = value;
        nibble[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    nibble
};

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn bytea_is_base64() {
        for (text, expected) in [
            ("\\x", ""),
            ("\\xdeadbeef", "3q2+7w=="),
            ("\\x000102030405060708090a0b0c0d0e0f", "AAECAwQFBgcICQoLDA0ODw=="),
            ("\\x746578742061732062797465732 0c3a9", ""),
            ("\\x00ff", "AP8="),
        ] {
            let expected =
                if text.contains(' ') { Err(Misfit::Malformed) } else { Ok(format!("\"{expected}\"")) };
            for mode in [BinaryMode::Bytes, BinaryMode::Base64] {
                assert_eq!(json(&ValueWriter::Bytea(mode), text), expected, "{text}");
            }
        }
        for text in ["", "abc", "\\x0", "\\x0g", "\\x000000f"] {
            for mode in BinaryMode::ALL {
                assert_eq!(json(&ValueWriter::Bytea(*mode), text), Err(Misfit::Malformed), "{text}");
            }
        }
    }

    #[test]
    fn bytea_in_other_alphabets() {
        for (text, url, hex) in
            [("\\x", "", ""), ("\\xdeadbeef", "3q2-7w==", "deadbeef"), ("\\xff01", "_wE=", "ff01")]
        {
            let [url, hex] = [url, hex].map(|text| Ok(format!("\"{text}\"")));
            assert_eq!(json(&ValueWriter::Bytea(BinaryMode::Base64UrlSafe), text), url);
            assert_eq!(json(&ValueWriter::Bytea(BinaryMode::Hex), text), hex);
        }
        for (mode, expected) in
            BinaryMode::ALL.iter().zip(["KCw+", "KCw+", "KCw-", "282c3e"].map(|text| format!("\"{text}\"")))
        {
            assert_eq!(json(&ValueWriter::TextBytes(*mode), "(,>"), Ok(expected));
        }
    }

    #[test]
    fn bits_are_little_endian() {
        let (zeros, ones) = ("0".repeat(31), "1".repeat(32));
        for (text, expected) in [
            ("", ""),
            ("00000", ""),
            ("10101", "FQ=="),
            ("10000001", "gQ=="),
            ("1000000000000001", "AYA="),
            (&format!("1{zeros}1"), "AQAAAAE="),
            ("0000000100000000", "AAE="),
            (&format!("0{ones}"), "/////w=="),
            (&format!("1{ones}"), "/////wE="),
            (&format!("1{}", "0".repeat(63)), "AAAAAAAAAIA="),
            ("1010101010", "qgI="),
            ("000000000001", "AQ=="),
            (&"10".repeat(40), "qqqqqqqqqqqqqg=="),
        ] {
            assert_eq!(json(&ValueWriter::Bits, text), Ok(format!("\"{expected}\"")), "{text}");
        }
        assert_eq!(json(&ValueWriter::Bits, "102"), Err(Misfit::Malformed));
    }
}
