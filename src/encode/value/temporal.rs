//! Dates and times. Texts of `DateStyle=ISO` in; days, milliseconds or microseconds since 1970 out, as Debezium's adaptive
//! mode has them, or the ISO text of the types with a time zone. Years before Christ are astronomical (44 BC is -43).

use super::Misfit;
use crate::encode::writer::push_int;

/// What a time is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    const fn of_micros(self, micros: i128) -> i128 {
        match self {
            Self::Millis => micros.div_euclid(1000),
            Self::Micros => micros,
            Self::Nanos => micros * 1000,
        }
    }
}

/// `date`: days.
pub(super) fn date(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    // The driver's dates for the infinities, which Debezium counts the days of.
    let days = match text {
        b"infinity" => 2_146_033_979,
        b"-infinity" => -2_147_472_691,
        _ => parse_date(text)?.days(),
    };
    push_int(out, days);
    Ok(())
}

/// `time`
pub(super) fn time(text: &[u8], unit: Unit, out: &mut Vec<u8>) -> Result<(), Misfit> {
    push_int(out, unit.of_micros(i128::from(parse_time(text)?)));
    Ok(())
}

/// `timestamp`
pub(super) fn timestamp(text: &[u8], unit: Unit, out: &mut Vec<u8>) -> Result<(), Misfit> {
    // Milliseconds are those of the driver's dates for the infinities, microseconds the ends of 64 bits.
    let value = match (text, unit) {
        (b"infinity", Unit::Micros | Unit::Nanos) => i64::MAX,
        (b"-infinity", Unit::Micros | Unit::Nanos) => i64::MIN,
        (b"infinity", Unit::Millis) => 9_223_372_036_825_200_000,
        (b"-infinity", Unit::Millis) => -9_223_372_036_832_400_000,
        _ => {
            let (date, micros) = moment(text)?;
            let since_1970 = i128::from(date.days()) * i128::from(DAY_US) + i128::from(micros);
            // 294247 and later do not fit into microseconds of 64 bits, 2262 and later not into nanoseconds.
            i64::try_from(unit.of_micros(since_1970)).map_err(|_| Misfit::Unrepresentable)?
        }
    };
    push_int(out, value);
    Ok(())
}

