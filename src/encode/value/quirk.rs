//! Debezium's forms where they say something else than the row: `events.quirks = "debezium"`. Each has its honest
//! counterpart in the file of its type; `docs/compatibility.md` shows both. What depends on the identity of a Java object or on
//! the moment a catalog was read is not here.

use std::fmt::Write as _;

use super::interval::{Parts, parse};
use super::jdbc::{self, Jdbc};
use super::number::Form;
use super::structured::{self, Structured};
use super::temporal::{DAY_US, SECOND_US, moment, parse_time};
use super::{ArrayWriter, Misfit, Scratch, ValueWriter, array, hstore, iso, number, temporal};
use crate::encode::writer::{push_int, push_string};
use crate::modes::Modes;

/// A form of Debezium's.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::encode) enum Quirk {
    /// Always null: `name`, arrays of bit strings.
    Null,
    /// Always `""`: `name` in a NOT NULL column.
    Blank,
    /// Always `[]`: `int2vector`, `oidvector`.
    EmptyVector,
    /// The smallest normal number has a digit more, as in Java before 19.
    Float4,
    /// Dates and times of the JDBC driver: days of the calendar of their time and no years before Christ.
    Jdbc(Jdbc, ValueWriter),
    /// In a header: a text without its quotes.
    Bare(ValueWriter),
    /// In a header: milliseconds, or days, as a date or a time.
    JavaDate(ValueWriter),
    /// Beyond 64 bits a number that has nothing to do with the time.
    TimestampMicros,
    /// The last part of the first second of 1677 is out of range.
    TimestampNanos,
    /// The infinities are dates that nobody meant.
    IsoDate,
    /// 24:00 is 00:00.
    IsoTime,
    IsoTimestamp,
    /// An element of an array, cut to milliseconds; 24:00 is 00:00.
    TimeOfArray(ValueWriter),
    /// 24:00 is null, infinite intervals are empty.
    Structured(Structured),
    /// In floating point; infinities are 0, what is out of range is an end of 64 bits.
    Interval,
    IntervalText,
    /// Keys in the order of a hash map.
    Hstore,
    HstoreMap,
    /// Numbers of several dimensions are a null per row.
    Array(SpoiledArray),
}

/// An array that is not always written.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::encode) struct SpoiledArray {
    pub array: ArrayWriter,
    /// An element that makes the whole array null.
    spoiler: Spoiler,
}

/// An element that Debezium gives an array up at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Spoiler {
    Nothing,
    Null,
    /// NaN and the infinities of `numeric`.
    NotFinite,
}

