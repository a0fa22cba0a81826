//! The schema of each form. The writer that was chosen for a column names it, so that values and schema cannot part; the type
//! adds what the form does not know: the semantic name of a text, the precision of a decimal, the length of a bit string.

use super::geometry::Shape;
use super::money::MoneyForm;
use super::oid::{
    BOX, CIRCLE, FIRST_NORMAL_OID, INT2VECTOR, JSON, JSONB, LINE, LSEG, PATH, POLYGON, TSVECTOR, UUID, XML,
};
use super::quirk::Quirk;
use super::structured::What;
use super::{ArrayWriter, ValueWriter, postgis, vector};
use crate::encode::schema::{Schema, structs};
use crate::modes::{BinaryMode, Modes, TimeMode};
use crate::source::catalog::{TypeDetails, TypeKind};

/// The schema of what `writer` writes for a column of type `ty` and modifier `typmod`.
pub(in crate::encode) fn schema_of(
    ty: &TypeDetails,
    typmod: i32,
    writer: &ValueWriter,
    modes: Modes,
) -> Schema {
    if let TypeKind::Domain { base, typmod: own } = &ty.kind {
        return schema_of(base, if typmod < 0 { *own } else { typmod }, writer, modes);
    }
    let connect = modes.time == TimeMode::Connect;
    let number = |body, name| Schema::of(body).named(name, 1);
    let string = |name| Schema::of(structs::STRING).named(name, 1);
    match writer {
        ValueWriter::Bool | ValueWriter::Bit => Schema::of(structs::BOOLEAN),
        ValueWriter::Int { min, max } => Schema::of(integer(*min, *max)),
        ValueWriter::Float4 => Schema::of(structs::FLOAT),
        ValueWriter::Float8
        | ValueWriter::DecimalDouble
        | ValueWriter::Money { form: MoneyForm::Double, .. } => Schema::of(structs::DOUBLE),
        ValueWriter::Decimal { scale } | ValueWriter::DecimalNumber { scale } => {
            decimal(*scale).with("connect.decimal.precision", precision(typmod, modes).to_string())
        }
        ValueWriter::Money { digits, form: MoneyForm::Unscaled | MoneyForm::Number } => {
            decimal((*digits).into())
        }
        ValueWriter::VariableDecimal => {
            number(structs::VARIABLE_DECIMAL, "io.debezium.data.VariableScaleDecimal")
                .documented("Variable scaled decimal")
        }
        ValueWriter::DecimalText { .. } | ValueWriter::Money { form: MoneyForm::Text, .. } => {
            Schema::of(structs::STRING)
        }
        // Nothing but texts is hidden.
        ValueWriter::Text | ValueWriter::Masked(_) => text(ty),
        ValueWriter::Bytea(mode) | ValueWriter::TextBytes(mode) => Schema::of(match mode {
            BinaryMode::Bytes => structs::BYTES,
            BinaryMode::Base64 | BinaryMode::Base64UrlSafe | BinaryMode::Hex => structs::STRING,
        }),
        ValueWriter::Bits => bits(typmod),
        ValueWriter::Date if connect => number(structs::INT32, "org.apache.kafka.connect.data.Date"),
        ValueWriter::Date => number(structs::INT32, "io.debezium.time.Date"),
        ValueWriter::TimeMillis if connect => number(structs::INT32, "org.apache.kafka.connect.data.Time"),
        ValueWriter::TimeMillis => number(structs::INT32, "io.debezium.time.Time"),
        ValueWriter::TimeMicros => number(structs::INT64, "io.debezium.time.MicroTime"),
        ValueWriter::TimeNanos => number(structs::INT64, "io.debezium.time.NanoTime"),
        ValueWriter::TimestampMillis if connect => {
            number(structs::INT64, "org.apache.kafka.connect.data.Timestamp")
        }
        ValueWriter::TimestampMillis => number(structs::INT64, "io.debezium.time.Timestamp"),
        ValueWriter::TimestampMicros => number(structs::INT64, "io.debezium.time.MicroTimestamp"),
        ValueWriter::TimestampNanos => number(structs::INT64, "io.debezium.time.NanoTimestamp"),
        ValueWriter::ZonedTimestamp { .. } => string("io.debezium.time.ZonedTimestamp"),
        ValueWriter::ZonedTime => string("io.debezium.time.ZonedTime"),
        ValueWriter::IsoDate => string("io.debezium.time.IsoDate"),
        ValueWriter::IsoTime => string("io.debezium.time.IsoTime"),
        ValueWriter::IsoTimestamp => string("io.debezium.time.IsoTimestamp"),
        ValueWriter::Structured(form) => structured(form.what),
        ValueWriter::Interval => number(structs::INT64, "io.debezium.time.MicroDuration"),
        ValueWriter::IntervalText => string("io.debezium.time.Interval"),
        ValueWriter::Hstore => string("io.debezium.data.Json"),
        ValueWriter::HstoreMap => Schema::of(structs::TEXT_MAP),
        ValueWriter::Geometry(shape) => geometry(*shape),
        ValueWriter::Postgis(postgis::Kind::Geometry) => flat_geometry(),
        ValueWriter::Postgis(postgis::Kind::Geography) => {
            number(structs::GEOGRAPHY, "io.debezium.data.geometry.Geography").documented("Geography")
        }
        ValueWriter::Array(array) => array_of(ty, typmod, array, modes),
        ValueWriter::Vector => {
            let item = if ty.oid.0 == INT2VECTOR { structs::INT16 } else { structs::INT64 };
            Schema::array(&Schema::of(item), false)
        }
        ValueWriter::Embedding(kind) => embedding(*kind),
        ValueWriter::Quirk(quirk) => match &**quirk {
            Quirk::Null => always_null(ty, typmod),
            other => schema_of(ty, typmod, &other.honest(), modes),
        },
    }
}

