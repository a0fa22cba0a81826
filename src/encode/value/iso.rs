//! Dates and times without a zone as ISO 8601 text, which is read as UTC: `2024-02-29Z`, `13:14:15.5Z`,
//! `2024-02-29T13:14:15Z`, with as many digits of a second as there are.

use super::Misfit;
use super::temporal::{DAY_US, Date, moment, parse_date, parse_time, push_clock, significant_digits};

/// `date`; the infinities keep their names, as those of `timestamptz` do.
pub(super) fn date(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    if let b"infinity" | b"-infinity" = text {
        named(text, out);
        return Ok(());
    }
    let date = parse_date(text)?;
    out.push(b'"');
    date.push_iso(out);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

/// `time`; the end of a day is 24:00:00.
pub(super) fn time(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    push_time(parse_time(text)?, out);
    Ok(())
}

/// `timestamp`
pub(super) fn timestamp(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    if let b"infinity" | b"-infinity" = text {
        named(text, out);
        return Ok(());
    }
    let (date, micros) = moment(text)?;
    let date = if micros < DAY_US { date } else { Date::of_days(date.days() + 1) };
    out.push(b'"');
    date.push_iso(out);
    out.push(b'T');
    let micros = micros % DAY_US;
    push_clock(micros, significant_digits(micros), out);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

/// Microseconds of a day.
pub(super) fn push_time(micros: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    push_clock(micros, significant_digits(micros), out);
    out.extend_from_slice(b"Z\"");
}

fn named(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn iso_text_in_utc() {
        for (writer, text, expected) in [
            (ValueWriter::IsoDate, "2024-02-29", "2024-02-29Z"),
            (ValueWriter::IsoDate, "0044-03-15 BC", "-0043-03-15Z"),
            (ValueWriter::IsoDate, "5874897-12-31", "+5874897-12-31Z"),
            (ValueWriter::IsoDate, "-infinity", "-infinity"),
            (ValueWriter::IsoTime, "13:14:15.123456", "13:14:15.123456Z"),
            (ValueWriter::IsoTime, "12:00:00.1", "12:00:00.1Z"),
            (ValueWriter::IsoTime, "24:00:00", "24:00:00Z"),
            (ValueWriter::IsoTimestamp, "1900-01-01 00:00:00.0001", "1900-01-01T00:00:00.0001Z"),
            (ValueWriter::IsoTimestamp, "0044-03-15 12:34:56.789 BC", "-0043-03-15T12:34:56.789Z"),
            (ValueWriter::IsoTimestamp, "12345-06-07 08:09:10.111213", "+12345-06-07T08:09:10.111213Z"),
            (ValueWriter::IsoTimestamp, "infinity", "infinity"),
        ] {
            assert_eq!(json(&writer, text).as_deref(), Ok(&*format!("\"{expected}\"")), "{text}");
        }
        for writer in [ValueWriter::IsoDate, ValueWriter::IsoTime, ValueWriter::IsoTimestamp] {
            assert_eq!(json(&writer, "never"), Err(Misfit::Malformed));
        }
    }
}