impl Quirk {
    #[cfg(test)]
    pub(super) const SIMPLE: &'static [Self] = &[
        Self::Null,
        Self::Blank,
        Self::EmptyVector,
        Self::Float4,
        Self::Jdbc(Jdbc::Date, ValueWriter::Date),
        Self::Jdbc(Jdbc::Timestamp, ValueWriter::TimestampMicros),
        Self::Jdbc(Jdbc::ZonedTimestamp, ValueWriter::ZonedTimestamp { digits: 6 }),
        Self::TimestampMicros,
        Self::TimestampNanos,
        Self::IsoDate,
        Self::IsoTime,
        Self::IsoTimestamp,
        Self::Structured(Structured { what: structured::What::Time, precision: 6 }),
        Self::Structured(Structured { what: structured::What::Interval, precision: 6 }),
        Self::Interval,
        Self::IntervalText,
        Self::Hstore,
        Self::HstoreMap,
    ];

    pub(super) const fn array(array: ArrayWriter, spoiler: Spoiler) -> Self {
        Self::Array(SpoiledArray { array, spoiler })
    }

    pub(super) fn writer(self) -> ValueWriter {
        ValueWriter::Quirk(Box::new(self))
    }

    /// The writer of the same value in the stream; none when this is it.
    pub(super) fn without_driver(&self) -> Option<&ValueWriter> {
        match self {
            Self::Jdbc(_, inner) => Some(inner),
            _ => None,
        }
    }

    /// The writer that says what the row says.
    pub(super) fn honest(&self) -> ValueWriter {
        match self {
            Self::Null | Self::Blank => ValueWriter::Text,
            Self::EmptyVector => ValueWriter::Vector,
            Self::Float4 => ValueWriter::Float4,
            Self::Jdbc(_, inner) | Self::Bare(inner) | Self::JavaDate(inner) => match inner {
                ValueWriter::Quirk(quirk) => quirk.honest(),
                inner => inner.clone(),
            },
            Self::TimestampMicros => ValueWriter::TimestampMicros,
            Self::TimestampNanos => ValueWriter::TimestampNanos,
            Self::IsoDate => ValueWriter::IsoDate,
            Self::IsoTime => ValueWriter::IsoTime,
            Self::IsoTimestamp => ValueWriter::IsoTimestamp,
            Self::TimeOfArray(time) => time.clone(),
            Self::Structured(form) => ValueWriter::Structured(*form),
            Self::Interval => ValueWriter::Interval,
            Self::IntervalText => ValueWriter::IntervalText,
            Self::Hstore => ValueWriter::Hstore,
            Self::HstoreMap => ValueWriter::HstoreMap,
            Self::Array(spoiled) => ValueWriter::Array(spoiled.array.clone()),
        }
    }

    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
        let infinite = matches!(text, b"infinity" | b"-infinity");
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Blank => out.extend_from_slice(b"\"\""),
            Self::EmptyVector => out.extend_from_slice(b"[]"),
            Self::Float4 => match text {
                b"1.1754944e-38" => out.extend_from_slice(b"1.17549435E-38"),
                b"-1.1754944e-38" => out.extend_from_slice(b"-1.17549435E-38"),
                _ => number::float(text, number::FLOAT4, out)?,
            },
            Self::Jdbc(kind, inner) => jdbc::write(*kind, inner, text, out, scratch)?,
            Self::Bare(inner) => {
                let start = out.len();
                inner.write(text, out, scratch)?;
                if out.get(start) == Some(&b'"') {
                    out.remove(start);
                    out.pop();
                }
            }
            Self::JavaDate(inner) => jdbc::formatted(inner, text, out, scratch)?,
            Self::TimestampMicros if !infinite => push_int(out, micros(text)?),
            Self::TimestampMicros => temporal::timestamp(text, temporal::Unit::Micros, out)?,
            Self::TimestampNanos if !infinite => push_int(out, nanos(text)?),
            Self::TimestampNanos => temporal::timestamp(text, temporal::Unit::Nanos, out)?,
            Self::IsoDate => match text {
                b"infinity" => out.extend_from_slice(b"\"+5877611-06-21Z\""),
                b"-infinity" => out.extend_from_slice(b"\"-5877611-06-22Z\""),
                _ => iso::date(text, out)?,
            },
            Self::IsoTime => iso::push_time(parse_time(text)? % DAY_US, out),
            Self::TimeOfArray(time) if text.starts_with(b"24:") => time.write(b"00:00:00", out, scratch)?,
            Self::TimeOfArray(time) => time.write(text.get(..CUT_TO_MILLIS).unwrap_or(text), out, scratch)?,
            Self::IsoTimestamp => match text {
                b"infinity" => out.extend_from_slice(b"\"+292278994-08-16T23:00:00Z\""),
                b"-infinity" => out.extend_from_slice(b"\"-292275055-05-16T23:00:00Z\""),
                _ => iso::timestamp(text, out)?,
            },
            Self::Structured(form) if structured::is_end_of_day(*form, text) => {
                return Err(Misfit::Unrepresentable);
            }
            Self::Structured(form) if infinite && form.what == structured::What::Interval => {
                scratch.lossy += 1;
                structured::write(*form, form.zero(), out)?;
            }
            Self::Structured(form) => structured::write(*form, text, out)?,
            Self::Interval => push_int(out, interval(text, scratch)?.micros_as_debezium()),
            Self::IntervalText => push_interval(&interval(text, scratch)?, out)?,
            Self::Hstore => {
                let mut object = std::mem::take(&mut scratch.element);
                object.clear();
                let result = hstore::hashed_object(text, &mut object, scratch);
                // Whole: what is no UTF-8 has its form inside the object already.
                let _ = push_string(out, &object);
                scratch.element = object;
                return result;
            }
            Self::HstoreMap => hstore::hashed_object(text, out, scratch)?,
            Self::Array(spoiled) => spoiled.write(text, out, scratch)?,
        }
        Ok(())
    }
}

