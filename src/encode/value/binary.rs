//! `bytea` and bit strings: base64 of bytes that the server prints as hexadecimal or binary digits.

use super::Misfit;
use crate::encode::writer::{push_base64, quantum};

/// `\x` and hexadecimal digits (`bytea_output=hex`), six of them to four of base64.
pub(super) fn bytea(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let digits = text.strip_prefix(b"\\x").ok_or(Misfit::Malformed)?;
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
fn byte(digits: &[u8], index: usize) -> Result<u8, Misfit> {
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
            assert_eq!(json(&ValueWriter::Bytea, text), expected, "{text}");
        }
        for text in ["", "abc", "\\x0", "\\x0g", "\\x000000f"] {
            assert_eq!(json(&ValueWriter::Bytea, text), Err(Misfit::Malformed), "{text}");
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
