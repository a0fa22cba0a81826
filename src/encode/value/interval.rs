//! `interval` as microseconds (Debezium's MicroDuration): a month is 365.25 days / 12. Debezium computes in floating point
//! and so loses a microsecond now and then (1.235 s is 1234999); its consumers compare with what it wrote, so the same
//! arithmetic is done here.

use std::str;

use super::{Misfit, Scratch};
use crate::encode::writer::push_int;

/// The text of `IntervalStyle=postgres` or `iso_8601`.
pub(super) fn micros(text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
    if let b"infinity" | b"-infinity" = text {
        // What Debezium writes for both; counted, because it says something else than the row does.
        scratch.lossy += 1;
        out.push(b'0');
        return Ok(());
    }
    let text = str::from_utf8(text).map_err(|_| Misfit::Malformed)?;
    let parts = match text.strip_prefix('P') {
        Some(iso) => iso_8601(iso),
        None => postgres(text),
    };
    push_int(out, parts.ok_or(Misfit::Malformed)?.micros());
    Ok(())
}

/// An interval in the driver's parts.
#[derive(Default)]
struct Parts {
    years: i32,
    months: i32,
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: Seconds,
}

/// Whole seconds and microseconds, of one sign.
#[derive(Default)]
struct Seconds {
    whole: i32,
    micros: i32,
}

impl Parts {
    /// The cast is Java's: towards zero, and to the nearest end when out of range.
    #[allow(clippy::cast_possible_truncation, reason = "saturates, as Java's cast does")]
    fn micros(&self) -> i64 {
        let days =
            (f64::from(self.years) * 12.0 + f64::from(self.months)) * DAYS_PER_MONTH + f64::from(self.days);
        let minutes = (days * 24.0 + f64::from(self.hours)) * 60.0 + f64::from(self.minutes);
        let seconds = f64::from(self.seconds.whole) + f64::from(self.seconds.micros) / 1e6;
        ((minutes * 60.0 + seconds) * 1e6) as i64
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

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn microseconds_as_debezium_counts_them() {
        for (text, expected) in [
            ("1 year 2 mons 3 days 04:05:06.789", "37091106789000"),
            ("P1Y2M3DT4H5M6.789S", "37091106789000"),
            ("00:00:01.235", "1234999"),
            ("PT1.235S", "1234999"),
            ("3 years 4 mons", "105192000000000"),
            ("3 days 04:05:06.5", "273906500000"),
            ("00:00:00", "0"),
            ("PT0S", "0"),
            ("-1 years -2 mons +3 days -04:05:06.789", "-36572706789000"),
            ("P-1Y-2M3DT-4H-5M-6.789S", "-36572706789000"),
            ("-00:00:01", "-1000000"),
            ("-1 mons", "-2629800000000"),
            ("-1 days", "-86400000000"),
            ("290000 years", "9151704000000000000"),
            ("178000000 years", "9223372036854775807"),
            ("1000000 days", "86400000000000000"),
            ("1 mon -1 days", "2543400000000"),
            ("-00:00:00.000001", "-1"),
            ("1000:00:00", "3600000000000"),
            ("infinity", "0"),
        ] {
            assert_eq!(json(&ValueWriter::Interval, text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", "P", "1", "1 fortnight", "00:00", "1:2:3:4", "P1", "PT1Y", "00:00:00.1234567"] {
            assert_eq!(json(&ValueWriter::Interval, text), Err(Misfit::Malformed), "{text}");
        }
    }
}
