//! Dates and times as they come out of the JDBC driver for PostgreSQL, which reads arrays (and dates in a snapshot) into
//! `java.sql.Date` and `java.sql.Timestamp`: by the Julian calendar before 1582-10-15, without the era, and with the ends of its own
//! range for the infinities. Also how Connect's converter of headers writes such objects.

use super::temporal::{DAY_US, Date, parse_date, push_clock};
use super::{Misfit, Scratch, ValueWriter};
use crate::encode::writer::push_int;

/// Which class of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Jdbc {
    /// Its year, month and day are taken, whatever the era.
    Date,
    /// Its milliseconds are taken.
    Timestamp,
    /// Its parts are taken, whatever the era.
    ZonedTimestamp,
}

/// Writes `text` as `inner` does what the driver makes of it.
pub(super) fn write(
    kind: Jdbc,
    inner: &ValueWriter,
    text: &[u8],
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<(), Misfit> {
    if let b"infinity" | b"-infinity" = text {
        match infinite(kind, inner, text[0] == b'-') {
            Some((Some(days), _)) => {
                push_int(out, days);
                return Ok(());
            }
            Some((None, date)) => return inner.write(date, out, scratch),
            None => {}
        }
    } else if is_old(text) {
        let mut moved = Vec::with_capacity(text.len() + 8);
        reread(kind, text, &mut moved)?;
        return inner.write(&moved, out, scratch);
    }
    inner.write(text, out, scratch)
}

/// Whether the calendar or the era could matter. Years have four digits at least.
fn is_old(text: &[u8]) -> bool {
    text.ends_with(b" BC") || (text.get(4) == Some(&b'-') && text.get(..4) < Some(b"1583"))
}

/// The ends of the driver's range, as a number or as the text of a date; none where the form has the infinity itself.
fn infinite(kind: Jdbc, inner: &ValueWriter, negative: bool) -> Option<(Option<i64>, &'static [u8])> {
    let honest = match inner {
        ValueWriter::Quirk(quirk) => &quirk.honest(),
        inner => inner,
    };
    Some(match (kind, honest, negative) {
        // Days beyond 32 bits, cut to them.
        (Jdbc::Date, ValueWriter::Date, false) => (Some(-622_191_234), b""),
        (Jdbc::Date, ValueWriter::Date, true) => (Some(-625_821_272), b""),
        (Jdbc::Date, ValueWriter::IsoDate, false) => (None, b"292278994-08-16"),
        (Jdbc::Date, ValueWriter::IsoDate, true) => (None, b"292269055-12-02"),
        (Jdbc::ZonedTimestamp, _, true) => (None, b"292269055-12-02 23:00:00+00"),
        _ => return None,
    })
}

/// The text of the date or time that the driver reads.
fn reread(kind: Jdbc, text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let date_len = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    let (date, rest) = text.split_at(date_len);
    let (clock, bc) = match rest.strip_suffix(b" BC") {
        Some(clock) => (clock, true),
        None => (rest, false),
    };
    let written = parse_date(date)?;
    let instant = || {
        let year = if bc { 1 - written.year } else { written.year };
        Date::of_days(julian_days(Date { year, ..written }))
    };
    let date = match kind {
        _ if !bc && written.days() >= GREGORIAN => written,
        Jdbc::Timestamp => instant(),
        // Days that were left out in 1582 are those behind them.
        Jdbc::Date | Jdbc::ZonedTimestamp if !bc && instant().days() >= GREGORIAN => instant(),
        Jdbc::Date | Jdbc::ZonedTimestamp => written,
    };
    let (year, era) = if date.year > 0 { (date.year, &b""[..]) } else { (1 - date.year, &b" BC"[..]) };
    Date { year, ..date }.push_iso(out);
    out.extend_from_slice(clock);
    out.extend_from_slice(era);
    Ok(())
}

/// Days since 1970 of a date of the Julian calendar.
const fn julian_days(date: Date) -> i64 {
    let year = if date.month <= 2 { date.year - 1 } else { date.year };
    let day_of_year = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    year * 365 + year.div_euclid(4) + day_of_year - 719_470
}

/// 1582-10-15, the first day of the Gregorian calendar.
const GREGORIAN: i64 = -141_427;

/// What Connect's `Values` makes of a `java.util.Date`, whose days or milliseconds `inner` writes: a time before 1970-01-02, a
/// date where nothing is left of a day, else both.
pub(super) fn formatted(
    inner: &ValueWriter,
    text: &[u8],
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
) -> Result<(), Misfit> {
    let start = out.len();
    inner.write(text, out, scratch)?;
    let number = std::str::from_utf8(&out[start..]).ok().and_then(|number| number.parse::<i64>().ok());
    let Some(number) = number else { return Ok(()) };
    out.truncate(start);
    let millis = if inner.is_date() { number.saturating_mul(DAY_MS) } else { number };
    let (days, clock) = (millis.div_euclid(DAY_MS), millis.rem_euclid(DAY_MS));
    if millis >= DAY_MS {
        let date = Date::of_days(days);
        if date.year < 10_000 {
            date.push_iso(out);
        } else {
            push_int(out, date.year);
            let mut iso = Vec::with_capacity(24);
            Date { year: 1970, ..date }.push_iso(&mut iso);
            out.extend_from_slice(iso.get(4..).unwrap_or_default());
        }
    }
    if millis < DAY_MS || clock > 0 {
        if millis >= DAY_MS {
            out.push(b'T');
        }
        push_clock(clock * 1000, 3, out);
        out.push(b'Z');
    }
    Ok(())
}

const DAY_MS: i64 = DAY_US / 1000;

#[cfg(test)]
mod tests {
    use super::super::quirk::Quirk;
    use super::super::temporal::moment;
    use super::super::tests::json;
    use super::*;

    fn assert_all(kind: Jdbc, inner: &ValueWriter, cases: &[(&str, &str)]) {
        let writer = Quirk::Jdbc(kind, inner.clone()).writer();
        for (text, expected) in cases {
            assert_eq!(json(&writer, text).as_deref(), Ok(*expected), "{text}");
        }
    }

    /// The recordings `snapshot_dates_far` and `snapshot_dates_far_isostring`.
    #[test]
    fn the_calendar_is_that_of_java() {
        assert_all(
            Jdbc::Date,
            &ValueWriter::Date,
            &[
                ("0044-03-15 BC", "-703383"),
                ("1582-10-04", "-141438"),
                ("1582-10-10", "-141422"),
                ("1582-10-15", "-141427"),
                ("0001-01-01", "-719162"),
                ("4713-01-01 BC", "1001860"),
                ("2020-01-01", "18262"),
                ("5874897-12-31", "2145042905"),
                ("infinity", "-622191234"),
                ("-infinity", "-625821272"),
            ],
        );
        assert_all(Jdbc::Date, &ValueWriter::IsoDate, &[("-infinity", "\"+292269055-12-02Z\"")]);
        assert_all(
            Jdbc::Timestamp,
            &ValueWriter::TimestampMicros,
            &[
                ("0044-03-15 12:00:00.5 BC", "-63517953599500000"),
                ("1582-10-04 23:59:59.999999", "-12219292800000001"),
                ("1582-10-10 12:00:00", "-12218817600000000"),
                ("0001-01-01 00:00:00", "-62135769600000000"),
                ("1500-02-28 00:00:00", "-14825980800000000"),
                ("infinity", "9223372036854775807"),
            ],
        );
        assert_all(
            Jdbc::ZonedTimestamp,
            &ValueWriter::ZonedTimestamp { digits: 6 },
            &[
                ("0044-03-15 12:00:00.5+00 BC", "\"0044-03-15T12:00:00.500000Z\""),
                ("1582-10-10 12:00:00+00", "\"1582-10-20T12:00:00.000000Z\""),
                ("0001-01-01 00:00:00+00", "\"0001-01-01T00:00:00.000000Z\""),
                ("infinity", "\"infinity\""),
                ("-infinity", "\"+292269055-12-02T23:00:00.000000Z\""),
            ],
        );
        let writer = Quirk::Jdbc(Jdbc::Timestamp, ValueWriter::TimestampMicros).writer();
        for text in ["1500", "1500-", " BC", "0000-00-00 x BC"] {
            assert_eq!(json(&writer, text), Err(Misfit::Malformed), "{text}");
        }
    }

    /// The recording `keys_of_types_connect`.
    #[test]
    fn headers_show_dates_as_connect_does() {
        let of = |inner: ValueWriter| Quirk::JavaDate(inner).writer();
        for (inner, text, expected) in [
            (ValueWriter::Date, "infinity", "5877611-06-21"),
            (ValueWriter::Date, "2020-02-29", "2020-02-29"),
            (ValueWriter::Date, "1960-01-01", "00:00:00.000Z"),
            (ValueWriter::TimeMillis, "24:00:00", "1970-01-02"),
            (ValueWriter::TimeMillis, "12:00:00.5", "12:00:00.500Z"),
            (ValueWriter::TimestampMillis, "-infinity", "23:00:00.000Z"),
            (ValueWriter::TimestampMillis, "2020-01-01 12:00:00.124", "2020-01-01T12:00:00.124Z"),
        ] {
            assert_eq!(json(&of(inner), text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn moment_and_date_agree() {
        let (date, micros) = moment(b"1582-10-15 00:00:01").unwrap();
        assert_eq!((date.days(), micros), (GREGORIAN, 1_000_000));
        assert_eq!(julian_days(Date { year: 1582, month: 10, day: 5 }), GREGORIAN);
    }
}
