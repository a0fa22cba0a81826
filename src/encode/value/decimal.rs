//! `numeric` as Kafka Connect's Decimal (base64 of the big-endian two's complement of the unscaled number), as a JSON number,
//! as text or as a double. Up to 38 digits go through an `i128`; longer ones through limbs, the only place here that
//! allocates.

use std::{iter, str};

use super::number::{FLOAT8, float, push_double};
use super::{Misfit, Scratch};
use crate::encode::writer::{push_base64, push_int};

/// `numeric(p,s)`: `"base64"` at a fixed scale.
pub(super) fn fixed(text: &[u8], scale: u16, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let number = Number::parse(text)?;
    let zeros = usize::from(scale).checked_sub(number.fraction.len()).ok_or(Misfit::Malformed)?;
    number.push_unscaled(zeros, out);
    Ok(())
}

/// `numeric`: `{"scale":n,"value":"base64"}` without the zeros at the end of the fraction.
pub(super) fn variable(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let mut number = Number::parse(text)?;
    while let Some(shorter) = number.fraction.strip_suffix(b"0") {
        number.fraction = shorter;
    }
    out.extend_from_slice(b"{\"scale\":");
    push_int(out, number.fraction.len());
    out.extend_from_slice(b",\"value\":");
    number.push_unscaled(0, out);
    out.push(b'}');
    Ok(())
}

/// `numeric(p,s)` as a JSON number with all its digits, as Java's `BigDecimal` prints it: below a millionth with an exponent.
pub(super) fn number(text: &[u8], scale: u16, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let number = Number::parse(text)?;
    let scale = usize::from(scale);
    let zeros = scale.checked_sub(number.fraction.len()).ok_or(Misfit::Malformed)?;
    if number.negative {
        out.push(b'-');
    }
    // Zeros in front of a number are no JSON, and a fraction may come without a digit before its point.
    let whole =
        number.whole.iter().position(|&digit| digit != b'0').map_or(&[][..], |first| &number.whole[first..]);
    let leading = number.fraction.iter().take_while(|&&digit| digit == b'0').count();
    // The first digit that counts stands so far behind the point; of zero it is the last one.
    let place = if leading == number.fraction.len() { scale } else { leading + 1 };
    if whole.is_empty() && place > MOST_PLAIN_PLACES {
        let digits = &number.fraction[leading..];
        let (first, rest) = digits.split_first().unwrap_or((&b'0', &[]));
        out.push(*first);
        let rest_zeros = if digits.is_empty() { 0 } else { zeros };
        if rest.len() + rest_zeros > 0 {
            out.push(b'.');
            out.extend_from_slice(rest);
            out.extend(iter::repeat_n(b'0', rest_zeros));
        }
        out.extend_from_slice(b"E-");
        push_int(out, place);
        return Ok(());
    }
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.extend_from_slice(number.fraction);
        out.extend(iter::repeat_n(b'0', zeros));
    }
    Ok(())
}

/// `numeric` as text, its fraction filled up to `scale` digits; Debezium's words for what is no number.
pub(super) fn text(text: &[u8], scale: u16, out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.push(b'"');
    match text {
        b"NaN" => out.extend_from_slice(b"NAN"),
        b"Infinity" => out.extend_from_slice(b"POSITIVE_INFINITY"),
        b"-Infinity" => out.extend_from_slice(b"NEGATIVE_INFINITY"),
        _ => {
            let number = Number::parse(text)?;
            let zeros = usize::from(scale).saturating_sub(number.fraction.len());
            out.extend_from_slice(text);
            if zeros > 0 {
                if number.fraction.is_empty() && !text.ends_with(b".") {
                    out.push(b'.');
                }
                out.extend(iter::repeat_n(b'0', zeros));
            }
        }
    }
    out.push(b'"');
    Ok(())
}

/// `numeric` as the nearest double. A number beyond doubles is an infinity, and counted.
pub(super) fn double(text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
    if let b"NaN" | b"Infinity" | b"-Infinity" = text {
        return float(text, FLOAT8, out);
    }
    Number::parse(text)?;
    let value = parse_double(text)?;
    if value.is_infinite() {
        scratch.lossy += 1;
    }
    push_double(value, out)
}