fn integer(min: i64, max: i64) -> &'static str {
    if i16::try_from(min).is_ok() && i16::try_from(max).is_ok() {
        structs::INT16
    } else if i32::try_from(min).is_ok() && i32::try_from(max).is_ok() {
        structs::INT32
    } else {
        structs::INT64
    }
}

fn decimal(scale: u16) -> Schema {
    Schema::of(structs::BYTES)
        .named("org.apache.kafka.connect.data.Decimal", 1)
        .with("scale", scale.to_string())
}

/// Digits of a `numeric(p,s)`. A negative scale is written at scale 0, where the number has as many more.
fn precision(typmod: i32, modes: Modes) -> i32 {
    let packed = typmod - 4;
    let scale = ((packed & 0x7FF) ^ 0x400) - 0x400;
    let zeros = if modes.quirky() { 0 } else { (-scale).max(0) };
    (packed >> 16 & 0xFFFF) + zeros
}

/// What the text of a type means.
fn text(ty: &TypeDetails) -> Schema {
    let schema = Schema::of(structs::STRING);
    match (&ty.kind, ty.oid.0) {
        (TypeKind::Enum { labels }, _) => {
            schema.named("io.debezium.data.Enum", 1).with("allowed", labels.join(","))
        }
        (TypeKind::Base, JSON | JSONB) => schema.named("io.debezium.data.Json", 1),
        (TypeKind::Base, XML) => schema.named("io.debezium.data.Xml", 1),
        (TypeKind::Base, UUID) => schema.named("io.debezium.data.Uuid", 1),
        (TypeKind::Base, TSVECTOR) => schema.named("io.debezium.data.Tsvector", 1),
        (TypeKind::Base, FIRST_NORMAL_OID..) if ty.name == "ltree" => {
            schema.named("io.debezium.data.Ltree", 1)
        }
        _ => schema,
    }
}

/// A `varbit` without a length has the greatest.
fn bits(typmod: i32) -> Schema {
    let length = if typmod < 0 { i32::MAX } else { typmod };
    Schema::of(structs::BYTES).named("io.debezium.data.Bits", 1).with("length", length.to_string())
}

/// `name`, and arrays of bit strings, of which Debezium says that they are no arrays.
fn always_null(ty: &TypeDetails, typmod: i32) -> Schema {
    match &ty.kind {
        TypeKind::Array { .. } if typmod == 1 => Schema::of(structs::BOOLEAN),
        TypeKind::Array { .. } => bits(typmod),
        _ => Schema::of(structs::STRING),
    }
}

fn flat_geometry() -> Schema {
    let schema = Schema::of(structs::GEOMETRY).named("io.debezium.data.geometry.Geometry", 2);
    schema.documented("Geometry").always_optional()
}

fn geometry(shape: Shape) -> Schema {
    let (body, name, doc) = match shape {
        Shape::Segment | Shape::Box | Shape::Path | Shape::Polygon => return flat_geometry(),
        Shape::Point => (structs::POINT, "io.debezium.data.geometry.Point", "Geometry (POINT)"),
        Shape::Line => (structs::LINE, "io.debezium.data.geometry.Line", "Geometry (LINE)"),
        Shape::Circle => (structs::CIRCLE, "io.debezium.data.geometry.Circle", "Geometry (CIRCLE)"),
    };
    Schema::of(body).named(name, 1).documented(doc)
}