/// `timestamptz`: ISO text in UTC with `digits` digits of a second.
pub(super) fn zoned_timestamp(text: &[u8], digits: u8, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if let b"infinity" | b"-infinity" = text {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
        return Ok(());
    }
    let (date, micros) = zoned_moment(text)?;
    // Defaults alone have more digits than the type.
    let digits = if digits == 0 { significant_digits(micros) } else { usize::from(digits) };
    out.push(b'"');
    date.push_iso(out);
    out.push(b'T');
    push_clock(micros, digits, out);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

/// `timetz`: ISO text in UTC, without zeros at the end of the fraction.
pub(super) fn zoned_time(text: &[u8], out: &mut Vec<u8>) -> Result<(), Misfit> {
    let (local, offset) = zoned_clock(text)?;
    // The end of a day in UTC is no beginning of one.
    let micros = if offset == 0 { local } else { (local - offset).rem_euclid(DAY_US) };
    out.push(b'"');
    push_clock(micros, significant_digits(micros), out);
    out.extend_from_slice(b"Z\"");
    Ok(())
}

/// `date` without the infinities.
pub(super) fn parse_date(text: &[u8]) -> Result<Date, Misfit> {
    let (text, bc) = before_christ(text);
    let mut cursor = Cursor(text);
    let date = cursor.date(bc)?;
    cursor.end()?;
    Ok(date)
}

/// `time` in microseconds, up to 24:00.
pub(super) fn parse_time(text: &[u8]) -> Result<i64, Misfit> {
    let mut cursor = Cursor(text);
    let micros = cursor.time()?;
    cursor.end()?;
    Ok(micros)
}

/// The day and the microseconds of a `timestamp` that is no infinity.
pub(super) fn moment(text: &[u8]) -> Result<(Date, i64), Misfit> {
    let (text, bc) = before_christ(text);
    let mut cursor = Cursor(text);
    let date = cursor.date(bc)?;
    cursor.byte(b' ')?;
    let micros = cursor.time()?;
    cursor.end()?;
    Ok((date, micros))
}

/// The day and the microseconds, in UTC, of a `timestamptz` that is no infinity.
pub(super) fn zoned_moment(text: &[u8]) -> Result<(Date, i64), Misfit> {
    let (text, bc) = before_christ(text);
    let mut cursor = Cursor(text);
    let date = cursor.date(bc)?;
    cursor.byte(b' ')?;
    let micros = cursor.time()?;
    let offset = cursor.offset()?;
    cursor.end()?;
    if offset == 0 && micros < DAY_US {
        return Ok((date, micros));
    }
    let local = micros - offset;
    Ok((Date::of_days(date.days() + local.div_euclid(DAY_US)), local.rem_euclid(DAY_US)))
}

/// The microseconds of a `timetz` and those that its clock is to the east.
pub(super) fn zoned_clock(text: &[u8]) -> Result<(i64, i64), Misfit> {
    let mut cursor = Cursor(text);
    let local = cursor.time()?;
    let offset = cursor.offset()?;
    cursor.end()?;
    Ok((local, offset))
}

/// How many digits of a second there are without the zeros at the end.
pub(super) const fn significant_digits(micros: i64) -> usize {
    let mut digits = 6;
    let mut fraction = micros % SECOND_US;
    while digits > 0 && fraction % 10 == 0 {
        fraction /= 10;
        digits -= 1;
    }
    digits
}

/// `HH:MM:SS` and so many digits of the fraction.
pub(super) fn push_clock(micros: i64, digits: usize, out: &mut Vec<u8>) {
    let seconds = micros / SECOND_US;
    for (separator, part) in
        [(None, seconds / 3600), (Some(b':'), seconds / 60 % 60), (Some(b':'), seconds % 60)]
    {
        out.extend(separator);
        out.extend_from_slice(&two_digits(part));
    }
    if digits > 0 {
        let fraction = micros % SECOND_US;
        let mut text = *b".000000";
        for (pair, part) in text[1..].chunks_exact_mut(2).zip([fraction / 10_000, fraction / 100, fraction]) {
            pair.copy_from_slice(&two_digits(part % 100));
        }
        out.extend_from_slice(text.get(..=digits).unwrap_or(&text));
    }
}

/// Two decimal digits of a number below one hundred.
fn two_digits(value: i64) -> [u8; 2] {
    let value = u8::try_from(value).unwrap_or(0);
    [b'0' + value / 10 % 10, b'0' + value % 10]
}

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

impl Date {
    /// Days since 1970-01-01: eras of 400 years that begin in March
    /// (<https://howardhinnant.github.io/date_algorithms.html>).
    pub(super) const fn days(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    pub(super) const fn of_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Self { year, month, day: day_of_year - (153 * shifted + 2) / 5 + 1 }
    }

    pub(super) fn push_iso(self, out: &mut Vec<u8>) {
        match self.year {
            ..0 => out.push(b'-'),
            10_000.. => out.push(b'+'),
            _ => {}
        }
        let year = self.year.abs();
        if year < 10_000 {
            out.extend_from_slice(&two_digits(year / 100));
            out.extend_from_slice(&two_digits(year % 100));
        } else {
            push_int(out, year);
        }
        for part in [self.month, self.day] {
            out.push(b'-');
            out.extend_from_slice(&two_digits(part));
        }
    }
}

/// What is left of a text.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// `YYYY-MM-DD`, with more digits for later years.
    fn date(&mut self, bc: bool) -> Result<Date, Misfit> {
        let year = self.number(4..=9)?;
        self.byte(b'-')?;
        let month = self.number(2..=2)?;
        self.byte(b'-')?;
        let day = self.number(2..=2)?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return Err(Misfit::Malformed);
        }
        Ok(Date { year: if bc { 1 - year } else { year }, month, day })
    }

    /// `HH:MM:SS[.ffffff]` in microseconds, up to 24:00.
    fn time(&mut self) -> Result<i64, Misfit> {
        let hours = self.number(2..=2)?;
        self.byte(b':')?;
        let minutes = self.number(2..=2)?;
        self.byte(b':')?;
        let seconds = self.number(2..=2)?;
        let mut micros = ((hours * 60 + minutes) * 60 + seconds) * SECOND_US;
        if self.byte(b'.').is_ok() {
            let before = self.0.len();
            let mut fraction = self.number(1..=6)?;
            for _ in before - self.0.len()..6 {
                fraction *= 10;
            }
            micros += fraction;
        }
        if micros > DAY_US || minutes > 59 || seconds > 60 { Err(Misfit::Malformed) } else { Ok(micros) }
    }

    /// `+HH[:MM[:SS]]` in microseconds to the east.
    fn offset(&mut self) -> Result<i64, Misfit> {
        let sign = match self.0 {
            [b'+', rest @ ..] => {
                self.0 = rest;
                1
            }
            [b'-', rest @ ..] => {
                self.0 = rest;
                -1
            }
            _ => return Err(Misfit::Malformed),
        };
        let mut seconds = self.number(2..=2)? * 3600;
        for unit in [60, 1] {
            if self.byte(b':').is_err() {
                break;
            }
            seconds += self.number(2..=2)? * unit;
        }
        Ok(sign * seconds * SECOND_US)
    }

    /// A number of so many digits.
    fn number(&mut self, len: std::ops::RangeInclusive<usize>) -> Result<i64, Misfit> {
        let digits = self.0.iter().take(*len.end()).take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits).ok_or(Misfit::Malformed)?;
        if !len.contains(&digits) {
            return Err(Misfit::Malformed);
        }
        self.0 = rest;
        Ok(number.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0')))
    }

    fn byte(&mut self, byte: u8) -> Result<(), Misfit> {
        match self.0.split_first() {
            Some((&first, rest)) if first == byte => {
                self.0 = rest;
                Ok(())
            }
            _ => Err(Misfit::Malformed),
        }
    }

    fn end(&self) -> Result<(), Misfit> {
        if self.0.is_empty() { Ok(()) } else { Err(Misfit::Malformed) }
    }
}

