//! From a column's type to its writer. Types of the server are known by OID, those of extensions by name. What Debezium
//! leaves out (it knows no schema for it) is left out here too, but named, so that it can be said once per column.

use super::geometry::Shape;
use super::{ArrayWriter, BinaryMode, DecimalMode, HstoreMode, IntervalMode, Modes, TimeMode, ValueWriter};
use crate::source::catalog::{TypeDetails, TypeKind};

/// The writer for a column of type `ty` and modifier `typmod`; none when Debezium has no form for the type.
pub(in crate::encode) fn choose(ty: &TypeDetails, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    if let INT2VECTOR | OIDVECTOR = ty.oid.0 {
        return Some(ValueWriter::Vector);
    }
    match &ty.kind {
        TypeKind::Enum { .. } | TypeKind::Range => Some(ValueWriter::Text),
        // A domain over a domain has no modifier of its own: the first one on the way down counts.
        TypeKind::Domain { base, typmod: own } => choose(base, if typmod < 0 { *own } else { typmod }, modes),
        TypeKind::Array { element } => array(element, typmod, modes),
        TypeKind::Composite | TypeKind::Multirange | TypeKind::Pseudo => None,
        TypeKind::Base if ty.oid.0 < FIRST_NORMAL_OID => built_in(ty.oid.0, typmod, modes),
        TypeKind::Base => extension(&ty.name, modes),
    }
}

fn array(element: &TypeDetails, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    let unmapped = match element.kind {
        TypeKind::Domain { .. } => true,
        TypeKind::Base => matches!(element.oid.0, MONEY | NAME | INTERVAL | VARBIT | XML | POINT),
        _ => false,
    };
    if unmapped {
        return None;
    }
    let delimiter = if element.oid.0 == BOX { b';' } else { b',' };
    choose(element, typmod, modes)
        .map(|element| ValueWriter::Array(ArrayWriter { element: Box::new(element), delimiter }))
}

fn built_in(oid: u32, typmod: i32, modes: Modes) -> Option<ValueWriter> {
    // The modes are matched one by one when they get a second variant.
    let Modes {
        decimal: DecimalMode::Precise,
        time: TimeMode::Adaptive,
        interval: IntervalMode::Numeric,
        binary: BinaryMode::Bytes,
        ..
    } = modes;
    // `time`, `timestamp` and their kin: the modifier is the number of digits, six without one.
    let digits = u8::try_from(typmod).map_or(6, |digits| digits.min(6));
    Some(match oid {
        BOOL => ValueWriter::Bool,
        INT2 => ValueWriter::Int { min: i16::MIN.into(), max: i16::MAX.into() },
        INT4 => ValueWriter::Int { min: i32::MIN.into(), max: i32::MAX.into() },
        INT8 => ValueWriter::Int { min: i64::MIN, max: i64::MAX },
        OID => ValueWriter::Int { min: 0, max: u32::MAX.into() },
        FLOAT4 => ValueWriter::Float4,
        FLOAT8 => ValueWriter::Float8,
        NUMERIC => numeric(typmod),
        MONEY => ValueWriter::Money,
        BYTEA => ValueWriter::Bytea,
        BIT if typmod == 1 => ValueWriter::Bit,
        BIT | VARBIT => ValueWriter::Bits,
        DATE => ValueWriter::Date,
        TIME if digits <= 3 => ValueWriter::TimeMillis,
        TIME => ValueWriter::TimeMicros,
        TIMESTAMP if digits <= 3 => ValueWriter::TimestampMillis,
        TIMESTAMP => ValueWriter::TimestampMicros,
        TIMESTAMPTZ => ValueWriter::ZonedTimestamp { digits },
        TIMETZ => ValueWriter::ZonedTime,
        INTERVAL => ValueWriter::Interval,
        POINT => ValueWriter::Geometry(Shape::Point),
        LINE => ValueWriter::Geometry(Shape::Line),
        LSEG => ValueWriter::Geometry(Shape::Segment),
        BOX => ValueWriter::Geometry(Shape::Box),
        PATH => ValueWriter::Geometry(Shape::Path),
        POLYGON => ValueWriter::Geometry(Shape::Polygon),
        CIRCLE => ValueWriter::Geometry(Shape::Circle),
        CHAR | NAME | TEXT | VARCHAR | BPCHAR | JSON | JSONB | XML | UUID | INET | CIDR | MACADDR
        | MACADDR8 | TSVECTOR => ValueWriter::Text,
        _ => return None,
    })
}

/// The modifier holds precision and scale, the scale in eleven bits with a sign since PostgreSQL 15. A negative scale is
/// written at scale 0, which holds the number whole.
fn numeric(typmod: i32) -> ValueWriter {
    match typmod.checked_sub(VARHDRSZ) {
        Some(packed @ 0..) => {
            let scale = ((packed & 0x7FF) ^ 0x400) - 0x400;
            ValueWriter::Decimal { scale: u16::try_from(scale).unwrap_or(0) }
        }
        _ => ValueWriter::VariableDecimal,
    }
}

/// Types of extensions. Of those that Debezium has no form for, the ones it is known to leave out are left out; any
/// other is written as its text.
fn extension(name: &str, modes: Modes) -> Option<ValueWriter> {
    let Modes { hstore: HstoreMode::Json, .. } = modes;
    match name {
        "hstore" => Some(ValueWriter::Hstore),
        "cube" | "seg" | "ean13" | "isbn13" | "ismn" | "ismn13" | "issn" | "issn13" | "upc" => None,
        _ => Some(ValueWriter::Text),
    }
}

/// `FirstNormalObjectId`: types below are the server's own.
const FIRST_NORMAL_OID: u32 = 16384;
const VARHDRSZ: i32 = 4;

// The OIDs of `pg_type.dat`.
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const CHAR: u32 = 18;
const NAME: u32 = 19;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT2VECTOR: u32 = 22;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const OID: u32 = 26;
const OIDVECTOR: u32 = 30;
const JSON: u32 = 114;
const XML: u32 = 142;
const POINT: u32 = 600;
const LSEG: u32 = 601;
const PATH: u32 = 602;
const BOX: u32 = 603;
const POLYGON: u32 = 604;
const LINE: u32 = 628;
const CIDR: u32 = 650;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const CIRCLE: u32 = 718;
const MACADDR8: u32 = 774;
const MONEY: u32 = 790;
const MACADDR: u32 = 829;
const INET: u32 = 869;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const INTERVAL: u32 = 1186;
const TIMETZ: u32 = 1266;
const BIT: u32 = 1560;
const VARBIT: u32 = 1562;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const TSVECTOR: u32 = 3614;
const JSONB: u32 = 3802;

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
        let array = |element| TypeKind::Array { element: Box::new(element) };
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
