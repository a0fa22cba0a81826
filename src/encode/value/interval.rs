//! `interval` as microseconds, in which a month is 365.25 days / 12, or as ISO 8601 text. The numbers are exact; Debezium
//! computes in floating point and so loses a microsecond now and then, see [`Parts::micros_as_debezium`].

use std::str;

use super::Misfit;
use super::temporal::significant_digits;
use crate::encode::writer::push_int;

/// Microseconds; the infinities are the ends of 64 bits, as those of `timestamp`.
pub(super) fn micros(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let micros = match text {
        b"infinity" => i64::MAX,
        b"-infinity" => i64::MIN,
        _ => parse(text)?.micros().ok_or(Misfit::Unrepresentable)?,
    };
    push_int(out, micros);
    Ok(())
}

/// `P1Y2M3DT4H5M6.789S`, every part with its own sign; the infinities keep their names.
pub(super) fn text(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.push(b'"');
    match text {
        b"infinity" | b"-infinity" => out.extend_from_slice(text),
        _ => {
            let parts = parse(text)?;
            parts.push_iso_but_seconds(out);
            let Seconds { whole, micros } = parts.seconds;
            if whole < 0 || micros < 0 {
                out.push(b'-');
            }
            push_int(out, whole.unsigned_abs());
            let mut fraction = *b".000000";
            let mut rest = micros.unsigned_abs();
            for digit in fraction[1..].iter_mut().rev() {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
            let digits = significant_digits(micros.into());
            out.extend_from_slice(if digits == 0 { b"" } else { &fraction[..=digits] });
            out.push(b'S');
        }
    }
    out.push(b'"');
    Ok(())
}

/// Reads `IntervalStyle=postgres` or `iso_8601`; an infinity has no parts.
pub(super) fn parse(text: &[u8]) -> Result<Parts, Misfit> {
    if let b"infinity" | b"-infinity" = text {
        return Err(Misfit::Unrepresentable);
    }
    let text = str::from_utf8(text).map_err(|_| Misfit::Malformed)?;
    let parts = match text.strip_prefix('P') {
        Some(iso) => iso_8601(iso),
        None => postgres(text),
    };
    parts.ok_or(Misfit::Malformed)
}

/// An interval in the driver's parts.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) years: i32,
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) hours: i32,
    pub(super) minutes: i32,
    pub(super) seconds: Seconds,
}

/// Whole seconds and microseconds, of one sign.
#[derive(Default)]
pub(super) struct Seconds {
    pub(super) whole: i32,
    pub(super) micros: i32,
}

impl Seconds {
    /// As the driver tells them.
    pub(super) fn as_double(&self) -> f64 {
        f64::from(self.whole) + f64::from(self.micros) / 1e6
    }
}

impl Parts {
    /// Exact; none beyond 64 bits.
    fn micros(&self) -> Option<i64> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let minutes = i64::from(self.hours) * 60 + i64::from(self.minutes);
        // Below 2^57 in sum.
        let seconds = months * MONTH_SECONDS
            + i64::from(self.days) * 86_400
            + minutes * 60
            + i64::from(self.seconds.whole);
        let micros = i128::from(seconds) * 1_000_000 + i128::from(self.seconds.micros);
        micros.try_into().ok()
    }

    /// `P1Y2M3DT4H5M`
    pub(super) fn push_iso_but_seconds(&self, out: &mut Vec<u8>) {
        for (before, value) in [
            (b'P', self.years),
            (b'Y', self.months),
            (b'M', self.days),
            (b'D', self.hours),
            (b'H', self.minutes),
        ] {
            out.push(before);
            if before == b'D' {
                out.push(b'T');
            }
            push_int(out, value);
        }
        out.push(b'M');
    }

    /// Debezium's arithmetic. The cast is Java's: towards zero, and to the nearest end when out of range.
    #[allow(clippy::cast_possible_truncation, reason = "saturates, as Java's cast does")]
    pub(super) fn micros_as_debezium(&self) -> i64 {
        let days =
            (f64::from(self.years) * 12.0 + f64::from(self.months)) * DAYS_PER_MONTH + f64::from(self.days);
        let minutes = (days * 24.0 + f64::from(self.hours)) * 60.0 + f64::from(self.minutes);
        ((minutes * 60.0 + self.seconds.as_double()) * 1e6) as i64
    }
}

