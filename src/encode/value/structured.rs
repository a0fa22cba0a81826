//! Dates and times as objects of their parts (`time.precision.mode = structured`), which hold every value that PostgreSQL
//! has: any year, 24:00, the infinities, the offset of a `timetz`, the parts of an `interval`.

use super::interval::Parts;
use super::temporal::{DAY_US, Date, SECOND_US, moment, parse_date, parse_time, zoned_clock, zoned_moment};
use super::{Misfit, interval};
use crate::encode::writer::push_int;

/// A type and its digits of a second. With fields of an interval, as `year to month`, Debezium has 65535 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) struct Structured {
    pub(super) what: What,
    pub(super) precision: u16,
}

/// Which of the types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::encode) enum What {
    Date,
    Time,
    ZonedTime,
    Timestamp,
    ZonedTimestamp,
    Interval,
}

impl What {
    #[cfg(test)]
    const ALL: [Self; 6] =
        [Self::Date, Self::Time, Self::ZonedTime, Self::Timestamp, Self::ZonedTimestamp, Self::Interval];

    /// Parts of a day, and of the calendar.
    const fn has(self) -> (bool, bool) {
        match self {
            Self::Date => (true, false),
            Self::Time | Self::ZonedTime => (false, true),
            Self::Timestamp | Self::ZonedTimestamp => (true, true),
            Self::Interval => (false, false),
        }
    }
}

impl Structured {
    #[cfg(test)]
    pub(super) fn all(precision: u16) -> [Self; 6] {
        What::ALL.map(|what| Self { what, precision })
    }

    /// The text of Debezium's filler for a NOT NULL column.
    pub(super) const fn zero(self) -> &'static [u8] {
        match self.what {
            What::Date => b"1970-01-01",
            What::Time | What::Interval => b"00:00:00",
            What::ZonedTime => b"00:00:00+00",
            What::Timestamp => b"1970-01-01 00:00:00",
            What::ZonedTimestamp => b"1970-01-01 00:00:00+00",
        }
    }

    /// The form of [`Structured::zero`] as Debezium has it: with an offset, and no zone.
    pub(super) fn without_zone(zero: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8(zero).unwrap_or_default();
        text.replace("\"zoneId\":\"Z\"", "\"zoneId\":null").into_bytes()
    }
}

pub(super) fn write(form: Structured, text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let (mut date, mut micros, mut offset) = (None, 0, None);
    let infinite = matches!(text, b"infinity" | b"-infinity");
    match form.what {
        What::Time => micros = parse_time(text)?,
        What::ZonedTime => {
            let (clock, east) = zoned_clock(text)?;
            (micros, offset) = (clock, Some(east));
        }
        What::Interval => {
            push_interval(&interval::parse(text)?, form.precision, out);
            return Ok(());
        }
        What::Date | What::Timestamp | What::ZonedTimestamp if infinite => {}
        What::Date => date = Some(parse_date(text)?),
        What::Timestamp => {
            let (day, clock) = moment(text)?;
            (date, micros) = (Some(day), clock);
        }
        What::ZonedTimestamp => {
            let (day, clock) = zoned_moment(text)?;
            (date, micros, offset) = (Some(day), clock, Some(0));
        }
    }
    let special = infinite.then(|| if text[0] == b'-' { "NEGATIVE_INFINITY" } else { "POSITIVE_INFINITY" });
    push(form, date, (micros, offset), special, out);
    Ok(())
}

/// Fields in Debezium's order; all of them null for an infinity.
fn push(
    form: Structured,
    date: Option<Date>,
    (micros, offset): (i64, Option<i64>),
    special: Option<&str>,
    out: &mut Vec<u8>,
) {
    let mut object = Object::new(out);
    let (calendar, clock) = form.what.has();
    let known = special.is_none();
    if calendar {
        object.int("year", date.map(|date| date.year));
        object.int("month", date.map(|date| date.month));
        object.int("day", date.map(|date| date.day));
    }
    if clock {
        let seconds = micros / SECOND_US;
        object.int("hour", known.then_some(seconds / 3600));
        object.int("minute", known.then_some(seconds / 60 % 60));
        object.int("second", known.then_some(seconds % 60));
        object.int("nanos", known.then_some(micros % SECOND_US * 1000));
    }
    if matches!(form.what, What::ZonedTime | What::ZonedTimestamp) {
        object.int("offsetSeconds", offset.map(|east| east / SECOND_US));
    }
    if form.what == What::ZonedTimestamp {
        object.text("zoneId", known.then_some("Z"));
    }
    if calendar {
        object.text("specialValue", special);
    }
    if clock {
        object.int("precision", Some(form.precision.into()));
    }
    object.end();
}