fn before_christ(text: &[u8]) -> (&[u8], bool) {
    text.strip_suffix(b" BC").map_or((text, false), |text| (text, true))
}

pub(super) const SECOND_US: i64 = 1_000_000;
pub(super) const DAY_US: i64 = 86_400 * SECOND_US;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ValueWriter;
    use super::super::tests::json;
    use super::*;

    fn assert_all(writer: &ValueWriter, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            assert_eq!(json(writer, text).as_deref(), Ok(*expected), "{text}");
        }
    }

    #[test]
    fn dates_are_days() {
        assert_all(
            &ValueWriter::Date,
            &[
                ("2024-02-29", "19782"),
                ("1970-01-01", "0"),
                ("1969-12-31", "-1"),
                ("0001-01-01", "-719162"),
                ("9999-12-31", "2932896"),
                ("0044-03-15 BC", "-735160"),
                ("4713-01-01 BC", "-2440550"),
                ("12345-06-07", "3789548"),
                ("5874897-12-31", "2145042905"),
                ("infinity", "2146033979"),
                ("-infinity", "-2147472691"),
            ],
        );
        for text in ["", "2024-2-29", "2024-13-01", "2024-02-29 ", "24-02-29", "02/29/2024", "BC"] {
            assert_eq!(json(&ValueWriter::Date, text), Err(Misfit::Malformed), "{text}");
        }
    }

    #[test]
    fn times() {
        assert_all(
            &ValueWriter::TimeMicros,
            &[("13:14:15.123456", "47655123456"), ("12:00:00.1", "43200100000"), ("24:00:00", "86400000000")],
        );
        assert_all(
            &ValueWriter::TimeNanos,
            &[("13:14:15.123456", "47655123456000"), ("24:00:00", "86400000000000")],
        );
        assert_all(&ValueWriter::TimeMillis, &[("13:14:15.123", "47655123"), ("24:00:00", "86400000")]);
        assert_eq!(json(&ValueWriter::TimeMillis, "24:00:01"), Err(Misfit::Malformed));
    }

    #[test]
    fn timestamps() {
        assert_all(
            &ValueWriter::TimestampMicros,
            &[
                ("2024-02-29 13:14:15.123456", "1709212455123456"),
                ("2024-02-29 13:14:15.1234", "1709212455123400"),
                ("1969-12-31 23:59:59.999999", "-1"),
                ("0001-01-01 00:00:00", "-62135596800000000"),
                ("0044-03-15 12:34:56.789 BC", "-63517778703211000"),
                ("12345-06-07 08:09:10.111213", "327416976550111213"),
                ("infinity", "9223372036854775807"),
                ("-infinity", "-9223372036854775808"),
                ("4713-01-01 00:00:00 BC", "-210863520000000000"),
            ],
        );
        assert_all(
            &ValueWriter::TimestampMillis,
            &[
                ("2024-02-29 13:14:15", "1709212455000"),
                ("1969-12-31 23:59:59.999", "-1"),
                ("1582-10-04 00:00:00", "-12220243200000"),
                ("infinity", "9223372036825200000"),
                ("-infinity", "-9223372036832400000"),
                ("294276-12-31 23:59:59.999", "9224318015999999"),
            ],
        );
        assert_all(
            &ValueWriter::TimestampNanos,
            &[
                ("2024-02-29 13:14:15.1234", "1709212455123400000"),
                ("1969-12-31 23:59:59.999999", "-1000"),
                ("1677-09-21 00:12:43.145225", "-9223372036854775000"),
                ("2262-04-11 23:47:16.854775", "9223372036854775000"),
                ("infinity", "9223372036854775807"),
                ("-infinity", "-9223372036854775808"),
            ],
        );
        for text in ["1677-09-21 00:12:43.145224", "2262-04-11 23:47:16.854776", "9999-12-31 00:00:00"] {
            assert_eq!(json(&ValueWriter::TimestampNanos, text), Err(Misfit::Unrepresentable), "{text}");
        }
        assert_eq!(
            json(&ValueWriter::TimestampMicros, "294276-12-31 23:59:59.999999"),
            Err(Misfit::Unrepresentable)
        );
    }

    #[test]
    fn timestamps_with_zone_are_text_in_utc() {
        assert_all(
            &ValueWriter::ZonedTimestamp { digits: 6 },
            &[
                ("2024-02-29 11:14:15.123456+00", "\"2024-02-29T11:14:15.123456Z\""),
                ("2024-02-29 13:14:15.123456+02", "\"2024-02-29T11:14:15.123456Z\""),
                ("1970-01-01 00:00:00+00", "\"1970-01-01T00:00:00.000000Z\""),
                ("0044-03-15 12:34:56.789+00 BC", "\"-0043-03-15T12:34:56.789000Z\""),
                ("12345-06-07 08:09:10.111213+00", "\"+12345-06-07T08:09:10.111213Z\""),
                ("294276-12-31 23:59:59.999999+00", "\"+294276-12-31T23:59:59.999999Z\""),
                ("2024-01-01 00:30:00+05:45", "\"2023-12-31T18:45:00.000000Z\""),
                ("2023-12-31 19:00:00-05", "\"2024-01-01T00:00:00.000000Z\""),
                ("infinity", "\"infinity\""),
            ],
        );
        assert_all(
            &ValueWriter::ZonedTimestamp { digits: 3 },
            &[("2024-02-29 21:14:15.5+00", "\"2024-02-29T21:14:15.500Z\"")],
        );
        assert_all(
            &ValueWriter::ZonedTimestamp { digits: 0 },
            &[("2024-02-29 13:14:15+00", "\"2024-02-29T13:14:15Z\"")],
        );
    }

    #[test]
    fn times_with_zone_are_text_in_utc() {
        assert_all(
            &ValueWriter::ZonedTime,
            &[
                ("13:14:15.123456+02", "\"11:14:15.123456Z\""),
                ("13:14:15.123-05:30", "\"18:44:15.123Z\""),
                ("23:59:59.999+14", "\"09:59:59.999Z\""),
                ("23:59:59.999999-12", "\"11:59:59.999999Z\""),
                ("00:00:00+00", "\"00:00:00Z\""),
                ("12:00:00.1+00", "\"12:00:00.1Z\""),
                ("12:00:00+05:45", "\"06:15:00Z\""),
                ("24:00:00+00", "\"24:00:00Z\""),
                ("24:00:00+02", "\"22:00:00Z\""),
            ],
        );
    }

    proptest! {
        #[test]
        fn days_and_dates_agree(days in -3_000_000_i64..3_000_000) {
            let date = Date::of_days(days);
            prop_assert_eq!(date.days(), days);
            prop_assert_eq!(Date::of_days(days + 1).days() - date.days(), 1);
        }
    }
}
