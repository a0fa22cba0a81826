//! What stands in for a value that the stream does not carry: the filler of a NOT NULL column in a row of which only the
//! key is known, and the placeholder of a TOASTed value that an update did not change. Rendered once per column.

use md5::{Digest as _, Md5};

use super::geometry;
use super::money::MoneyForm;
use super::structured::Structured;
use super::{Scratch, ValueWriter, binary, oid, postgis, vector};
use crate::encode::default::default_text;
use crate::encode::writer::{push_int, push_string};
use crate::event::Column;
use crate::modes::{BinaryMode, Modes, TimeMode};
use crate::source::catalog::{TypeDetails, TypeKind};

/// The stand-ins of one column, as JSON.
#[derive(Debug)]
pub(in crate::encode) struct StandIns {
    /// In a row of which only the key is known: null, or the filler of a NOT NULL column.
    pub unknown: Vec<u8>,
    /// For an unchanged TOASTed value.
    pub unavailable: Vec<u8>,
    /// For a NULL, when that is written as the column's default.
    pub null: Option<Box<[u8]>>,
}

impl StandIns {
    /// The same for everything.
    pub(in crate::encode) fn constant(json: &[u8]) -> Self {
        Self { unknown: json.to_vec(), unavailable: json.to_vec(), null: Some(json.into()) }
    }

    /// All for `column`; `placeholder` is `events.unavailable_value_placeholder`.
    pub(in crate::encode) fn new(
        column: &Column,
        writer: &ValueWriter,
        placeholder: &str,
        modes: Modes,
    ) -> Self {
        let default = default_of(column, writer, modes);
        let null = default.clone().filter(|_| modes.null_as_default);
        let unknown = match (default, &null) {
            (default, _) if column.not_null => default.unwrap_or_else(|| zero(writer)),
            (_, Some(default)) => default.clone(),
            (_, None) => b"null".to_vec(),
        };
        let unavailable = if modes.quirky() {
            unavailable_to_debezium(&column.ty, writer, placeholder.as_bytes(), modes)
        } else if modes.schemas.value() && !holds_text(writer) {
            // A text in its place would be no value of the schema, and the whole record unreadable. The header still says it.
            b"null".to_vec()
        } else {
            unavailable(writer, placeholder.as_bytes())
        };
        Self { unknown, unavailable, null: null.map(Vec::into_boxed_slice) }
    }

    /// The filler is a value of the column, and hidden as such.
    pub(in crate::encode) fn hide_unknown(&mut self, masked: &ValueWriter) {
        if let Ok(text) = serde_json::from_slice::<String>(&self.unknown) {
            self.unknown = written(masked, text.as_bytes());
        }
    }
}

/// The default as it stands in the schema of a column. A struct cannot be one (KAFKA-12694).
pub(in crate::encode) fn default_of(column: &Column, writer: &ValueWriter, modes: Modes) -> Option<Vec<u8>> {
    let writer = match writer {
        _ if is_struct(writer) => return None,
        // A schema tells how a column is hidden, and hides nothing itself.
        ValueWriter::Masked(_) => &ValueWriter::Text,
        // A default is no value that the driver reads.
        ValueWriter::Quirk(quirk) => quirk.without_driver().unwrap_or(writer),
        writer => writer,
    };
    let text = default_text(column.default.as_deref()?, &column.ty, modes.quirky())?;
    if let Some(end) = end_of_java(writer, &text).filter(|_| modes.quirky()) {
        return (end != b"null").then(|| end.to_vec());
    }
    let mut out = Vec::new();
    let written = writer.write(text.as_bytes(), &mut out, &mut Scratch::default());
    (written.is_ok() && out != b"null").then_some(out)
}