impl SpoiledArray {
    /// The same with elements as they are in a header.
    pub(super) fn in_header(&self, modes: Modes) -> Option<ValueWriter> {
        let element = Box::new(self.array.element.in_header(modes)?);
        let array = ArrayWriter { element, delimiter: self.array.delimiter };
        Some(Quirk::array(array, self.spoiler).writer())
    }

    fn write(&self, text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
        let start = out.len();
        let nulls = scratch.nulls;
        array::write(&self.array, text, out, scratch)?;
        let inner = array::without_bounds(text)?;
        let spoiled = match self.spoiler {
            Spoiler::Nothing => false,
            Spoiler::Null => scratch.nulls != nulls,
            Spoiler::NotFinite => inner
                .split(|byte| matches!(byte, b',' | b'{' | b'}'))
                .any(|element| matches!(element, b"NaN" | b"Infinity" | b"-Infinity")),
        };
        if spoiled {
            out.truncate(start);
            out.extend_from_slice(b"null");
        } else if inner.starts_with(b"{{") && *self.array.element != ValueWriter::Text {
            // Rows of texts are identities of Java objects, which nobody can write again: they stay nested arrays.
            let rows = rows(inner);
            out.truncate(start);
            for row in 0..rows {
                out.extend_from_slice(if row == 0 { b"[null" } else { b",null" });
            }
            out.push(b']');
        }
        Ok(())
    }
}

/// `12:34:56.789`
const CUT_TO_MILLIS: usize = 12;

/// How many arrays an array of arrays holds; it was read already.
fn rows(text: &[u8]) -> usize {
    let (mut depth, mut quoted, mut escaped, mut rows) = (0_usize, false, false, 0);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => {
                rows += usize::from(depth == 1);
                depth += 1;
            }
            b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    rows
}

/// Whole seconds end at the end of 64 bits, and the rest of the second wraps around it.
fn micros(text: &[u8]) -> Result<i64, Misfit> {
    let (seconds, fraction) = seconds(text)?;
    Ok(seconds.saturating_mul(SECOND_US).wrapping_add(fraction))
}

/// Whole seconds must fit by themselves.
fn nanos(text: &[u8]) -> Result<i64, Misfit> {
    let (seconds, fraction) = seconds(text)?;
    let whole = seconds.checked_mul(1_000_000_000).ok_or(Misfit::Unrepresentable)?;
    whole.checked_add(fraction * 1000).ok_or(Misfit::Unrepresentable)
}

/// Seconds since 1970 and the microseconds that follow them.
fn seconds(text: &[u8]) -> Result<(i64, i64), Misfit> {
    let (date, micros) = moment(text)?;
    Ok((date.days() * (DAY_US / SECOND_US) + micros / SECOND_US, micros % SECOND_US))
}

/// The infinities have no parts; counted, because nothing says something else than they do.
fn interval(text: &[u8], scratch: &mut Scratch) -> Result<Parts, Misfit> {
    match parse(text) {
        Err(Misfit::Unrepresentable) => {
            scratch.lossy += 1;
            Ok(Parts::default())
        }
        parts => parts,
    }
}

