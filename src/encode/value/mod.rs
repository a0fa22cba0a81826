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
mod iso;
mod jdbc;
mod mask;
mod money;
mod number;
pub(super) mod oid;
mod postgis;
mod quirk;
mod schema;
mod source_type;
mod stand_in;
mod structured;
mod temporal;
mod text;
mod vector;

pub(super) use binary::push_bytes;
pub(super) use choose::choose;
pub(super) use mask::Masked;
pub(super) use schema::{is_always_optional, schema_of};
pub(super) use source_type::{with_mask, with_source_type};
pub(super) use stand_in::{StandIns, default_of};

use self::geometry::Shape;
use self::money::MoneyForm;
use self::quirk::Quirk;
use self::structured::Structured;
use self::text::Texts;
use crate::modes::{BinaryMode, Modes, TimeMode};
use crate::source::catalog::{TypeDetails, TypeKind};

/// How the values of one column are written.
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
    /// `numeric(p,s)` as a JSON number.
    DecimalNumber {
        scale: u16,
    },
    /// `numeric`: the unscaled number beside its own scale.
    VariableDecimal,
    /// `numeric` as text, with at least so many digits behind the point.
    DecimalText {
        scale: u16,
    },
    DecimalDouble,
    /// `money`, with so many digits behind the point.
    Money {
        digits: u8,
        form: MoneyForm,
    },
    /// Any type whose text is the value.
    Text,
    Bytea(BinaryMode),
    /// The bytes of a text of any type.
    TextBytes(BinaryMode),
    /// `bit(1)`, `varbit(1)`
    Bit,
    /// `bit(n)`, `varbit`
    Bits,
    Date,
    TimeMillis,
    TimeMicros,
    TimeNanos,
    TimestampMillis,
    TimestampMicros,
    TimestampNanos,
    /// `timestamptz` with so many digits of a second.
    ZonedTimestamp {
        digits: u8,
    },
    ZonedTime,
    IsoDate,
    IsoTime,
    IsoTimestamp,
    /// A time of any kind as an object.
    Structured(Structured),
    /// Microseconds.
    Interval,
    IntervalText,
    Hstore,
    HstoreMap,
    Geometry(Shape),
    Postgis(postgis::Kind),
    Array(ArrayWriter),
    /// `int2vector`, `oidvector`
    Vector,
    /// The vectors of pgvector.
    Embedding(vector::Kind),
    /// Debezium's form where that says something else than the row; behind a pointer, so that the tag of a writer is a plain number.
    Quirk(Box<Quirk>),
    /// A text that is hidden; behind a pointer too.
    Masked(Box<Masked>),
}

/// How the elements of an array are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ArrayWriter {
    pub element: Box<ValueWriter>,
    /// `typdelim`: a comma for all types but a few.
    pub delimiter: u8,
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
    /// Its pairs, while they are sorted.
    pairs: Vec<hstore::Pair>,
    /// NULLs in arrays, ever.
    nulls: u32,
    /// Values that could not be written as they are (null in their place), since last asked.
    pub lossy: u32,
    /// In which encoding texts come, and which did not fit it.
    pub texts: Texts,
}

impl ValueWriter {
    /// Days as a number, whoever counts them.
    pub(super) fn is_date(&self) -> bool {
        match self {
            Self::Date => true,
            Self::Quirk(quirk) => quirk.honest() == Self::Date,
            _ => false,
        }
    }

    /// The writer for a column of the form in which no value is null.
    pub(super) fn never_null(self, ty: &TypeDetails) -> Self {
        match &self {
            // An array of bits is none to Debezium in either case.
            Self::Quirk(quirk) if **quirk == Quirk::Null && !matches!(ty.kind, TypeKind::Array { .. }) => {
                Quirk::Blank.writer()
            }
            _ => self,
        }
    }

    /// The writer for the same value in a header, where Connect shows its Java object; none when it is no other.
    pub(super) fn in_header(&self, modes: Modes) -> Option<Self> {
        let bare = |writer: &Self| Some(Quirk::Bare(writer.clone()).writer());
        match self {
            Self::Decimal { scale } => Some(Self::DecimalNumber { scale: *scale }),
            Self::Money { digits, form: MoneyForm::Unscaled } => {
                Some(Self::Money { digits: *digits, form: MoneyForm::Number })
            }
            Self::Float4 | Self::Float8 | Self::DecimalDouble => bare(self),
            Self::Date | Self::TimeMillis | Self::TimestampMillis if modes.time == TimeMode::Connect => {
                Some(Quirk::JavaDate(self.clone()).writer())
            }
            Self::Array(array) => {
                let element = Box::new(array.element.in_header(modes)?);
                Some(Self::Array(ArrayWriter { element, delimiter: array.delimiter }))
            }
            Self::Quirk(quirk) => match &**quirk {
                Quirk::Array(spoiled) => spoiled.in_header(modes),
                Quirk::Float4 => bare(self),
                other => {
                    other.honest().in_header(modes)?;
                    Some(Quirk::JavaDate(self.clone()).writer())
                }
            },
            _ => None,
        }
    }

