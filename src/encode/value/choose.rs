//! From a column's type to its writer. Types of the server are known by OID, those of extensions by name. What Debezium
//! leaves out (it knows no schema for it) is left out here too unless the modes ask for it, but named, so that it can be said
//! once per column.

use super::geometry::Shape;
use super::jdbc::Jdbc;
use super::money::MoneyForm;
use super::oid::{
    BIT, BOOL, BOX, BPCHAR, BYTEA, CHAR, CIDR, CIRCLE, DATE, FIRST_NORMAL_OID, FLOAT4, FLOAT8, INET, INT2,
    INT2VECTOR, INT4, INT8, INTERVAL, JSON, JSONB, LINE, LSEG, MACADDR, MACADDR8, MONEY, NAME, NUMERIC, OID,
    OIDVECTOR, PATH, POINT, POLYGON, REFCURSOR, TEXT, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ, TSVECTOR, UUID,
    VARBIT, VARCHAR, XML,
};
use super::quirk::{Quirk, Spoiler};
use super::structured::{Structured, What};
use super::{ArrayWriter, ValueWriter, postgis, vector};
use crate::modes::{DecimalFormat, DecimalMode, HstoreMode, IntervalMode, Modes, TimeMode, Via};
use crate::source::catalog::{TypeDetails, TypeKind};

/// The writer for a column of type `ty` and modifier `typmod`; none when there is no form for the type.
pub(in crate::encode) fn choose(ty: &TypeDetails, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    let chosen = mapped(ty, typmod, modes);
    let unmapped_array = matches!(&ty.kind, TypeKind::Array { element, .. } if is_unmapped(element));
    // Debezium has no form even for the bytes of those arrays, but for arrays of domains.
    let unknown = modes.unknown_types && !unmapped_array;
    chosen.or_else(|| unknown.then_some(ValueWriter::TextBytes(modes.binary)))
}

/// The writer of a type that has a form of its own.
fn mapped(ty: &TypeDetails, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    if let INT2VECTOR | OIDVECTOR = ty.oid.0 {
        return Some(either(modes, ValueWriter::Vector, Quirk::EmptyVector));
    }
    match &ty.kind {
        // Debezium knows the ranges of the server alone.
        TypeKind::Range if modes.quirky() && ty.oid.0 >= FIRST_NORMAL_OID => None,
        TypeKind::Enum { .. } | TypeKind::Range => Some(ValueWriter::Text),
        // A domain over a domain has no modifier of its own: the first one on the way down counts.
        TypeKind::Domain { base, typmod: own } => mapped(base, if typmod < 0 { *own } else { typmod }, modes),
        TypeKind::Array { element, delimiter } => array(element, *delimiter, typmod, modes),
        TypeKind::Composite | TypeKind::Multirange | TypeKind::Pseudo => None,
        TypeKind::Base if ty.oid.0 < FIRST_NORMAL_OID => built_in(ty.oid.0, typmod, modes),
        // Of a type that is gone nobody knows more than its texts.
        TypeKind::Base if ty.schema.is_empty() && ty.name.starts_with("oid ") => Some(ValueWriter::Text),
        TypeKind::Base => extension(&ty.name, modes),
    }
}

/// Debezium's form where that is wanted, else ours.
fn either(modes: Modes, ours: ValueWriter, debezium: Quirk) -> ValueWriter {
    if modes.quirky() { debezium.writer() } else { ours }
}

/// Elements that Debezium has a form for, but not in arrays.
fn is_unmapped(element: &TypeDetails) -> bool {
    element.kind == TypeKind::Base
        && matches!(element.oid.0, MONEY | NAME | INTERVAL | VARBIT | XML | POINT | REFCURSOR)
}

fn array(element: &TypeDetails, delimiter: u8, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    let domain = matches!(element.kind, TypeKind::Domain { .. });
    let of = |element| ArrayWriter { element: Box::new(element), delimiter };
    if (domain || is_unmapped(element)) && !modes.unmapped_arrays {
        let bytes = domain && modes.unknown_types;
        return bytes.then(|| ValueWriter::Array(of(ValueWriter::TextBytes(modes.binary))));
    }
    // A name is a name here, a refcursor too, whatever they are by themselves.
    let writer = match element.oid.0 {
        NAME | REFCURSOR => ValueWriter::Text,
        _ => choose(element, typmod, modes)?,
    };
    if !modes.quirky() || domain || is_unmapped(element) {
        return Some(ValueWriter::Array(of(writer)));
    }
    let writer = match element.oid.0 {
        TIME => Quirk::TimeOfArray(writer).writer(),
        DATE if modes.via == Via::Stream => Quirk::Jdbc(Jdbc::Date, writer).writer(),
        TIMESTAMP => Quirk::Jdbc(Jdbc::Timestamp, writer).writer(),
        TIMESTAMPTZ => Quirk::Jdbc(Jdbc::ZonedTimestamp, writer).writer(),
        _ => writer,
    };
    let quirk = match writer {
        ValueWriter::Bit | ValueWriter::Bits => Quirk::Null,
        writer => Quirk::array(of(writer), spoiler(element)),
    };
    Some(quirk.writer())
}

