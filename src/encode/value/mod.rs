//! Values of columns: the text of PostgreSQL's output functions in, Debezium's JSON out. A [`ValueWriter`] is chosen once
//! per column, so that a row costs one `match` per value and no look at a type. The texts are those of a session with
//! `DateStyle=ISO`, `TimeZone=UTC`, `bytea_output=hex` and `IntervalStyle=postgres` (or `iso_8601`).
//!
//! Nothing here panics, whatever the text is; a text that is not of the type is a [`Misfit`], never a guess.

mod array;
mod binary;
mod choose;
mod decimal;
mod geometry;
mod hstore;
mod interval;
mod number;
mod stand_in;
mod temporal;

pub(super) use choose::choose;
pub(super) use stand_in::StandIns;

use self::geometry::Shape;
use super::writer::{Wholeness, push_string};

/// How the values of one column are written. The variants are Debezium's default modes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ValueWriter {
    Bool,
    /// An integer between the two bounds.
    Int {
        min: i64,
        max: i64,
    },
    Float4,
    Float8,
    /// `numeric(p,s)`: the unscaled number at a fixed scale.
    Decimal {
        scale: u16,
    },
    /// `numeric`: the unscaled number beside its own scale.
    VariableDecimal,
    /// `money`, with two digits behind the point.
    Money,
    /// Any type whose text is the value.
    Text,
    Bytea,
    /// `bit(1)`
    Bit,
    /// `bit(n)`, `varbit`
    Bits,
    Date,
    TimeMillis,
    TimeMicros,
    TimestampMillis,
    TimestampMicros,
    /// `timestamptz` with so many digits of a second.
    ZonedTimestamp {
        digits: u8,
    },
    ZonedTime,
    Interval,
    Hstore,
    Geometry(Shape),
    Array(ArrayWriter),
    /// `int2vector`, `oidvector`
    Vector,
}

/// How the elements of an array are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ArrayWriter {
    pub element: Box<ValueWriter>,
    /// `typdelim`: a comma for all types but `box`.
    pub delimiter: u8,
}

/// How the types whose JSON form is a matter of choice are written. One variant each today: Debezium's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modes {
    pub decimal: DecimalMode,
    pub time: TimeMode,
    pub interval: IntervalMode,
    pub hstore: HstoreMode,
    pub binary: BinaryMode,
}

/// `decimal.handling.mode`
#[derive(Clone, Copy, Debug, Default)]
pub enum DecimalMode {
    #[default]
    Precise,
}

/// `time.precision.mode`
#[derive(Clone, Copy, Debug, Default)]
pub enum TimeMode {
    #[default]
    Adaptive,
}

/// `interval.handling.mode`
#[derive(Clone, Copy, Debug, Default)]
pub enum IntervalMode {
    #[default]
    Numeric,
}

/// `hstore.handling.mode`
#[derive(Clone, Copy, Debug, Default)]
pub enum HstoreMode {
    #[default]
    Json,
}

/// `binary.handling.mode`
#[derive(Clone, Copy, Debug, Default)]
pub enum BinaryMode {
    #[default]
    Bytes,
}

/// Why a text has no JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Not what the type's output function prints.
    Malformed,
    /// A value of the type that the form cannot hold: NaN and the infinities of `numeric`, a time beyond 64 bits.
    Unrepresentable,
}

/// What is kept from one value to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// An array element whose escapes were taken away.
    element: Vec<u8>,
    /// The object inside the string of an hstore.
    object: Vec<u8>,
    /// Values that could not be written as they are (null in their place, or U+FFFD in them), since last asked.
    pub lossy: u32,
}