/// Seconds are those of a double, cut after nine digits.
fn push_interval(parts: &Parts, out: &mut Vec<u8>) -> Result<(), Misfit> {
    out.push(b'"');
    parts.push_iso_but_seconds(out);
    let mut form = Form::new();
    write!(form, "{}", parts.seconds.as_double()).map_err(|_| Misfit::Malformed)?;
    let text = form.text();
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (whole, fraction) = text.split_at(point);
    let fraction = fraction.get(..10).unwrap_or(fraction);
    let kept = fraction.iter().rposition(|&byte| byte != b'0' && byte != b'.').map_or(0, |last| last + 1);
    out.extend_from_slice(if whole == b"-0" && kept == 0 { b"0" } else { whole });
    out.extend_from_slice(&fraction[..kept]);
    out.extend_from_slice(b"S\"");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::json;
    use super::*;

    fn assert_all(quirk: &Quirk, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(json(&quirk.clone().writer(), text).as_deref(), Ok(*expected), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_all(
            &Quirk::TimestampMicros,
            &[
                ("294276-12-31 23:59:59.999999", "-9223372036853775810"),
                ("1969-12-31 23:59:59.999999", "-1"),
                ("infinity", "9223372036854775807"),
            ],
        );
        assert_all(
            &Quirk::TimestampNanos,
            &[("2024-02-29 13:14:15.1234", "1709212455123400000"), ("-infinity", "-9223372036854775808")],
        );
        let nanos = Quirk::TimestampNanos.writer();
        assert_eq!(json(&nanos, "1677-09-21 00:12:43.145225"), Err(Misfit::Unrepresentable));
        assert_all(
            &Quirk::IsoDate,
            &[("infinity", "\"+5877611-06-21Z\""), ("2024-02-29", "\"2024-02-29Z\"")],
        );
        assert_all(&Quirk::IsoTime, &[("24:00:00", "\"00:00:00Z\""), ("12:00:00.5", "\"12:00:00.5Z\"")]);
        assert_all(
            &Quirk::IsoTimestamp,
            &[
                ("-infinity", "\"-292275055-05-16T23:00:00Z\""),
                ("1970-01-01 00:00:00", "\"1970-01-01T00:00:00Z\""),
            ],
        );
        let time = Structured { what: structured::What::Time, precision: 6 };
        let time = Quirk::Structured(time).writer();
        assert_eq!(json(&time, "24:00:00"), Err(Misfit::Unrepresentable));
        assert!(json(&time, "23:59:59").is_ok());
    }

    #[test]
    fn intervals_in_floating_point() {
        assert_all(
            &Quirk::Interval,
            &[
                ("1 year 2 mons 3 days 04:05:06.789", "37091106789000"),
                ("00:00:01.235", "1234999"),
                ("PT1.235S", "1234999"),
                ("-1 years -2 mons +3 days -04:05:06.789", "-36572706789000"),
                ("290000 years", "9151704000000000000"),
                ("178000000 years", "9223372036854775807"),
                ("1000000 days", "86400000000000000"),
                ("-00:00:00.000001", "-1"),
                ("infinity", "0"),
            ],
        );
        assert_all(
            &Quirk::IntervalText,
            &[
                ("00:00:01.235", "\"P0Y0M0DT0H0M1.234999999S\""),
                ("1 year 2 mons 3 days 04:05:06.789", "\"P1Y2M3DT4H5M6.789S\""),
                ("-1 years -2 mons +3 days -04:05:06.789", "\"P-1Y-2M3DT-4H-5M-6.789S\""),
                ("-00:00:00.000001", "\"P0Y0M0DT0H0M-0.000001S\""),
                ("00:00:20", "\"P0Y0M0DT0H0M20S\""),
                ("-infinity", "\"P0Y0M0DT0H0M0S\""),
            ],
        );
    }

    #[test]
    fn arrays() {
        let of = |element| ArrayWriter { element: Box::new(element), delimiter: b',' };
        let int = ValueWriter::Int { min: 0, max: 9 };
        assert_all(
            &Quirk::array(of(int), Spoiler::Nothing),
            &[
                ("{1,NULL}", "[1,null]"),
                ("{{1,2},{3,4}}", "[null,null]"),
                ("[-1:0][5:6]={{1,2},{3,4}}", "[null,null]"),
                ("{{{1},{2}},{{3},{4}}}", "[null,null]"),
            ],
        );
        assert_all(
            &Quirk::array(of(ValueWriter::Text), Spoiler::Null),
            &[("{a,b}", "[\"a\",\"b\"]"), ("{a,NULL}", "null"), ("{{a},{\"}{\"}}", "[[\"a\"],[\"}{\"]]")],
        );
        assert_all(
            &Quirk::array(of(ValueWriter::DecimalDouble), Spoiler::NotFinite),
            &[("{1.5,NULL}", "[1.5,null]"), ("{1.5,NaN}", "null"), ("{-Infinity}", "null"), ("{}", "[]")],
        );
        assert_all(&Quirk::Null, &[("anything", "null")]);
        assert_all(&Quirk::Blank, &[("anything", "\"\"")]);
        assert_all(&Quirk::Float4, &[("-1.1754944e-38", "-1.17549435E-38"), ("1.5", "1.5")]);
        assert_all(&Quirk::Bare(ValueWriter::Float8), &[("NaN", "NaN"), ("0.5", "0.5")]);
        assert_all(&Quirk::EmptyVector, &[("1 2", "[]")]);
        assert_all(&Quirk::Hstore, &[(r#""c d"=>"1", "new"=>"2""#, r#""{\"new\":\"2\",\"c d\":\"1\"}""#)]);
    }
}