/// Debezium reads defaults as Java's dates and times: an infinity is the first or last of them, and 24:00 the last moment of a day. Null is
/// for what has no place in the form then.
fn end_of_java(writer: &ValueWriter, text: &str) -> Option<&'static [u8]> {
    let writer = match writer {
        ValueWriter::Quirk(quirk) => &quirk.honest(),
        writer => writer,
    };
    let form: &[u8] = match (writer, text) {
        // Days beyond 32 bits, cut to them.
        (ValueWriter::Date, "infinity") => b"169560311",
        (ValueWriter::Date, "-infinity") => b"-170999002",
        (ValueWriter::IsoDate, "infinity") => b"\"+999999999-12-31Z\"",
        (ValueWriter::IsoDate, "-infinity") => b"\"-999999999-01-01Z\"",
        (ValueWriter::TimestampMicros, "infinity") => b"-9223372036853775810",
        (ValueWriter::TimestampMicros, "-infinity") => b"-9223372036854775808",
        (ValueWriter::IsoTimestamp, "infinity") => b"\"+999999999-12-31T23:59:59.999999999Z\"",
        (ValueWriter::IsoTimestamp, "-infinity") => b"\"-999999999-01-01T00:00:00Z\"",
        (ValueWriter::TimestampMillis | ValueWriter::TimestampNanos, "infinity" | "-infinity") => b"null",
        (ValueWriter::TimeMillis, "24:00:00") => b"86399999",
        (ValueWriter::TimeMicros, "24:00:00") => b"86399999999",
        (ValueWriter::TimeNanos, "24:00:00") => b"86399999999999",
        (ValueWriter::IsoTime, "24:00:00") => b"\"23:59:59.999999999Z\"",
        _ => return None,
    };
    Some(form)
}

fn is_struct(writer: &ValueWriter) -> bool {
    match writer {
        ValueWriter::VariableDecimal | ValueWriter::Structured(_) => true,
        ValueWriter::Quirk(quirk) => is_struct(&quirk.honest()),
        _ => false,
    }
}

/// Debezium's zero of the type.
fn zero(writer: &ValueWriter) -> Vec<u8> {
    let text: &[u8] = match writer {
        ValueWriter::Bool | ValueWriter::Bit => b"false",
        ValueWriter::Int { .. }
        | ValueWriter::Date
        | ValueWriter::TimeMillis
        | ValueWriter::TimeMicros
        | ValueWriter::TimeNanos
        | ValueWriter::TimestampMillis
        | ValueWriter::TimestampMicros
        | ValueWriter::TimestampNanos
        | ValueWriter::Interval => b"0",
        ValueWriter::Float4
        | ValueWriter::Float8
        | ValueWriter::DecimalDouble
        | ValueWriter::Money { form: MoneyForm::Double, .. } => b"0.0",
        ValueWriter::Decimal { .. } | ValueWriter::Money { form: MoneyForm::Unscaled, .. } => b"\"AA==\"",
        ValueWriter::VariableDecimal => b"{\"scale\":0,\"value\":\"AA==\"}",
        ValueWriter::Text
        | ValueWriter::Bytea(_)
        | ValueWriter::TextBytes(_)
        | ValueWriter::Bits
        // Its stand-ins are those of the text.
        | ValueWriter::Masked(_) => b"\"\"",
        ValueWriter::ZonedTimestamp { .. } | ValueWriter::IsoTimestamp => b"\"1970-01-01T00:00:00Z\"",
        ValueWriter::ZonedTime | ValueWriter::IsoTime => b"\"00:00:00Z\"",
        ValueWriter::IsoDate => b"\"1970-01-01Z\"",
        ValueWriter::IntervalText => b"\"P0Y0M0DT0H0M0S\"",
        ValueWriter::Hstore => b"\"{}\"",
        ValueWriter::HstoreMap => b"{}",
        ValueWriter::Embedding(vector::Kind::Sparse) => b"{\"dimensions\":0,\"vector\":[]}",
        ValueWriter::Array(_) | ValueWriter::Vector | ValueWriter::Embedding(_) => b"[]",
        ValueWriter::Geometry(shape) => return geometry::zero(*shape),
        ValueWriter::DecimalNumber { .. } | ValueWriter::DecimalText { .. } => return written(writer, b"0"),
        // As many digits as the mode wants, which values do not have.
        ValueWriter::Money { form: MoneyForm::Text, digits } => {
            let point = if *digits > 0 { "." } else { "" };
            return format!("\"0{point}{}\"", "0".repeat((*digits).into())).into_bytes();
        }
        ValueWriter::Money { .. } => return written(writer, b"$0.00"),
        ValueWriter::Structured(form) => return Structured::without_zone(written(writer, form.zero())),
        ValueWriter::Postgis(_) => return written(writer, postgis::EMPTY),
        ValueWriter::Quirk(quirk) => return zero(&quirk.honest()),
    };
    text.to_vec()
}