/// Puts a double in the place of the digits from `start` on.
pub(super) fn shorten_to_double(start: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let value = parse_double(out.get(start..).unwrap_or_default())?;
    out.truncate(start);
    push_double(value, out)
}

fn parse_double(text: &[u8]) -> Result<f64, Misfit> {
    str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Misfit::Malformed)
}

/// The unscaled number alone, in quotes.
pub(super) fn push_unscaled(value: i128, out: &mut Vec<u8>) {
    push_i128(value, out);
}

/// Java writes numbers whose first digit is further behind the point with an exponent.
const MOST_PLAIN_PLACES: usize = 6;

/// The digits of a decimal number, before and behind the point.
struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Number<'a> {
    fn parse(text: &'a [u8]) -> Result<Self, Misfit> {
        if let b"NaN" | b"Infinity" | b"-Infinity" = text {
            return Err(Misfit::Unrepresentable);
        }
        let (negative, unsigned) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match unsigned.iter().position(|&byte| byte == b'.') {
            Some(point) => (&unsigned[..point], &unsigned[point + 1..]),
            None => (unsigned, &[][..]),
        };
        let digits = whole.iter().chain(fraction);
        if whole.len() + fraction.len() == 0 || !digits.into_iter().all(u8::is_ascii_digit) {
            return Err(Misfit::Malformed);
        }
        Ok(Self { negative, whole, fraction })
    }

    /// Both runs of digits and `zeros` more as one number, in quotes.
    fn push_unscaled(&self, zeros: usize, out: &mut Vec<u8>) {
        let len = self.whole.len() + self.fraction.len() + zeros;
        let digits = self.whole.iter().chain(self.fraction).map(|byte| byte - b'0');
        let digits = digits.chain(iter::repeat_n(0, zeros));
        if len <= 18 {
            let value = digits.fold(0_i64, |value, digit| value * 10 + i64::from(digit));
            push_i128(i128::from(if self.negative { -value } else { value }), out);
        } else if len <= 38 {
            let value = digits.fold(0_i128, |value, digit| value * 10 + i128::from(digit));
            push_i128(if self.negative { -value } else { value }, out);
        } else {
            push_quoted_base64(&long_bytes(digits, self.negative), out);
        }
    }
}

fn push_i128(value: i128, out: &mut Vec<u8>) {
    push_quoted_base64(shortest(&value.to_be_bytes()), out);
}

fn push_quoted_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    push_base64(out, bytes);
    out.push(b'"');
}