/// `1 year 2 mons -3 days 04:05:06.789`
fn postgres(text: &str) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (negative, clock) = signed(word);
            let mut fields = clock.split(':');
            let sign = if negative { -1 } else { 1 };
            parts.hours = sign * unsigned(fields.next()?)?;
            parts.minutes = sign * unsigned(fields.next()?)?;
            parts.seconds = seconds(fields.next()?, negative)?;
            return (fields.next().is_none() && words.next().is_none()).then_some(parts);
        }
        let value = number(word)?;
        match words.next()? {
            "year" | "years" => parts.years = value,
            "mon" | "mons" => parts.months = value,
            "day" | "days" => parts.days = value,
            _ => return None,
        }
    }
    Some(parts)
}

/// What follows the `P` of `P1Y2M-3DT4H5M6.789S`.
fn iso_8601(text: &str) -> Option<Parts> {
    let mut parts = Parts::default();
    let (date, time) = text.split_once('T').unwrap_or((text, ""));
    for (clock, fields) in [(false, date), (true, time)] {
        for field in fields.split_inclusive(|letter: char| letter.is_ascii_alphabetic()) {
            let (value, unit) = field.split_at_checked(field.len() - 1)?;
            match (clock, unit) {
                (false, "Y") => parts.years = number(value)?,
                (false, "M") => parts.months = number(value)?,
                (false, "D") => parts.days = number(value)?,
                (true, "H") => parts.hours = number(value)?,
                (true, "M") => parts.minutes = number(value)?,
                (true, "S") => {
                    let (negative, value) = signed(value);
                    parts.seconds = seconds(value, negative)?;
                }
                _ => return None,
            }
        }
    }
    (!text.is_empty()).then_some(parts)
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn number(text: &str) -> Option<i32> {
    let (negative, digits) = signed(text);
    let value = unsigned(digits)?;
    Some(if negative { -value } else { value })
}

fn unsigned(digits: &str) -> Option<i32> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// `SS[.ffffff]`
fn seconds(text: &str, negative: bool) -> Option<Seconds> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut micros = unsigned(fraction)?;
    for _ in fraction.len()..6 {
        micros *= 10;
    }
    let whole = unsigned(whole)?;
    if fraction.len() > 6 {
        return None;
    }
    Some(if negative { Seconds { whole: -whole, micros: -micros } } else { Seconds { whole, micros } })
}

const DAYS_PER_MONTH: f64 = 365.25 / 12.0;
const MONTH_SECONDS: i64 = 2_629_800;

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn microseconds_and_text() {
        for (text, micros, iso) in [
            ("1 year 2 mons 3 days 04:05:06.789", "37091106789000", "P1Y2M3DT4H5M6.789S"),
            ("P1Y2M3DT4H5M6.789S", "37091106789000", "P1Y2M3DT4H5M6.789S"),
            ("00:00:01.235", "1235000", "P0Y0M0DT0H0M1.235S"),
            ("PT1.235S", "1235000", "P0Y0M0DT0H0M1.235S"),
            ("3 years 4 mons", "105192000000000", "P3Y4M0DT0H0M0S"),
            ("3 days 04:05:06.5", "273906500000", "P0Y0M3DT4H5M6.5S"),
            ("00:00:00", "0", "P0Y0M0DT0H0M0S"),
            ("-1 years -2 mons +3 days -04:05:06.789", "-36572706789000", "P-1Y-2M3DT-4H-5M-6.789S"),
            ("-00:00:01", "-1000000", "P0Y0M0DT0H0M-1S"),
            ("-1 mons", "-2629800000000", "P0Y-1M0DT0H0M0S"),
            ("290000 years", "9151704000000000000", "P290000Y0M0DT0H0M0S"),
            ("1 mon -1 days", "2543400000000", "P0Y1M-1DT0H0M0S"),
            ("-00:00:00.000001", "-1", "P0Y0M0DT0H0M-0.000001S"),
            ("1000:00:00", "3600000000000", "P0Y0M0DT1000H0M0S"),
            ("infinity", "9223372036854775807", "infinity"),
            ("-infinity", "-9223372036854775808", "-infinity"),
        ] {
            assert_eq!(json(&ValueWriter::Interval, text).as_deref(), Ok(micros), "{text}");
            assert_eq!(json(&ValueWriter::IntervalText, text), Ok(format!("\"{iso}\"")), "{text}");
        }
        assert_eq!(json(&ValueWriter::Interval, "178000000 years"), Err(Misfit::Unrepresentable));
        for text in ["", "P", "1", "1 fortnight", "00:00", "1:2:3:4", "P1", "PT1Y", "00:00:00.1234567"] {
            assert_eq!(json(&ValueWriter::Interval, text), Err(Misfit::Malformed), "{text}");
            assert_eq!(json(&ValueWriter::IntervalText, text), Err(Misfit::Malformed), "{text}");
        }
    }
}