/// The form of a text that is known to have one.
fn written(writer: &ValueWriter, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match writer.write(text, &mut out, &mut Scratch::default()) {
        Ok(()) => out,
        Err(_) => b"null".to_vec(),
    }
}

/// The placeholder in the form of the type: base64 for bytes, its character codes in an array of integers, an array of
/// one for other arrays, and the text itself for all else, numbers included: null would say something false.
fn unavailable(writer: &ValueWriter, placeholder: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match writer {
        ValueWriter::Bits => binary::push_bytes(placeholder, BinaryMode::Bytes, &mut out),
        // Hexadecimal digits of it would be taken for a value.
        ValueWriter::Bytea(mode) | ValueWriter::TextBytes(mode) if *mode != BinaryMode::Hex => {
            binary::push_bytes(placeholder, *mode, &mut out);
        }
        ValueWriter::Array(array) if matches!(*array.element, ValueWriter::Int { .. }) => {
            return codes(placeholder);
        }
        ValueWriter::Array(array) => {
            out.push(b'[');
            out.extend_from_slice(&unavailable(&array.element, placeholder));
            out.push(b']');
        }
        ValueWriter::HstoreMap => {
            let _ = push_string(&mut out, placeholder);
            let text = [b"{", &*out, b":", &*out, b"}"].concat();
            out = text;
        }
        _ => {
            // The configuration is UTF-8.
            let _ = push_string(&mut out, placeholder);
        }
    }
    out
}

/// Whether the placeholder is a value of the form's schema.
fn holds_text(writer: &ValueWriter) -> bool {
    match writer {
        ValueWriter::Text
        | ValueWriter::Bytea(_)
        | ValueWriter::TextBytes(_)
        | ValueWriter::Bits
        | ValueWriter::Hstore
        | ValueWriter::HstoreMap
        | ValueWriter::DecimalText { .. }
        | ValueWriter::IntervalText => true,
        ValueWriter::Array(array) => {
            matches!(*array.element, ValueWriter::Int { .. }) || holds_text(&array.element)
        }
        ValueWriter::Quirk(quirk) => holds_text(&quirk.honest()),
        _ => false,
    }
}

/// What Debezium has a form for, by the type of the column and not by its form, else null.
fn unavailable_to_debezium(
    ty: &TypeDetails,
    writer: &ValueWriter,
    placeholder: &[u8],
    modes: Modes,
) -> Vec<u8> {
    let writer = match writer {
        ValueWriter::Quirk(quirk) => &quirk.honest(),
        writer => writer,
    };
    let known = match (writer, &ty.kind) {
        (ValueWriter::Array(array), TypeKind::Array { element, .. }) if element.kind == TypeKind::Base => {
            match element.oid.0 {
                oid::UUID => return format!("[\"{}\"]", name_uuid(placeholder)).into_bytes(),
                // A list of integers where the schema wants such, of bytes where it wants those.
                oid::DATE if modes.time == TimeMode::Connect => false,
                oid::DATE if array.element.is_date() => return codes(placeholder),
                oid::BYTEA => modes.binary == BinaryMode::Bytes,
                other => ARRAYS_WITH_PLACEHOLDER.contains(&other),
            }
        }
        (ValueWriter::Hstore, _) => {
            let object = unavailable(&ValueWriter::HstoreMap, placeholder);
            let mut out = Vec::new();
            let _ = push_string(&mut out, &object);
            return out;
        }
        (ValueWriter::Bytea(mode), _) => matches!(mode, BinaryMode::Bytes | BinaryMode::Hex),
        (writer, _) => matches!(
            writer,
            ValueWriter::Text
                | ValueWriter::TextBytes(_)
                | ValueWriter::HstoreMap
                | ValueWriter::DecimalText { .. }
        ),
    };
    if known { unavailable(writer, placeholder) } else { b"null".to_vec() }
}

/// Elements that Debezium has a placeholder for, beside dates and UUIDs (`UnchangedToastedReplicationMessageColumn`).
const ARRAYS_WITH_PLACEHOLDER: [u32; 8] =
    [oid::TEXT, oid::VARCHAR, oid::BPCHAR, oid::JSON, oid::JSONB, oid::BYTEA, oid::INT4, oid::INT8];

/// The placeholder's bytes as numbers, with a sign as in Java.
fn codes(placeholder: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, byte) in placeholder.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        push_int(&mut out, i8::from_ne_bytes([*byte]));
    }
    out.push(b']');
    out
}

