//! Booleans, integers and floating-point numbers. Integers are checked and copied; a float keeps the digits that the
//! server chose (the shortest that read back as the same number) and gets Java's form around them: `1.0E10`, `-0.0`.

use std::fmt::Write as _;
use std::str;

use super::Misfit;
use crate::encode::writer::push_int;

/// `t` or `f`.
#[inline]
pub(super) fn boolean(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.extend_from_slice(match text {
        b"t" => b"true",
        b"f" => b"false",
        _ => return Err(Misfit::Malformed),
    });
    Ok(())
}

/// `bit(1)` and `varbit(1)`: `1` or `0`, which an empty bit string is neither of.
pub(super) fn bit(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    match text {
        b"1" => boolean(b"t", out),
        b"0" => boolean(b"f", out),
        b"" => Err(Misfit::Unrepresentable),
        _ => Err(Misfit::Malformed),
    }
}

/// A decimal integer, as it stands.
#[inline]
pub(super) fn int(text: &[u8], min: i64, max: i64, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 19 || (digits[0] == b'0' && text.len() > 1) {
        return Err(Misfit::Malformed);
    }
    let mut value: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Misfit::Malformed);
        }
        // Nineteen nines fit.
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    let bound = if digits.len() == text.len() { max.unsigned_abs() } else { min.unsigned_abs() };
    if value > bound {
        return Err(Misfit::Malformed);
    }
    out.extend_from_slice(text);
    Ok(())
}

/// What tells the two widths of floats apart.
#[derive(Clone, Copy)]
pub(super) struct Width {
    /// Digits that may be more than the shortest: servers before 12 print so many of them.
    most_digits: usize,
    shortest: fn(&str, &mut Digits) -> Option<()>,
}

pub(super) const FLOAT4: Width = Width { most_digits: 9, shortest: shortest::<f32> };
pub(super) const FLOAT8: Width = Width { most_digits: 17, shortest: shortest::<f64> };

/// `float4` and `float8`.
pub(super) fn float(text: &[u8], width: Width, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if let b"NaN" | b"Infinity" | b"-Infinity" = text {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
        return Ok(());
    }
    let mut digits = Digits::parse(text).ok_or(Misfit::Malformed)?;
    if digits.len >= width.most_digits || (digits.len == 1 && digits.exponent < -40) {
        let text = str::from_utf8(text).map_err(|_| Misfit::Malformed)?;
        (width.shortest)(text, &mut digits).ok_or(Misfit::Malformed)?;
    }
    digits.push_as_java(out);
    Ok(())
}

/// A decimal number as its digits, without zeros at either end, and the power of ten of the first one.
struct Digits {
    negative: bool,
    run: [u8; 20],
    len: usize,
    exponent: i32,
}

impl Digits {
    /// Reads `-1.25e-07` and its like, up to twenty digits.
    fn parse(text: &[u8]) -> Option<Self> {
        let mut this = Self { negative: false, run: [0; 20], len: 0, exponent: -1 };
        let unsigned = match text.strip_prefix(b"-") {
            Some(rest) => {
                this.negative = true;
                rest
            }
            None => text,
        };
        let mut point = false;
        let mut any = false;
        let mut rest = unsigned.iter();
        for &byte in rest.by_ref() {
            match byte {
                b'0'..=b'9' => {
                    any = true;
                    this.push(byte, point)?;
                }
                b'.' if !point => point = true,
                b'e' | b'E' if any => {
                    let exponent: i32 = str::from_utf8(rest.as_slice()).ok()?.parse().ok()?;
                    this.exponent = this.exponent.checked_add(exponent)?;
                    break;
                }
                _ => return None,
            }
        }
        while this.len > 0 && this.run[this.len - 1] == b'0' {
            this.len -= 1;
        }
        any.then_some(this)
    }

    /// One more digit; leading zeros only move the point.
    fn push(&mut self, digit: u8, behind_point: bool) -> Option<()> {
        if self.len == 0 && digit == b'0' {
            self.exponent -= i32::from(behind_point);
            return Some(());
        }
        // Zeros that a large number ends with have no room and need none: `1e+30` may come as thirty digits from `%.*f`.
        match self.run.get_mut(self.len) {
            Some(place) => *place = digit,
            None if digit == b'0' => {}
            None => return None,
        }
        self.len = (self.len + 1).min(self.run.len());
        self.exponent += i32::from(!behind_point);
        Some(())
    }

    /// `Double.toString`: plain from 10^-3 to 10^7, else with an exponent; always a digit behind the point.
    fn push_as_java(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let digits = &self.run[..self.len];
        let Some((first, others)) = digits.split_first() else {
            out.extend_from_slice(b"0.0");
            return;
        };
        match self.exponent {
            exponent @ -3..=-1 => {
                out.extend_from_slice(&b"0.00"[..=exponent.unsigned_abs() as usize]);
                out.extend_from_slice(digits);
            }
            exponent @ 0..=6 => {
                let whole = exponent.unsigned_abs() as usize + 1;
                for place in 0..whole.max(self.len) {
                    if place == whole {
                        out.push(b'.');
                    }
                    out.push(digits.get(place).copied().unwrap_or(b'0'));
                }
                if self.len <= whole {
                    out.extend_from_slice(b".0");
                }
            }
            exponent => {
                out.extend_from_slice(&[*first, b'.']);
                out.extend_from_slice(if others.is_empty() { b"0" } else { others });
                out.push(b'E');
                push_int(out, exponent);
            }
        }
    }
}