impl ValueWriter {
    /// Appends the JSON of `text`. After a failure `out` holds rubbish behind its old length.
    #[inline]
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
        match self {
            Self::Text => {
                if push_string(out, text) == Wholeness::Replaced {
                    scratch.lossy += 1;
                }
                Ok(())
            }
            Self::Int { min, max } => number::int(text, *min, *max, out),
            Self::Bool => number::boolean(text, out),
            Self::Float4 => number::float(text, number::FLOAT4, out),
            Self::Float8 => number::float(text, number::FLOAT8, out),
            Self::Decimal { scale } => decimal::fixed(text, *scale, out),
            Self::VariableDecimal => decimal::variable(text, out),
            Self::Money => decimal::money(text, out),
            Self::Bytea => binary::bytea(text, out),
            Self::Bit => number::bit(text, out),
            Self::Bits => binary::bits(text, out),
            Self::Date => temporal::date(text, out),
            Self::TimeMillis => temporal::time(text, temporal::Unit::Millis, out),
            Self::TimeMicros => temporal::time(text, temporal::Unit::Micros, out),
            Self::TimestampMillis => temporal::timestamp(text, temporal::Unit::Millis, out),
            Self::TimestampMicros => temporal::timestamp(text, temporal::Unit::Micros, out),
            Self::ZonedTimestamp { digits } => temporal::zoned_timestamp(text, *digits, out),
            Self::ZonedTime => temporal::zoned_time(text, out),
            Self::Interval => interval::micros(text, out, scratch),
            Self::Hstore => hstore::json(text, out, scratch),
            Self::Geometry(shape) => geometry::write(*shape, text, out),
            Self::Array(array) => array::write(array, text, out, scratch),
            Self::Vector => array::vector(text, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The JSON of a text, or the reason why there is none.
    pub(in crate::encode) fn json(writer: &ValueWriter, text: &str) -> Result<String, Misfit> {
        let mut out = Vec::new();
        writer.write(text.as_bytes(), &mut out, &mut Scratch::default())?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn every_writer() -> Vec<ValueWriter> {
        let mut writers = vec![
            ValueWriter::Bool,
            ValueWriter::Int { min: -32768, max: 32767 },
            ValueWriter::Int { min: i64::MIN, max: i64::MAX },
            ValueWriter::Float4,
            ValueWriter::Float8,
            ValueWriter::Decimal { scale: 0 },
            ValueWriter::Decimal { scale: 7 },
            ValueWriter::VariableDecimal,
            ValueWriter::Money,
            ValueWriter::Text,
            ValueWriter::Bytea,
            ValueWriter::Bit,
            ValueWriter::Bits,
            ValueWriter::Date,
            ValueWriter::TimeMillis,
            ValueWriter::TimeMicros,
            ValueWriter::TimestampMillis,
            ValueWriter::TimestampMicros,
            ValueWriter::ZonedTimestamp { digits: 0 },
            ValueWriter::ZonedTimestamp { digits: 6 },
            ValueWriter::ZonedTime,
            ValueWriter::Interval,
            ValueWriter::Hstore,
            ValueWriter::Vector,
        ];
        writers.extend(Shape::ALL.map(ValueWriter::Geometry));
        let arrays: Vec<_> = writers
            .iter()
            .map(|element| {
                ValueWriter::Array(ArrayWriter { element: Box::new(element.clone()), delimiter: b',' })
            })
            .collect();
        writers.extend(arrays);
        writers
    }

    fn writes_json_or_refuses(text: &[u8]) {
        for writer in every_writer() {
            let mut out = Vec::new();
            if writer.write(text, &mut out, &mut Scratch::default()).is_ok() {
                assert!(
                    serde_json::from_slice::<serde_json::Value>(&out).is_ok(),
                    "{writer:?} {text:?} {}",
                    String::from_utf8_lossy(&out)
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_bytes_are_written_or_refused(text: Vec<u8>) {
            writes_json_or_refuses(&text);
        }

        #[test]
        fn any_look_alike_is_written_or_refused(
            text in r#"[-+]?(infinity|NaN|\\x|P|\{|\(|<|\[)?[-0-9a-f.:+,(){}"\\=> ETYMDHS$]{0,40}( BC|\}|\)|>|\]| mon| days)?"#
        ) {
            writes_json_or_refuses(text.as_bytes());
        }
    }
}