/// Java's `UUID.nameUUIDFromBytes`: version 3, without a namespace.
fn name_uuid(name: &[u8]) -> String {
    let digest = u128::from_be_bytes(Md5::digest(name).into());
    let uuid = digest & !(0xF << 76) & !(0b11 << 62) | 3 << 76 | 0b10 << 62;
    let part =
        |shift: u32, digits: usize| format!("{:01$x}", uuid >> shift & ((1 << (4 * digits)) - 1), digits);
    [part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12)].join("-")
}

#[cfg(test)]
mod tests {
    use super::super::choose;
    use super::*;
    use crate::lsn::Oid;
    use crate::modes::{Quirks, Schemas, Via};

    fn base(oid: u32) -> TypeDetails {
        TypeDetails { oid: Oid(oid), schema: "pg_catalog".into(), name: String::new(), kind: TypeKind::Base }
    }

    fn array(oid: u32) -> TypeDetails {
        TypeDetails {
            kind: TypeKind::Array { element: Box::new(base(oid)), delimiter: b',' },
            ..base(oid + 10_000)
        }
    }

    fn column(ty: TypeDetails, typmod: i32) -> Column {
        Column {
            name: "c".into(),
            ty,
            typmod,
            not_null: false,
            default: None,
            identity: false,
            selected: true,
            mask: None,
        }
    }

    fn stand_ins(ty: TypeDetails, typmod: i32, not_null: bool, default: Option<&str>) -> (String, String) {
        let writer = choose(&ty, typmod, Modes::default()).unwrap();
        let column = Column { not_null, default: default.map(Into::into), ..column(ty, typmod) };
        let both = StandIns::new(&column, &writer, "__debezium_unavailable_value", Modes::default());
        (String::from_utf8(both.unknown).unwrap(), String::from_utf8(both.unavailable).unwrap())
    }