/// Whether a column is optional, NOT NULL or not. An element of an array is not.
pub(in crate::encode) fn is_always_optional(writer: &ValueWriter) -> bool {
    matches!(writer, ValueWriter::Geometry(Shape::Line | Shape::Circle))
}

fn structured(what: What) -> Schema {
    let (body, name) = match what {
        What::Date => (structs::DATE, "io.debezium.time.StructuredDate"),
        What::Time => (structs::TIME, "io.debezium.time.StructuredTime"),
        What::ZonedTime => (structs::ZONED_TIME, "io.debezium.time.StructuredZonedTime"),
        What::Timestamp => (structs::TIMESTAMP, "io.debezium.time.StructuredTimestamp"),
        What::ZonedTimestamp => (structs::ZONED_TIMESTAMP, "io.debezium.time.StructuredZonedTimestamp"),
        What::Interval => (structs::DURATION, "io.debezium.time.StructuredDuration"),
    };
    Schema::of(body).named(name, 1)
}

fn embedding(kind: vector::Kind) -> Schema {
    match kind {
        vector::Kind::Double => Schema::of(structs::DOUBLES).named("io.debezium.data.DoubleVector", 1),
        vector::Kind::Float => Schema::of(structs::FLOATS).named("io.debezium.data.FloatVector", 1),
        vector::Kind::Sparse => Schema::of(structs::SPARSE_VECTOR)
            .named("io.debezium.data.SparseDoubleVector", 1)
            .documented("Sparse double vector"),
    }
}

/// Arrays of several dimensions have the schema of those of one: the catalog does not tell them apart.
fn array_of(ty: &TypeDetails, typmod: i32, array: &ArrayWriter, modes: Modes) -> Schema {
    let TypeKind::Array { element, .. } = &ty.kind else {
        return Schema::array(&schema_of(ty, typmod, &array.element, modes), true);
    };
    let items = schema_of(element, typmod, &array.element, modes);
    Schema::array(&items, !modes.quirky() || is_nullable_to_debezium(element, modes))
}