/// Two's complement without the leading bytes that only repeat the sign.
fn shortest(mut bytes: &[u8]) -> &[u8] {
    while let [first @ (0 | 0xFF), rest @ ..] = bytes {
        if rest.first().is_none_or(|next| (next ^ first) & 0x80 != 0) {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// Two's complement of a number of any length.
fn long_bytes(digits: impl Iterator<Item = u8>, negative: bool) -> Vec<u8> {
    const CHUNK: u32 = 9;
    let mut limbs: Vec<u32> = Vec::new();
    let (mut chunk, mut power, mut count) = (0_u32, 1_u32, 0);
    for digit in digits {
        chunk = chunk * 10 + u32::from(digit);
        power *= 10;
        count += 1;
        if count == CHUNK {
            multiply_add(&mut limbs, power, chunk);
            (chunk, power, count) = (0, 1, 0);
        }
    }
    multiply_add(&mut limbs, power, chunk);
    let mut bytes = vec![0];
    bytes.extend(limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()));
    if negative {
        let mut carry = true;
        for byte in bytes.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let skip = bytes.len() - shortest(&bytes).len();
    bytes.drain(..skip);
    bytes
}

/// `limbs * factor + summand`; the least limb is first.
fn multiply_add(limbs: &mut Vec<u32>, factor: u32, summand: u32) {
    let mut carry = u64::from(summand);
    for limb in limbs.iter_mut() {
        carry += u64::from(*limb) * u64::from(factor);
        *limb = low_half(carry);
        carry >>= 32;
    }
    if carry != 0 {
        limbs.push(low_half(carry));
    }
}

/// The low 32 bits.
#[allow(clippy::cast_possible_truncation, reason = "the other half is the carry")]
const fn low_half(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn fixed_scale() {
        for (scale, text, expected) in [
            (2, "0.00", "AA=="),
            (2, "1.10", "bg=="),
            (2, "-999.99", "/nlh"),
            (2, "999.99", "AYaf"),
            (2, "-0.01", "/w=="),
            (2, "100.00", "JxA="),
            (0, "12345678901234567890123456789012345678", "CUmw9vACMxPESZBQ3jjzTg=="),
            (0, "99999999999999999999999999999999999999", "SztMqFqGxHoJiiI//////w=="),
            (10, "1234567890123456789012345678.0123456789", "CUmw9vACMxPESZBOzGdFFQ=="),
            (10, "-0.0000000001", "/w=="),
            (0, "127", "fw=="),
            (0, "255", "AP8="),
            (5, "0.00123", "ew=="),
            (5, "-0.00999", "/Bk="),
        ] {
            assert_eq!(
                json(&ValueWriter::Decimal { scale }, text).as_deref(),
                Ok(&*format!("\"{expected}\"")),
                "{text}"
            );
        }
        assert_eq!(json(&ValueWriter::Decimal { scale: 2 }, "1.5").as_deref(), Ok("\"AJY=\""));
        assert_eq!(json(&ValueWriter::Decimal { scale: 1 }, "1.55"), Err(Misfit::Malformed));
        assert_eq!(json(&ValueWriter::Decimal { scale: 1 }, "NaN"), Err(Misfit::Unrepresentable));
    }

    #[test]
    fn own_scale() {
        let zeros = "0".repeat(300);
        for (text, scale, expected) in [
            ("0", 0, "AA=="),
            ("1.10", 1, "Cw=="),
            ("-1.10", 1, "9Q=="),
            (
                "123456789012345678901234567890.123456789012345678901234567890",
                29,
                "Afd+5uOsaXA1hlpdOME4xULa4ZgorjmBFQ==",
            ),
            ("100000000000000000000000000000000000000000000000000", 0, "RGw7FfmSZofSxAU0/bVkAAAAAAAA"),
            ("100", 0, "ZA=="),
            ("0.000", 0, "AA=="),
            ("128", 0, "AIA="),
            ("-128.0", 0, "gA=="),
            ("120", 0, "eA=="),
            ("1000.000", 0, "A+g="),
            ("-0.10", 1, "/w=="),
            ("0.0000001", 7, "AQ=="),
            (&format!("0.{zeros}1"), 301, "AQ=="),
            (
                &format!("1{zeros}"),
                0,
                "F+Q8iAB1m6WcCOFMfNeq2GpKRYEJ+RwhxXHb6E1S2Tb0Sr6KPVtIwQCVnZ0LbMhWs63JO2euqPjgZ9LI0EvBd/e0KHpuP82jb6OzNC6utELhXUUJUvTdEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            ),
        ] {
            assert_eq!(
                json(&ValueWriter::VariableDecimal, text).as_deref(),
                Ok(&*format!("{{\"scale\":{scale},\"value\":\"{expected}\"}}")),
                "{text}"
            );
        }
        for text in ["", "-", ".", "1e5", "--1", "1.2.3", " 1"] {
            assert_eq!(json(&ValueWriter::VariableDecimal, text), Err(Misfit::Malformed), "{text}");
        }
    }

    #[test]
    fn numbers_text_and_doubles() {
        for (scale, text, number, string, double) in [
            (2, "1.10", "1.10", "\"1.10\"", "1.1"),
            (
                0,
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
                "\"12345678901234567890123456789012345678\"",
                "1.2345678901234568E37",
            ),
            (10, "0.0000000000", "0E-10", "\"0.0000000000\"", "0.0"),
            (10, "-0.0000000001", "-1E-10", "\"-0.0000000001\"", "-1.0E-10"),
            (10, "0.0000001250", "1.250E-7", "\"0.0000001250\"", "1.25E-7"),
            (
                10,
                "1234567890123456789012345678.0123456789",
                "1234567890123456789012345678.0123456789",
                "\"1234567890123456789012345678.0123456789\"",
                "1.2345678901234569E27",
            ),
            (5, "0.00000", "0.00000", "\"0.00000\"", "0.0"),
            (6, "0.000001", "0.000001", "\"0.000001\"", "1.0E-6"),
            (5, "-0.00999", "-0.00999", "\"-0.00999\"", "-0.00999"),
            (2, "1.5", "1.50", "\"1.50\"", "1.5"),
            (3, "-7", "-7.000", "\"-7.000\"", "-7.0"),
            (0, "0", "0", "\"0\"", "0.0"),
        ] {
            assert_eq!(json(&ValueWriter::DecimalNumber { scale }, text).as_deref(), Ok(number));
            assert_eq!(json(&ValueWriter::DecimalText { scale }, text).as_deref(), Ok(string));
            assert_eq!(json(&ValueWriter::DecimalDouble, text).as_deref(), Ok(double));
        }
        for (text, string, double) in [
            ("NaN", "\"NAN\"", "\"NaN\""),
            ("Infinity", "\"POSITIVE_INFINITY\"", "\"Infinity\""),
            ("-Infinity", "\"NEGATIVE_INFINITY\"", "\"-Infinity\""),
        ] {
            assert_eq!(json(&ValueWriter::DecimalText { scale: 0 }, text).as_deref(), Ok(string));
            assert_eq!(json(&ValueWriter::DecimalDouble, text).as_deref(), Ok(double));
            assert_eq!(json(&ValueWriter::DecimalNumber { scale: 0 }, text), Err(Misfit::Unrepresentable));
        }
        let (mut out, mut scratch) = (Vec::new(), Scratch::default());
        double("9".repeat(400).as_bytes(), &mut out, &mut scratch).unwrap();
        assert_eq!((out.as_slice(), scratch.lossy), (&b"\"Infinity\""[..], 1));
        assert_eq!(json(&ValueWriter::DecimalDouble, "1e5"), Err(Misfit::Malformed));
    }

    proptest! {
        /// The bytes read back as decimal digits are the number.
        #[test]
        fn unscaled_bytes_are_the_number(whole in "0|[1-9][0-9]{0,80}", fraction in "[0-9]{0,20}", negative: bool) {
            let sign = if negative { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            let text = format!("{sign}{whole}{point}{fraction}");
            let scale = u16::try_from(fraction.len()).unwrap();
            let json = json(&ValueWriter::Decimal { scale }, &text).unwrap();
            let bytes = STANDARD.decode(json.trim_matches('"')).unwrap();
            let digits = format!("{whole}{fraction}");
            let digits = digits.trim_start_matches('0');
            let expected = match (digits, negative) {
                ("", _) => "0".to_owned(),
                (digits, true) => format!("-{digits}"),
                (digits, false) => digits.to_owned(),
            };
            prop_assert_eq!(decimal_of(&bytes), expected);
            let redundant = bytes.len() > 1
                && ((bytes[0] == 0 && bytes[1] < 0x80) || (bytes[0] == 0xFF && bytes[1] >= 0x80));
            prop_assert!(!redundant);
        }
    }

    /// Long division, the slow and plain way.
    fn decimal_of(bytes: &[u8]) -> String {
        let negative = bytes[0] >= 0x80;
        let mut magnitude: Vec<u8> = bytes.to_vec();
        if negative {
            for byte in &mut magnitude {
                *byte = !*byte;
            }
            for byte in magnitude.iter_mut().rev() {
                let (sum, overflow) = byte.overflowing_add(1);
                *byte = sum;
                if !overflow {
                    break;
                }
            }
        }
        let mut digits = Vec::new();
        while magnitude.iter().any(|&byte| byte != 0) {
            let mut remainder = 0_u32;
            for byte in &mut magnitude {
                let value = remainder * 256 + u32::from(*byte);
                *byte = u8::try_from(value / 10).unwrap();
                remainder = value % 10;
            }
            digits.push(char::from(b'0' + u8::try_from(remainder).unwrap()));
        }
        if digits.is_empty() {
            return "0".to_owned();
        }
        if negative {
            digits.push('-');
        }
        digits.iter().rev().collect()
    }
}