/// What Debezium gives an array up at.
fn spoiler(element: &TypeDetails) -> Spoiler {
    match element.kind {
        TypeKind::Enum { .. } => Spoiler::Null,
        TypeKind::Base => match element.oid.0 {
            TSVECTOR => Spoiler::Null,
            NUMERIC => Spoiler::NotFinite,
            FIRST_NORMAL_OID.. if element.name == "ltree" => Spoiler::Null,
            _ => Spoiler::Nothing,
        },
        _ => Spoiler::Nothing,
    }
}

fn built_in(oid: u32, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    Some(match oid {
        BOOL => ValueWriter::Bool,
        INT2 => ValueWriter::Int { min: i16::MIN.into(), max: i16::MAX.into() },
        INT4 => ValueWriter::Int { min: i32::MIN.into(), max: i32::MAX.into() },
        INT8 => ValueWriter::Int { min: i64::MIN, max: i64::MAX },
        OID => ValueWriter::Int { min: 0, max: u32::MAX.into() },
        FLOAT4 => either(modes, ValueWriter::Float4, Quirk::Float4),
        FLOAT8 => ValueWriter::Float8,
        NUMERIC => numeric(typmod, modes),
        MONEY => money(modes),
        BYTEA => ValueWriter::Bytea(modes.binary),
        // The modifier of a varbit that has one is its length too.
        BIT | VARBIT if typmod == 1 => ValueWriter::Bit,
        BIT | VARBIT => ValueWriter::Bits,
        DATE | TIME | TIMETZ | TIMESTAMP | TIMESTAMPTZ => temporal(oid, typmod, modes),
        INTERVAL => interval(typmod, modes),
        POINT => ValueWriter::Geometry(Shape::Point),
        LINE => ValueWriter::Geometry(Shape::Line),
        LSEG => ValueWriter::Geometry(Shape::Segment),
        BOX => ValueWriter::Geometry(Shape::Box),
        PATH => ValueWriter::Geometry(Shape::Path),
        POLYGON => ValueWriter::Geometry(Shape::Polygon),
        CIRCLE => ValueWriter::Geometry(Shape::Circle),
        // Debezium has the bytes of unknown types read, and those of a name with them; in a snapshot it has names.
        NAME if modes.unknown_types || modes.via == Via::Driver => ValueWriter::Text,
        NAME => either(modes, ValueWriter::Text, Quirk::Null),
        CHAR | TEXT | VARCHAR | BPCHAR | JSON | JSONB | XML | UUID | INET | CIDR | MACADDR | MACADDR8
        | TSVECTOR => ValueWriter::Text,
        _ => return None,
    })
}

fn temporal(oid: u32, typmod: i32, modes: Modes) -> ValueWriter {
    // The modifier is the number of digits, six without one.
    let digits = u8::try_from(typmod).map_or(6, |digits| digits.min(6));
    let millis = digits <= 3;
    let writer = stream_temporal(oid, modes, (digits, millis));
    // The driver has another form for the infinite dates of a snapshot.
    match oid {
        DATE if modes.via == Via::Driver => Quirk::Jdbc(Jdbc::Date, writer).writer(),
        _ => writer,
    }
}