/// Whether Debezium's schema has NULLs among such elements. Where it has none, as of enums, there are arrays with them all
/// the same, and it writes those as null; ours say what is in them.
fn is_nullable_to_debezium(element: &TypeDetails, modes: Modes) -> bool {
    match (&element.kind, element.oid.0) {
        (TypeKind::Base, FIRST_NORMAL_OID..) => {
            matches!(element.name.as_str(), "geometry" | "geography" | "hstore" | "citext" | "ltree")
        }
        (TypeKind::Base, TSVECTOR | LSEG | PATH | BOX | POLYGON | LINE | CIRCLE) => false,
        (TypeKind::Base | TypeKind::Range, _) => true,
        // It has none but as bytes.
        (TypeKind::Domain { .. }, _) => modes.unmapped_arrays,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::choose;
    use super::*;
    use crate::encode::schema::Place;
    use crate::lsn::Oid;
    use crate::modes::{DecimalMode, HstoreMode, IntervalMode, Quirks};

    fn ty(oid: u32, name: &str, kind: TypeKind) -> TypeDetails {
        TypeDetails { oid: Oid(oid), schema: String::new(), name: name.into(), kind }
    }

    fn base(oid: u32) -> TypeDetails {
        ty(oid, "", TypeKind::Base)
    }

    fn array(element: TypeDetails) -> TypeDetails {
        ty(30_000, "", TypeKind::Array { element: Box::new(element), delimiter: b',' })
    }

    /// Without what surrounds it: `,"optional":false}` is the end of each.
    fn schema(ty: &TypeDetails, typmod: i32, modes: Modes) -> String {
        let writer = choose(ty, typmod, modes).unwrap();
        let mut out = Vec::new();
        schema_of(ty, typmod, &writer, modes).push(Place::default(), &mut out);
        serde_json::from_slice::<serde_json::Value>(&out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn named(kind: &str, name: &str) -> String {
        format!(r#"{{"type":"{kind}","optional":false,"name":"{name}","version":1}}"#)
    }

    #[test]
    fn times_are_called_after_their_mode() {
        for (mode, date, time, timestamp) in [
            (
                TimeMode::Adaptive,
                ("int32", "io.debezium.time.Date"),
                ("int32", "io.debezium.time.Time"),
                ("int64", "io.debezium.time.Timestamp"),
            ),
            (
                TimeMode::AdaptiveTimeMicroseconds,
                ("int32", "io.debezium.time.Date"),
                ("int64", "io.debezium.time.MicroTime"),
                ("int64", "io.debezium.time.Timestamp"),
            ),
            (
                TimeMode::Connect,
                ("int32", "org.apache.kafka.connect.data.Date"),
                ("int32", "org.apache.kafka.connect.data.Time"),
                ("int64", "org.apache.kafka.connect.data.Timestamp"),
            ),
            (
                TimeMode::IsoString,
                ("string", "io.debezium.time.IsoDate"),
                ("string", "io.debezium.time.IsoTime"),
                ("string", "io.debezium.time.IsoTimestamp"),
            ),
            (
                TimeMode::Microseconds,
                ("int32", "io.debezium.time.Date"),
                ("int64", "io.debezium.time.MicroTime"),
                ("int64", "io.debezium.time.MicroTimestamp"),
            ),
            (
                TimeMode::Nanoseconds,
                ("int32", "io.debezium.time.Date"),
                ("int64", "io.debezium.time.NanoTime"),
                ("int64", "io.debezium.time.NanoTimestamp"),
            ),
        ] {
            for quirks in [Quirks::None, Quirks::Debezium] {
                let modes = Modes { time: mode, quirks, ..Modes::default() };
                for (oid, (kind, name)) in [(1082, date), (1083, time), (1114, timestamp)] {
                    assert_eq!(schema(&base(oid), 3, modes), named(kind, name), "{mode:?} {oid}");
                }
                assert_eq!(schema(&base(1184), 3, modes), named("string", "io.debezium.time.ZonedTimestamp"));
                assert_eq!(schema(&base(1266), -1, modes), named("string", "io.debezium.time.ZonedTime"));
            }
        }
    }

    /// What is written is what the schema says, field by field.
    #[test]
    fn structs_have_the_fields_of_their_values() {
        let modes = Modes { time: TimeMode::Structured, ..Modes::default() };
        for (ty, text, name) in [
            (base(1082), "2024-02-29", "io.debezium.time.StructuredDate"),
            (base(1083), "13:14:15", "io.debezium.time.StructuredTime"),
            (base(1266), "13:14:15+02", "io.debezium.time.StructuredZonedTime"),
            (base(1114), "2024-02-29 13:14:15", "io.debezium.time.StructuredTimestamp"),
            (base(1184), "2024-02-29 13:14:15+00", "io.debezium.time.StructuredZonedTimestamp"),
            (base(1186), "1 day", "io.debezium.time.StructuredDuration"),
            (base(1700), "1.5", "io.debezium.data.VariableScaleDecimal"),
            (base(600), "(1,2)", "io.debezium.data.geometry.Point"),
            (base(603), "(1,2),(3,4)", "io.debezium.data.geometry.Geometry"),
            (base(628), "{1,2,3}", "io.debezium.data.geometry.Line"),
            (base(718), "<(1,2),3>", "io.debezium.data.geometry.Circle"),
            (
                ty(20_000, "geometry", TypeKind::Base),
                "010700000000000000",
                "io.debezium.data.geometry.Geometry",
            ),
            (
                ty(20_000, "geography", TypeKind::Base),
                "010700000000000000",
                "io.debezium.data.geometry.Geography",
            ),
            (ty(20_000, "sparsevec", TypeKind::Base), "{1:1.5}/3", "io.debezium.data.SparseDoubleVector"),
        ] {
            let writer = choose(&ty, -1, modes).unwrap();
            let value: serde_json::Value =
                serde_json::from_str(&super::super::tests::json(&writer, text).unwrap()).unwrap();
            let schema: serde_json::Value = serde_json::from_str(&schema(&ty, -1, modes)).unwrap();
            assert_eq!((&schema["type"], &schema["name"]), (&"struct".into(), &name.into()));
            let fields: Vec<_> =
                schema["fields"].as_array().unwrap().iter().map(|field| &field["field"]).collect();
            let written: Vec<_> = value.as_object().unwrap().keys().collect();
            assert_eq!(fields, written, "{name}");
        }
    }

    #[test]
    fn forms_of_other_modes_have_their_schemas() {
        let plain = |kind: &str| format!(r#"{{"type":"{kind}","optional":false}}"#);
        let double = Modes { decimal: DecimalMode::Double, ..Modes::default() };
        let string = Modes { decimal: DecimalMode::String, ..Modes::default() };
        for oid in [1700, 790] {
            assert_eq!(schema(&base(oid), -1, double), plain("double"));
            assert_eq!(schema(&base(oid), -1, string), plain("string"));
        }
        for (binary, kind) in [
            (BinaryMode::Bytes, "bytes"),
            (BinaryMode::Base64, "string"),
            (BinaryMode::Base64UrlSafe, "string"),
            (BinaryMode::Hex, "string"),
        ] {
            let modes = Modes { binary, unknown_types: true, ..Modes::default() };
            assert_eq!(schema(&base(17), -1, modes), plain(kind));
            assert_eq!(schema(&ty(20_000, "pair", TypeKind::Composite), -1, modes), plain(kind));
        }
        let text = Modes { interval: IntervalMode::String, hstore: HstoreMode::Map, ..Modes::default() };
        assert_eq!(schema(&base(1186), -1, text), named("string", "io.debezium.time.Interval"));
        assert_eq!(
            schema(&ty(20_000, "hstore", TypeKind::Base), -1, text),
            r#"{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"string","optional":true},"optional":false}"#
        );
        assert_eq!(
            schema(&base(1562), -1, text),
            r#"{"type":"bytes","optional":false,"name":"io.debezium.data.Bits","version":1,"parameters":{"length":"2147483647"}}"#
        );
        assert_eq!(
            schema(&ty(20_000, "halfvec", TypeKind::Base), -1, text),
            r#"{"type":"array","items":{"type":"float","optional":false},"optional":false,"name":"io.debezium.data.FloatVector","version":1}"#
        );
    }

    #[test]
    fn a_negative_scale_has_room_for_its_zeros() {
        let modifier = (5 << 16 | 0x7FE) + 4;
        let parameters = |scale: u16, precision: u16| {
            format!(
                r#"{{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{{"scale":"{scale}","connect.decimal.precision":"{precision}"}}}}"#
            )
        };
        assert_eq!(schema(&base(1700), modifier, Modes::default()), parameters(0, 7));
        let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
        assert_eq!(schema(&base(1700), modifier, quirky), parameters(2046, 5));
        assert_eq!(schema(&base(1700), (12 << 16 | 3) + 4, quirky), parameters(3, 12));
        // A domain over a domain has the modifier of the first one that has any.
        let price = TypeKind::Domain { base: Box::new(base(1700)), typmod: (10 << 16 | 2) + 4 };
        let over = TypeKind::Domain { base: Box::new(ty(20_001, "price", price)), typmod: -1 };
        assert_eq!(schema(&ty(20_002, "over", over), -1, quirky), parameters(2, 10));
    }

    #[test]
    fn elements_may_be_null_where_debezium_says_so_and_always_without_its_quirks() {
        let mood = || ty(20_000, "mood", TypeKind::Enum { labels: vec!["sad".into(), "o,k".into()] });
        let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
        let items = |optional, rest: &str| {
            format!(
                r#"{{"type":"array","items":{{"type":"string","optional":{optional}{rest}}},"optional":false}}"#
            )
        };
        let allowed = r#","name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"sad,o,k"}"#;
        assert_eq!(schema(&array(mood()), -1, quirky), items(false, allowed));
        assert_eq!(schema(&array(mood()), -1, Modes::default()), items(true, allowed));
        assert_eq!(schema(&array(base(25)), -1, quirky), items(true, ""));
        let citext = ty(20_000, "citext", TypeKind::Base);
        assert_eq!(schema(&array(citext), -1, quirky), items(true, ""));
        let range = ty(3904, "int4range", TypeKind::Range);
        assert_eq!(schema(&array(range), -1, quirky), items(true, ""));
        // A box is optional wherever it stands, a circle is not.
        for (oid, optional, name) in [(603, true, "Geometry"), (718, false, "Circle")] {
            let end = format!(r#"],"optional":{optional},"name":"io.debezium.data.geometry.{name}""#);
            assert!(schema(&array(base(oid)), -1, quirky).contains(&end), "{name}");
        }
    }

    #[test]
    fn arrays_of_bits_are_none_to_debezium() {
        let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
        let bits = r#"{"type":"bytes","optional":false,"name":"io.debezium.data.Bits","version":1,"parameters":{"length":"3"}}"#;
        assert_eq!(schema(&array(base(1560)), 3, quirky), bits);
        assert_eq!(schema(&array(base(1560)), 1, quirky), r#"{"type":"boolean","optional":false}"#);
        assert_eq!(
            schema(&array(base(1560)), 1, Modes::default()),
            r#"{"type":"array","items":{"type":"boolean","optional":true},"optional":false}"#
        );
        // int2vector and oidvector are arrays of one kind or the other.
        for modes in [quirky, Modes::default()] {
            assert!(schema(&base(22), -1, modes).contains("int16"));
            assert!(schema(&base(30), -1, modes).contains("int64"));
        }
    }
}