/// The fewest digits that read back as the same number, but two when the number has so little precision that one would
/// do for several (`4.9E-324`): Java's rule.
fn shortest<F: Float>(text: &str, digits: &mut Digits) -> Option<()> {
    let value: F = text.parse().ok()?;
    let mut form = Form::new();
    write!(form, "{value:e}").ok()?;
    *digits = Digits::parse(form.text())?;
    if digits.len == 1 {
        form.len = 0;
        write!(form, "{value:.1e}").ok()?;
        if str::from_utf8(form.text()).ok()?.parse().ok() == Some(value) {
            *digits = Digits::parse(form.text())?;
        }
    }
    Some(())
}

trait Float: Copy + PartialEq + str::FromStr + std::fmt::LowerExp {}
impl Float for f32 {}
impl Float for f64 {}

/// A number being formatted, on the stack.
pub(super) struct Form {
    bytes: [u8; 32],
    len: usize,
}

impl Form {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; 32], len: 0 }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl std::fmt::Write for Form {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Appends a double in Java's form, or as a string where JSON has no number for it.
pub(super) fn push_double(value: f64, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let text: &[u8] = match value {
        _ if value.is_nan() => b"NaN",
        f64::INFINITY => b"Infinity",
        f64::NEG_INFINITY => b"-Infinity",
        _ => {
            let mut form = Form::new();
            write!(form, "{value:e}").map_err(|_| Misfit::Malformed)?;
            return float(form.text(), FLOAT8, out);
        }
    };
    float(text, FLOAT8, out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn integers_are_copied_and_checked() {
        let small = ValueWriter::Int { min: -32768, max: 32767 };
        let big = ValueWriter::Int { min: i64::MIN, max: i64::MAX };
        for text in ["0", "32767", "-32768"] {
            assert_eq!(json(&small, text).as_deref(), Ok(text));
        }
        for text in ["9223372036854775807", "-9223372036854775808", "9007199254740993"] {
            assert_eq!(json(&big, text).as_deref(), Ok(text));
        }
        for text in ["", "-", "32768", "-32769", "01", "-0", "1.0", "+1", "1e3", "99999999999999999999"] {
            assert_eq!(json(&small, text), Err(Misfit::Malformed), "{text}");
        }
        assert_eq!(json(&big, "9223372036854775808"), Err(Misfit::Malformed));
    }

    #[test]
    fn doubles_have_javas_form() {
        for (text, expected) in [
            ("0", "0.0"),
            ("-0", "-0.0"),
            ("1.7976931348623157e+308", "1.7976931348623157E308"),
            ("5e-324", "4.9E-324"),
            ("1e-323", "9.9E-324"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("10000000", "1.0E7"),
            ("1e+21", "1.0E21"),
            ("2.2250738585072014e-308", "2.2250738585072014E-308"),
            ("123456789.12345679", "1.2345678912345679E8"),
            ("0.001", "0.001"),
            ("0.0001", "1.0E-4"),
            ("9999999", "9999999.0"),
            ("2.5", "2.5"),
            ("1e+308", "1.0E308"),
            ("NaN", "\"NaN\""),
            ("-Infinity", "\"-Infinity\""),
            // Servers before 12 print seventeen digits.
            ("0.10000000000000001", "0.1"),
            ("1.2999999999999998", "1.2999999999999998"),
        ] {
            assert_eq!(json(&ValueWriter::Float8, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn floats_have_javas_form() {
        for (text, expected) in [
            ("3.4028235e+38", "3.4028235E38"),
            ("1e-45", "1.4E-45"),
            ("1.6777216e+07", "1.6777216E7"),
            ("1e+10", "1.0E10"),
            ("1.1754944e-38", "1.1754944E-38"),
            ("123456.7", "123456.7"),
            ("1.5", "1.5"),
            ("0.100000001", "0.1"),
        ] {
            assert_eq!(json(&ValueWriter::Float4, text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "-", ".", "1e", "e1", "1.2.3", "0x1", "inf", "1e99999999999"] {
            assert_eq!(json(&ValueWriter::Float4, text), Err(Misfit::Malformed), "{text}");
        }
    }

    #[test]
    fn booleans() {
        assert_eq!(json(&ValueWriter::Bool, "t").as_deref(), Ok("true"));
        assert_eq!(json(&ValueWriter::Bit, "0").as_deref(), Ok("false"));
        assert_eq!(json(&ValueWriter::Bool, "true"), Err(Misfit::Malformed));
    }

    proptest! {
        #[test]
        fn a_double_reads_back_as_itself(value: f64) {
            prop_assume!(value.is_finite());
            let text = json(&ValueWriter::Float8, &format!("{value:e}")).unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