fn push_interval(parts: &Parts, precision: u16, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    for (name, value) in [
        ("years", parts.years.into()),
        ("months", parts.months.into()),
        ("days", parts.days.into()),
        ("hours", parts.hours.into()),
        ("minutes", parts.minutes.into()),
        ("seconds", parts.seconds.whole.into()),
        ("nanos", i64::from(parts.seconds.micros) * 1000),
        ("precision", precision.into()),
    ] {
        object.int(name, Some(value));
    }
    object.end();
}

/// An object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    separator: u8,
}

impl<'a> Object<'a> {
    const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, separator: b'{' }
    }

    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(&[self.separator, b'"']);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.separator = b',';
    }

    fn int(&mut self, name: &str, value: Option<i64>) {
        self.name(name);
        match value {
            Some(value) => push_int(self.out, value),
            None => self.out.extend_from_slice(b"null"),
        }
    }

    /// Of letters alone.
    fn text(&mut self, name: &str, value: Option<&str>) {
        self.name(name);
        match value {
            Some(value) => {
                self.out.push(b'"');
                self.out.extend_from_slice(value.as_bytes());
                self.out.push(b'"');
            }
            None => self.out.extend_from_slice(b"null"),
        }
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

/// `24:00:00`, which Debezium writes as null here.
pub(super) fn is_end_of_day(form: Structured, text: &[u8]) -> bool {
    form.what == What::Time && parse_time(text) == Ok(DAY_US)
}

#[cfg(test)]
mod tests {
    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    #[test]
    fn every_part_has_its_field() {
        for (what, precision, text, expected) in [
            (What::Date, 6, "0044-03-15 BC", r#"{"year":-43,"month":3,"day":15,"specialValue":null}"#),
            (
                What::Date,
                6,
                "-infinity",
                r#"{"year":null,"month":null,"day":null,"specialValue":"NEGATIVE_INFINITY"}"#,
            ),
            (
                What::Time,
                3,
                "13:14:15.123",
                r#"{"hour":13,"minute":14,"second":15,"nanos":123000000,"precision":3}"#,
            ),
            (What::Time, 6, "24:00:00", r#"{"hour":24,"minute":0,"second":0,"nanos":0,"precision":6}"#),
            (
                What::ZonedTime,
                6,
                "13:14:15.5-05:30",
                r#"{"hour":13,"minute":14,"second":15,"nanos":500000000,"offsetSeconds":-19800,"precision":6}"#,
            ),
            (
                What::Timestamp,
                4,
                "1900-01-01 00:00:00.0001",
                r#"{"year":1900,"month":1,"day":1,"hour":0,"minute":0,"second":0,"nanos":100000,"specialValue":null,"precision":4}"#,
            ),
            (
                What::Timestamp,
                6,
                "infinity",
                r#"{"year":null,"month":null,"day":null,"hour":null,"minute":null,"second":null,"nanos":null,"specialValue":"POSITIVE_INFINITY","precision":6}"#,
            ),
            (
                What::ZonedTimestamp,
                6,
                "2024-02-29 13:14:15.123456+02",
                r#"{"year":2024,"month":2,"day":29,"hour":11,"minute":14,"second":15,"nanos":123456000,"offsetSeconds":0,"zoneId":"Z","specialValue":null,"precision":6}"#,
            ),
            (
                What::ZonedTimestamp,
                0,
                "-infinity",
                r#"{"year":null,"month":null,"day":null,"hour":null,"minute":null,"second":null,"nanos":null,"offsetSeconds":null,"zoneId":null,"specialValue":"NEGATIVE_INFINITY","precision":0}"#,
            ),
            (
                What::Interval,
                6,
                "1 year 2 mons -3 days -04:05:06.789",
                r#"{"years":1,"months":2,"days":-3,"hours":-4,"minutes":-5,"seconds":-6,"nanos":-789000000,"precision":6}"#,
            ),
        ] {
            let writer = ValueWriter::Structured(Structured { what, precision });
            assert_eq!(json(&writer, text).as_deref(), Ok(expected), "{text}");
        }
        let of = |what| ValueWriter::Structured(Structured { what, precision: 6 });
        assert_eq!(json(&of(What::Interval), "infinity"), Err(Misfit::Unrepresentable));
        assert_eq!(json(&of(What::Time), "infinity"), Err(Misfit::Malformed));
        for form in Structured::all(0) {
            assert!(json(&ValueWriter::Structured(form), str::from_utf8(form.zero()).unwrap()).is_ok());
        }
    }
}
