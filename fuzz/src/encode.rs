//! The writers of values, which parse what the output functions of the server print: every type of a group in all modes.
//! Whatever the text is, each writes JSON or refuses.

#[path = "../../src/encode/default.rs"]
mod default;
#[path = "../../src/encode/schema/mod.rs"]
mod schema;
#[path = "../../src/encode/value/mod.rs"]
mod value;
#[path = "../../src/encode/writer.rs"]
mod writer;

use std::str;

use crate::lsn::Oid;
use crate::modes::{
    BinaryMode, DecimalFormat, DecimalMode, FieldNames, HstoreMode, IntervalMode, Modes, Quirks, Schemas, TextEncoding,
    TimeMode,
};
use crate::source::catalog::{TypeDetails, TypeKind};

/// A type and its modifiers. An OID of the server, or a name for one of an extension.
pub enum Type {
    Own(u32, &'static [i32]),
    Extension(&'static str),
    ArrayOf(u32, u8),
}

use Type::{ArrayOf, Extension, Own};

/// Name of the target, its types, and texts to begin with.
pub const GROUPS: &[(&str, &[Type], &[&str])] = &[
    (
        "value_number",
        &[Own(16, &[-1]), Own(21, &[-1]), Own(20, &[-1]), Own(26, &[-1]), Own(700, &[-1]), Own(701, &[-1])],
        &["t", "-32768", "1.5e-07", "NaN", "-Infinity", "0.30000000000000004"],
    ),
    (
        "value_numeric",
        &[Own(1700, &[-1, 524_294, 0x4_07FE]), Own(790, &[-1])],
        &[
            "1.10",
            "-0.0000000001",
            "NaN",
            "12345678901234567890123456789012345678901.5",
            "-$92,233.08",
            "(1.000,00)",
        ],
    ),
    (
        "value_time",
        &[
            Own(1082, &[-1]),
            Own(1083, &[-1, 0, 3]),
            Own(1114, &[-1, 3]),
            Own(1184, &[-1, 0]),
            Own(1266, &[-1]),
        ],
        &[
            "0044-03-15 BC",
            "24:00:00",
            "12345-06-07 08:09:10.111213",
            "2024-02-29 13:14:15.1+05:45",
            "13:14:15.5-05:30:10",
            "infinity",
        ],
    ),
    (
        "value_interval",
        &[Own(1186, &[-1, 0x7FFF_0003])],
        &["1 year 2 mons -3 days -04:05:06.789", "P1Y-2M3DT4H5M-6.789S", "PT0S", "-infinity"],
    ),
    ("value_bytea", &[Own(17, &[-1]), Own(1560, &[-1, 1]), Own(1562, &[-1])], &["\\xdeadbeef", "10101", ""]),
    (
        "value_geometry",
        &[
            Own(600, &[-1]),
            Own(601, &[-1]),
            Own(602, &[-1]),
            Own(603, &[-1]),
            Own(604, &[-1]),
            Own(628, &[-1]),
            Own(718, &[-1]),
            Extension("geometry"),
            Extension("geography"),
        ],
        &[
            "(1,2)",
            "[(0,0),(1,1)]",
            "(2,3),(0,0)",
            "((0,0),(1,1),(2,0))",
            "{1,2,3}",
            "<(1,2),3.5>",
            "0101000020E6100000000000000000F03F0000000000000040",
        ],
    ),
    ("value_hstore", &[Extension("hstore")], &[r#""a"=>"1", "b"=>NULL, "q\"uote"=>"\\""#]),
    // Ranges, JSON, XML, enums and the like are texts as they are.
    (
        "value_text",
        &[Own(25, &[-1]), Extension("hstore"), ArrayOf(25, b',')],
        &["caf\u{e9} \"\u{1f600}\" \\ \n", "{\u{e9},\"\\\"\u{80}\",NULL}", "\"\u{e9}\\\"\"=>\"\u{ff}\""],
    ),
    (
        "value_vector",
        &[Extension("vector"), Extension("halfvec"), Extension("sparsevec"), Own(22, &[-1])],
        &["[1,2.5]", "{1:1.5,3:2}/5", "1 2"],
    ),
    (
        "value_array",
        &[
            ArrayOf(23, b','),
            ArrayOf(25, b','),
            ArrayOf(17, b','),
            ArrayOf(603, b';'),
            ArrayOf(1114, b','),
            ArrayOf(1186, b','),
        ],
        &[r#"{1,NULL,"a\"b"}"#, "[-1:0][5:6]={{1,2},{3,4}}", "{(2,3),(0,0);(1,1),(0,0)}", r#"{"\\x00"}"#],
    ),
];

/// The types of a target, on one text.
pub fn value(target: &str, text: &[u8]) {
    let encodings = if target == "value_text" { TextEncoding::ALL } else { &[TextEncoding::Utf8] };
    let types = GROUPS.iter().find(|(name, ..)| *name == target).expect("a target has its group").1;
    for ty in types {
        let (details, typmods) = details(ty);
        for &typmod in typmods {
            for modes in all_modes() {
                for encoding in encodings {
                    write((&details, typmod), modes, *encoding, text);
                }
            }
        }
    }
}

/// A column's default, as `pg_get_expr` prints it.
pub fn default_expression(text: &[u8]) {
    if let Ok(expression) = str::from_utf8(text) {
        for oid in [16, 20, 25, 1082, 1700] {
            let (ty, _) = details(&Own(oid, &[]));
            default::default_text(expression, &ty, false);
            default::default_text(expression, &ty, true);
        }
    }
}

fn write((ty, typmod): (&TypeDetails, i32), modes: Modes, encoding: TextEncoding, text: &[u8]) {
    let Some(writer) = value::choose(ty, typmod, modes) else { return };
    let mut out = b"before".to_vec();
    let mut scratch = value::Scratch::default();
    scratch.texts.encoding = encoding;
    if writer.write(text, &mut out, &mut scratch).is_ok() {
        let json = out.strip_prefix(b"before").expect("what was there stays");
        serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("JSON");
    }
}

fn details(ty: &Type) -> (TypeDetails, &'static [i32]) {
    let named =
        |oid, name: &str, kind| TypeDetails { oid: Oid(oid), schema: String::new(), name: name.into(), kind };
    match *ty {
        Own(oid, typmods) => (named(oid, "", TypeKind::Base), typmods),
        Extension(name) => (named(20_000, name, TypeKind::Base), &[-1]),
        ArrayOf(oid, delimiter) => {
            let element = Box::new(named(oid, "", TypeKind::Base));
            (named(20_000, "", TypeKind::Array { element, delimiter }), &[-1])
        }
    }
}

/// Every mode of every key, once without and once with Debezium's quirks.
fn all_modes() -> impl Iterator<Item = Modes> {
    let quirks =
        Quirks::ALL.iter().flat_map(|quirks| (0..TimeMode::ALL.len()).map(move |index| (quirks, index)));
    quirks.map(|(quirks, index)| Modes {
        decimal: DecimalMode::ALL[index % 3],
        decimal_format: DecimalFormat::ALL[index % 2],
        time: TimeMode::ALL[index],
        interval: IntervalMode::ALL[index % 2],
        hstore: HstoreMode::ALL[index % 2],
        binary: BinaryMode::ALL[index % 4],
        money_fraction_digits: [2, 0, 15][index % 3],
        unknown_types: true,
        unmapped_arrays: true,
        null_as_default: false,
        field_names: FieldNames::ALL[index % 3],
        schema_names: FieldNames::ALL[(index + 1) % 3],
        quirks: *quirks,
        schemas: Schemas::ALL[index % 4],
        ..Modes::default()
    })
}