fn stream_temporal(oid: u32, modes: Modes, (digits, millis): (u8, bool)) -> ValueWriter {
    let structured = |what| ValueWriter::Structured(Structured { what, precision: digits.into() });
    let micros = || either(modes, ValueWriter::TimestampMicros, Quirk::TimestampMicros);
    match (oid, modes.time) {
        (DATE, TimeMode::IsoString) => either(modes, ValueWriter::IsoDate, Quirk::IsoDate),
        (DATE, TimeMode::Structured) => structured(What::Date),
        (DATE, _) => ValueWriter::Date,
        (TIME, TimeMode::Adaptive) if millis => ValueWriter::TimeMillis,
        (TIME, TimeMode::Adaptive | TimeMode::AdaptiveTimeMicroseconds | TimeMode::Microseconds) => {
            ValueWriter::TimeMicros
        }
        (TIME, TimeMode::Connect) => ValueWriter::TimeMillis,
        (TIME, TimeMode::Nanoseconds) => ValueWriter::TimeNanos,
        (TIME, TimeMode::IsoString) => either(modes, ValueWriter::IsoTime, Quirk::IsoTime),
        (TIME, TimeMode::Structured) => {
            let form = Structured { what: What::Time, precision: digits.into() };
            either(modes, ValueWriter::Structured(form), Quirk::Structured(form))
        }
        (TIMETZ, TimeMode::Structured) => structured(What::ZonedTime),
        (TIMETZ, _) => ValueWriter::ZonedTime,
        (TIMESTAMPTZ, TimeMode::Structured) => structured(What::ZonedTimestamp),
        (TIMESTAMPTZ, _) => ValueWriter::ZonedTimestamp { digits },
        (_, TimeMode::Adaptive | TimeMode::AdaptiveTimeMicroseconds) if millis => {
            ValueWriter::TimestampMillis
        }
        (_, TimeMode::Connect) => ValueWriter::TimestampMillis,
        (_, TimeMode::Adaptive | TimeMode::AdaptiveTimeMicroseconds | TimeMode::Microseconds) => micros(),
        (_, TimeMode::Nanoseconds) => either(modes, ValueWriter::TimestampNanos, Quirk::TimestampNanos),
        (_, TimeMode::IsoString) => either(modes, ValueWriter::IsoTimestamp, Quirk::IsoTimestamp),
        (_, TimeMode::Structured) => structured(What::Timestamp),
    }
}

/// The modifier holds the fields in its upper half and the digits in the lower, all ones without any.
fn interval(typmod: i32, modes: Modes) -> ValueWriter {
    if modes.time == TimeMode::Structured {
        let digits = u16::try_from(typmod & 0xFFFF).unwrap_or(6);
        let precision = match typmod {
            ..0 => 6,
            _ if modes.quirky() => digits,
            _ => digits.min(6),
        };
        let form = Structured { what: What::Interval, precision };
        return either(modes, ValueWriter::Structured(form), Quirk::Structured(form));
    }
    match modes.interval {
        IntervalMode::Numeric => either(modes, ValueWriter::Interval, Quirk::Interval),
        IntervalMode::String => either(modes, ValueWriter::IntervalText, Quirk::IntervalText),
    }
}

/// The modifier holds precision and scale, the scale in eleven bits with a sign since PostgreSQL 15. A negative scale is
/// written at scale 0, which holds the number whole; Debezium takes it for one without a sign.
fn numeric(typmod: i32, modes: Modes) -> ValueWriter {
    let scale = match typmod.checked_sub(VARHDRSZ) {
        Some(packed @ 0..) if modes.quirky() => u16::try_from(packed & 0x7FF).ok(),
        Some(packed @ 0..) => Some(u16::try_from(((packed & 0x7FF) ^ 0x400) - 0x400).unwrap_or(0)),
        _ => None,
    };
    match (modes.decimal, scale) {
        (DecimalMode::Precise, None) => ValueWriter::VariableDecimal,
        (DecimalMode::Precise, Some(scale)) => match modes.decimal_format {
            DecimalFormat::Base64 => ValueWriter::Decimal { scale },
            DecimalFormat::Numeric => ValueWriter::DecimalNumber { scale },
        },
        (DecimalMode::Double, _) => ValueWriter::DecimalDouble,
        (DecimalMode::String, scale) => ValueWriter::DecimalText { scale: scale.unwrap_or(0) },
    }
}

fn money(modes: Modes) -> ValueWriter {
    let form = match (modes.decimal, modes.decimal_format) {
        (DecimalMode::Precise, DecimalFormat::Base64) => MoneyForm::Unscaled,
        (DecimalMode::Precise, DecimalFormat::Numeric) => MoneyForm::Number,
        (DecimalMode::Double, _) => MoneyForm::Double,
        (DecimalMode::String, _) => MoneyForm::Text,
    };
    ValueWriter::Money { digits: modes.money_fraction_digits, form }
}