    /// Whether all values are the same, so that a key made of them would be none.
    pub(super) fn is_blind(&self) -> bool {
        matches!(self, Self::Quirk(quirk) if matches!(**quirk, Quirk::Null | Quirk::EmptyVector))
    }

    /// What holds a value that this form cannot hold.
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Decimal { .. } | Self::DecimalNumber { .. } | Self::VariableDecimal => {
                "set events.decimal_handling_mode to \"string\" or \"double\", which hold NaN and the infinities"
            }
            Self::TimestampMicros | Self::TimestampNanos => {
                "set events.time_precision_mode to \"isostring\", which holds every time"
            }
            Self::Interval | Self::Structured(_) => {
                "set events.interval_handling_mode to \"string\", which holds every interval, and \
                 events.time_precision_mode to another mode than \"structured\""
            }
            Self::Quirk(quirk) if matches!(**quirk, Quirk::TimestampNanos) => Self::TimestampNanos.remedy(),
            _ => "drop the NOT NULL constraint, or leave the column out with source.exclude_columns",
        }
    }

    /// Appends the JSON of `text`. After a failure `out` holds rubbish behind its old length.
    #[inline]
    pub(super) fn write(&self, text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
        match self {
            Self::Text => {
                scratch.texts.push(text, out);
                Ok(())
            }
            Self::Int { min, max } => number::int(text, *min, *max, out),
            Self::Bool => number::boolean(text, out),
            Self::Float4 => number::float(text, number::FLOAT4, out),
            Self::Float8 => number::float(text, number::FLOAT8, out),
            Self::Decimal { scale } => decimal::fixed(text, *scale, out),
            Self::VariableDecimal => decimal::variable(text, out),
            Self::Money { digits, form } => money::write(text, *digits, *form, out),
            Self::Bytea(BinaryMode::Bytes) => binary::bytea(text, out),
            Self::Bit => number::bit(text, out),
            Self::Bits => binary::bits(text, out),
            Self::Date => temporal::date(text, out),
            Self::TimeMillis => temporal::time(text, temporal::Unit::Millis, out),
            Self::TimeMicros => temporal::time(text, temporal::Unit::Micros, out),
            Self::TimestampMillis => temporal::timestamp(text, temporal::Unit::Millis, out),
            Self::TimestampMicros => temporal::timestamp(text, temporal::Unit::Micros, out),
            Self::ZonedTimestamp { digits } => temporal::zoned_timestamp(text, *digits, out),
            Self::ZonedTime => temporal::zoned_time(text, out),
            Self::Interval => interval::micros(text, out),
            Self::Hstore => hstore::json(text, out, scratch),
            Self::Geometry(shape) => geometry::write(*shape, text, out),
            Self::Array(array) => array::write(array, text, out, scratch),
            Self::Vector => array::vector(text, out),
            other => other.write_otherwise(text, out, scratch),
        }
    }

    /// The forms of other modes and of rare types, out of the way of the common ones.
    #[inline(never)]
    fn write_otherwise(&self, text: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> Result<(), Misfit> {
        match self {
            Self::DecimalNumber { scale } => decimal::number(text, *scale, out),
            Self::DecimalText { scale } => decimal::text(text, *scale, out),
            Self::DecimalDouble => decimal::double(text, out, scratch),
            Self::Bytea(mode) => binary::bytea_as(text, *mode, out),
            Self::IntervalText => interval::text(text, out),
            Self::TextBytes(mode) => {
                push_bytes(text, *mode, out);
                Ok(())
            }
            Self::TimeNanos => temporal::time(text, temporal::Unit::Nanos, out),
            Self::TimestampNanos => temporal::timestamp(text, temporal::Unit::Nanos, out),
            Self::IsoDate => iso::date(text, out),
            Self::IsoTime => iso::time(text, out),
            Self::IsoTimestamp => iso::timestamp(text, out),
            Self::Structured(form) => structured::write(*form, text, out),
            Self::HstoreMap => hstore::object(text, out, &mut scratch.texts),
            Self::Postgis(kind) => postgis::write(*kind, text, out),
            Self::Embedding(kind) => vector::write(*kind, text, out),
            Self::Quirk(quirk) => quirk.write(text, out, scratch),
            Self::Masked(masked) => {
                masked.write(text, out, scratch);
                Ok(())
            }
            // The others are common.
            _ => Err(Misfit::Malformed),
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
            ValueWriter::DecimalNumber { scale: 0 },
            ValueWriter::DecimalNumber { scale: 9 },
            ValueWriter::VariableDecimal,
            ValueWriter::DecimalText { scale: 3 },
            ValueWriter::DecimalDouble,
            ValueWriter::Text,
            ValueWriter::Bit,
            ValueWriter::Bits,
            ValueWriter::Date,
            ValueWriter::TimeMillis,
            ValueWriter::TimeMicros,
            ValueWriter::TimeNanos,
            ValueWriter::TimestampMillis,
            ValueWriter::TimestampMicros,
            ValueWriter::TimestampNanos,
            ValueWriter::ZonedTimestamp { digits: 0 },
            ValueWriter::ZonedTimestamp { digits: 6 },
            ValueWriter::ZonedTime,
            ValueWriter::IsoDate,
            ValueWriter::IsoTime,
            ValueWriter::IsoTimestamp,
            ValueWriter::Interval,
            ValueWriter::IntervalText,
            ValueWriter::Hstore,
            ValueWriter::HstoreMap,
            ValueWriter::Vector,
        ];
        for form in MoneyForm::ALL {
            writers.extend([0, 2, 15].map(|digits| ValueWriter::Money { digits, form }));
        }
        for mode in BinaryMode::ALL {
            writers.extend([ValueWriter::Bytea(*mode), ValueWriter::TextBytes(*mode)]);
        }
        writers.extend(Shape::ALL.map(ValueWriter::Geometry));
        writers.extend(postgis::Kind::ALL.map(ValueWriter::Postgis));
        writers.extend(vector::Kind::ALL.map(ValueWriter::Embedding));
        writers.extend(Structured::all(3).map(ValueWriter::Structured));
        let of = |element: &ValueWriter| ArrayWriter { element: Box::new(element.clone()), delimiter: b',' };
        let arrays: Vec<_> = writers.iter().map(|element| ValueWriter::Array(of(element))).collect();
        let quirky = [
            Quirk::array(of(&ValueWriter::Text), quirk::Spoiler::Null),
            Quirk::array(of(&ValueWriter::Int { min: -9, max: 9 }), quirk::Spoiler::Nothing),
        ];
        writers.extend(Quirk::SIMPLE.iter().cloned().chain(quirky).map(Quirk::writer));
        writers.extend(arrays);
        writers
    }

    #[test]
    fn headers_show_numbers_of_decimals_and_floats() {
        let modes = Modes::default();
        let shown = |writer: &ValueWriter, text| json(&writer.in_header(modes).unwrap(), text);
        assert_eq!(shown(&ValueWriter::Decimal { scale: 2 }, "-2.00").as_deref(), Ok("-2.00"));
        assert_eq!(shown(&ValueWriter::Float8, "-Infinity").as_deref(), Ok("-Infinity"));
        let money = ValueWriter::Money { digits: 2, form: MoneyForm::Unscaled };
        assert_eq!(shown(&money, "-$0.01").as_deref(), Ok("-0.01"));
        let element = Box::new(ValueWriter::Decimal { scale: 2 });
        let array = ArrayWriter { element, delimiter: b',' };
        assert_eq!(shown(&ValueWriter::Array(array.clone()), "{-2.00,NULL}").as_deref(), Ok("[-2.00,null]"));
        let array = Quirk::array(array, quirk::Spoiler::NotFinite).writer();
        assert_eq!(shown(&array, "{-2.00,NULL}").as_deref(), Ok("[-2.00,null]"));
        assert_eq!(ValueWriter::Text.in_header(modes), None);
        assert_eq!(ValueWriter::Date.in_header(modes), None);
        let connect = Modes { time: TimeMode::Connect, ..modes };
        let date = ValueWriter::Date.in_header(connect).unwrap();
        assert_eq!(json(&date, "2020-02-29").as_deref(), Ok("2020-02-29"));
    }

    #[test]
    fn what_fuzzing_has_kept_is_written_or_refused() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds");
        let mut inputs = 0;
        for file in std::fs::read_dir(seeds).unwrap() {
            let path = file.unwrap().path();
            if !path.file_name().unwrap().to_string_lossy().starts_with("value_") {
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let digits = |at: usize| u8::from_str_radix(&line[2 * at..2 * at + 2], 16).unwrap();
                writes_json_or_refuses(&(0..line.len() / 2).map(digits).collect::<Vec<u8>>());
                inputs += 1;
            }
        }
        assert!(inputs > 100, "{inputs} inputs in {seeds}");
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