    #[test]
    fn not_null_columns_get_a_zero() {
        for (oid, typmod, expected) in [
            (23, -1, "0"),
            (16, -1, "false"),
            (25, -1, "\"\""),
            (1042, 8, "\"\""),
            (1700, -1, r#"{"scale":0,"value":"AA=="}"#),
            (1700, (6 << 16 | 2) + 4, "\"AA==\""),
            (701, -1, "0.0"),
            (1082, -1, "0"),
            (1184, -1, "\"1970-01-01T00:00:00Z\""),
            (1266, -1, "\"00:00:00Z\""),
            (1186, -1, "0"),
            (2950, -1, "\"\""),
            (17, -1, "\"\""),
            (1560, 3, "\"\""),
            (1560, 1, "false"),
            (790, -1, "\"AA==\""),
            (600, -1, r#"{"x":0.0,"y":0.0,"wkb":"AQEAAAAAAAAAAAAAAAAAAAAAAAAA","srid":null}"#),
        ] {
            assert_eq!(stand_ins(base(oid), typmod, true, None).0, expected, "{oid}");
            assert_eq!(stand_ins(base(oid), typmod, false, None).0, "null", "{oid}");
        }
        assert_eq!(stand_ins(array(23), -1, true, Some("'{1}'::integer[]")).0, "[]");
        let money = |digits| zero(&ValueWriter::Money { digits, form: MoneyForm::Text });
        assert_eq!(
            [money(0), money(4)].map(|zero| String::from_utf8(zero).unwrap()),
            ["\"0\"", "\"0.0000\""]
        );
        assert_eq!(zero(&ValueWriter::Hstore), b"\"{}\"");
    }

    #[test]
    fn or_their_constant_default() {
        for (oid, typmod, default, expected) in [
            (23, -1, "6", "6"),
            (20, -1, "'-7'::integer", "-7"),
            (23, -1, "nextval('sq'::regclass)", "0"),
            (25, -1, "'it''s'::text", "\"it's\""),
            (25, -1, "lower('ABC'::text)", "\"\""),
            (16, -1, "true", "true"),
            (1700, (6 << 16 | 2) + 4, "1.5", "\"AJY=\""),
            (1700, -1, "2.25", r#"{"scale":0,"value":"AA=="}"#),
            (701, -1, "2.5", "2.5"),
            (1184, -1, "now()", "\"1970-01-01T00:00:00.000000Z\""),
            (
                1184,
                -1,
                "'2024-02-29 12:34:56+00'::timestamp with time zone",
                "\"2024-02-29T12:34:56.000000Z\"",
            ),
            (1082, -1, "CURRENT_DATE", "0"),
            (2950, -1, "gen_random_uuid()", "\"00000000-0000-0000-0000-000000000000\""),
            (3802, -1, "'{\"a\": 1}'::jsonb", r#""{\"a\": 1}""#),
            (1186, -1, "'1 day'::interval", "86400000000"),
            (1560, 3, "'101'::\"bit\"", "\"BQ==\""),
        ] {
            assert_eq!(stand_ins(base(oid), typmod, true, Some(default)).0, expected, "{default}");
        }
    }

    /// The recordings `defaults_constants*`.
    #[test]
    fn defaults_beyond_a_row_are_those_of_java() {
        let default = |oid, typmod, text: &str, time| {
            let modes = Modes { time, quirks: Quirks::Debezium, ..Modes::default() };
            let writer = choose(&base(oid), typmod, modes).unwrap();
            let column = Column { default: Some(text.into()), ..column(base(oid), typmod) };
            default_of(&column, &writer, modes).map(|json| String::from_utf8(json).unwrap())
        };
        let infinity = "'infinity'::timestamp without time zone";
        for (oid, typmod, text, time, expected) in [
            (oid::TIMESTAMP, -1, infinity, TimeMode::Adaptive, Some("-9223372036853775810")),
            (oid::TIMESTAMP, 3, infinity, TimeMode::Adaptive, None),
            (oid::TIMESTAMP, -1, infinity, TimeMode::Connect, None),
            (
                oid::TIMESTAMP,
                -1,
                infinity,
                TimeMode::IsoString,
                Some("\"+999999999-12-31T23:59:59.999999999Z\""),
            ),
            (oid::DATE, -1, "'-infinity'::date", TimeMode::Adaptive, Some("-170999002")),
            (oid::TIME, -1, "'24:00:00'::time without time zone", TimeMode::Adaptive, Some("86399999999")),
            (oid::TIMESTAMP, -1, "'2020-01-01'::date", TimeMode::Adaptive, Some("1577836800000000")),
            (
                oid::TIMESTAMPTZ,
                0,
                "'2020-06-01 12:00:00.7+00'::timestamp with time zone",
                TimeMode::Adaptive,
                Some("\"2020-06-01T12:00:00.7Z\""),
            ),
        ] {
            assert_eq!(default(oid, typmod, text, time).as_deref(), expected, "{text} {time:?}");
        }
        let modes = Modes { via: Via::Driver, quirks: Quirks::Debezium, ..Modes::default() };
        let writer = choose(&base(oid::DATE), -1, modes).unwrap();
        let column = Column { default: Some("'0044-03-15 BC'::date".into()), ..column(base(oid::DATE), -1) };
        assert_eq!(default_of(&column, &writer, modes).unwrap(), b"-735160", "not as the driver reads it");
    }

    #[test]
    fn names_are_uuids_as_java_makes_them() {
        // The recording `toast_types`.
        assert_eq!(name_uuid(b"__debezium_unavailable_value"), "b68a35a7-17ad-35b3-af2a-ae46edb4545a");
    }

    #[test]
    fn with_a_schema_the_placeholder_is_a_value_of_it_or_null() {
        let modes = Modes { schemas: Schemas::Both, ..Modes::default() };
        for (ty, fits) in [
            (base(25), true),
            (base(17), true),
            (array(25), true),
            (array(23), true),
            (base(1700), false),
            (array(1700), false),
            (array(701), false),
            (base(604), false),
        ] {
            let writer = choose(&ty, -1, modes).unwrap();
            let column = column(ty, -1);
            let both = StandIns::new(&column, &writer, "gone", modes);
            assert_eq!(both.unavailable != b"null", fits, "{writer:?}");
        }
    }

    #[test]
    fn unchanged_toast_is_never_null() {
        let codes = "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]";
        for (ty, expected) in [
            (base(25), "\"__debezium_unavailable_value\""),
            (base(17), "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\""),
            (array(25), "[\"__debezium_unavailable_value\"]"),
            (array(23), codes),
            (base(1700), "\"__debezium_unavailable_value\""),
        ] {
            assert_eq!(stand_ins(ty, -1, false, None).1, expected);
        }
    }
}