/// Types of extensions: those that Debezium has a form for.
fn extension(name: &str, modes: Modes) -> Option<ValueWriter> {
    Some(match name {
        "hstore" => match modes.hstore {
            HstoreMode::Json => either(modes, ValueWriter::Hstore, Quirk::Hstore),
            HstoreMode::Map => either(modes, ValueWriter::HstoreMap, Quirk::HstoreMap),
        },
        "geometry" => ValueWriter::Postgis(postgis::Kind::Geometry),
        "geography" => ValueWriter::Postgis(postgis::Kind::Geography),
        "vector" => ValueWriter::Embedding(vector::Kind::Double),
        "halfvec" => ValueWriter::Embedding(vector::Kind::Float),
        "sparsevec" => ValueWriter::Embedding(vector::Kind::Sparse),
        "citext" | "isbn" | "ltree" => ValueWriter::Text,
        _ => return None,
    })
}

const VARHDRSZ: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsn::Oid;

    fn ty(oid: u32, kind: TypeKind) -> TypeDetails {
        TypeDetails { oid: Oid(oid), schema: String::new(), name: String::new(), kind }
    }

    fn of(oid: u32, typmod: i32) -> Option<ValueWriter> {
        choose(&ty(oid, TypeKind::Base), typmod, Modes::default())
    }

    #[test]
    fn modifiers_choose_the_form() {
        assert_eq!(of(NUMERIC, -1), Some(ValueWriter::VariableDecimal));
        assert_eq!(of(NUMERIC, (5 << 16 | 2) + 4), Some(ValueWriter::Decimal { scale: 2 }));
        assert_eq!(of(NUMERIC, (5 << 16 | 0x7FE) + 4), Some(ValueWriter::Decimal { scale: 0 }));
        assert_eq!(of(BIT, 1), Some(ValueWriter::Bit));
        assert_eq!(of(BIT, 3), Some(ValueWriter::Bits));
        assert_eq!(of(TIME, 3), Some(ValueWriter::TimeMillis));
        assert_eq!(of(TIME, -1), Some(ValueWriter::TimeMicros));
        assert_eq!(of(TIMESTAMP, 0), Some(ValueWriter::TimestampMillis));
        assert_eq!(of(TIMESTAMP, 4), Some(ValueWriter::TimestampMicros));
        assert_eq!(of(TIMESTAMPTZ, 3), Some(ValueWriter::ZonedTimestamp { digits: 3 }));
        assert_eq!(of(TIMESTAMPTZ, -1), Some(ValueWriter::ZonedTimestamp { digits: 6 }));
    }

    #[test]
    fn a_domain_is_its_base_and_an_array_its_element() {
        let price =
            TypeKind::Domain { base: Box::new(ty(NUMERIC, TypeKind::Base)), typmod: (10 << 16 | 2) + 4 };
        let over = TypeKind::Domain { base: Box::new(ty(20_001, price)), typmod: -1 };
        let decimal = ValueWriter::Decimal { scale: 2 };
        assert_eq!(choose(&ty(20_002, over.clone()), -1, Modes::default()), Some(decimal.clone()));
        let array = |element| TypeKind::Array { element: Box::new(element), delimiter: b',' };
        let numerics = array(ty(NUMERIC, TypeKind::Base));
        assert_eq!(
            choose(&ty(1231, numerics), (5 << 16 | 2) + 4, Modes::default()),
            Some(ValueWriter::Array(ArrayWriter { element: Box::new(decimal), delimiter: b',' }))
        );
        assert_eq!(choose(&ty(20_003, array(ty(20_002, over))), -1, Modes::default()), None);
        assert_eq!(choose(&ty(791, array(ty(MONEY, TypeKind::Base))), -1, Modes::default()), None);
    }

    #[test]
    fn what_debezium_leaves_out_is_left_out() {
        for kind in [TypeKind::Composite, TypeKind::Multirange, TypeKind::Pseudo] {
            assert_eq!(choose(&ty(20_000, kind), -1, Modes::default()), None);
        }
        // xid, tid, pg_lsn, tsquery, regclass, jsonpath, refcursor, aclitem
        for oid in [28, 27, 3220, 3615, 2205, 4072, 1790, 1033] {
            assert_eq!(of(oid, -1), None, "{oid}");
        }
        let mut citext = ty(16_400, TypeKind::Base);
        "citext".clone_into(&mut citext.name);
        assert_eq!(choose(&citext, -1, Modes::default()), Some(ValueWriter::Text));
        "seg".clone_into(&mut citext.name);
        assert_eq!(choose(&citext, -1, Modes::default()), None);
    }
}
