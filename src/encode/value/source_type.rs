//! What Debezium adds to the parameters of a column's schema: its type where `column.propagate.source.type` asks for it, and how
//! its values are hidden.
//! Length and scale are those that the JDBC driver works out (pgjdbc's `TypeInfoCache`: `getPrecision`, `getDisplaySize`, `getScale`).

use super::oid::{
    BIT, BOOL, BPCHAR, CHAR, DATE, FLOAT4, FLOAT8, INT2, INT2VECTOR, INT4, INT8, INTERVAL, NUMERIC, OID,
    OIDVECTOR, TIME, TIMESTAMP, TIMESTAMPTZ, TIMETZ, VARBIT, VARCHAR,
};
use crate::encode::schema::Schema;
use crate::event::Column;
use crate::masks::Mask;
use crate::source::catalog::{TypeDetails, TypeKind};

/// The schema with the parameters of the column.
pub(in crate::encode) fn with_source_type(schema: Schema, column: &Column) -> Schema {
    let Column { name, ty, typmod, .. } = column;
    let (base, typmod) = base_of(ty, *typmod);
    schema
        .with("__debezium.source.column.type", column.driver_type().to_uppercase())
        .with("__debezium.source.column.length", length(base.oid.0, typmod).to_string())
        .with("__debezium.source.column.scale", scale(base.oid.0, typmod).to_string())
        .with("__debezium.source.column.name", name.clone())
}

/// The schema of a column that `mask` hides, with the parameter that says so. What is never longer than it may be is not
/// said to be cut.
pub(in crate::encode) fn with_mask(schema: Schema, mask: &Mask, ty: &TypeDetails, typmod: i32) -> Schema {
    let (base, typmod) = base_of(ty, typmod);
    match mask {
        Mask::Stars { .. } | Mask::Hash { .. } => schema.with("masked", "true".to_owned()),
        Mask::Truncate { chars }
            if usize::try_from(length(base.oid.0, typmod)).is_ok_and(|most| most > *chars) =>
        {
            schema.with("truncateLength", chars.to_string())
        }
        Mask::Truncate { .. } => schema,
    }
}

/// What an array or a domain is made of, and the modifier that counts.
fn base_of(ty: &TypeDetails, typmod: i32) -> (&TypeDetails, i32) {
    match &ty.kind {
        // Its elements are no concern of the driver.
        _ if matches!(ty.oid.0, INT2VECTOR | OIDVECTOR) => (ty, typmod),
        TypeKind::Array { element, .. } => base_of(element, typmod),
        TypeKind::Domain { base, typmod: own } => base_of(base, if typmod < 0 { *own } else { typmod }),
        _ => (ty, typmod),
    }
}

fn length(oid: u32, typmod: i32) -> i32 {
    match oid {
        BOOL | CHAR => 1,
        INT2 => 5,
        INT4 | OID => 10,
        INT8 => 19,
        FLOAT4 => 8,
        FLOAT8 => 17,
        // As wide as the longest there is.
        NUMERIC if typmod < 0 => 131_089,
        NUMERIC => (typmod - 4) >> 16 & 0xFFFF,
        BPCHAR | VARCHAR if typmod >= 4 => typmod - 4,
        DATE => 13,
        TIME => 8 + fraction(typmod),
        TIMETZ => 8 + fraction(typmod) + 6,
        TIMESTAMP => 22 + fraction(typmod),
        TIMESTAMPTZ => 22 + fraction(typmod) + 6,
        INTERVAL => 49,
        BIT | VARBIT if typmod >= 0 => typmod,
        _ => i32::MAX,
    }
}

/// Characters behind the seconds.
fn fraction(typmod: i32) -> i32 {
    match typmod {
        0 => 0,
        1 => 3,
        digits if digits < 0 => 7,
        digits => digits + 1,
    }
}

fn scale(oid: u32, typmod: i32) -> i32 {
    match oid {
        FLOAT4 => 8,
        FLOAT8 => 17,
        NUMERIC if typmod >= 0 => (typmod - 4) & 0xFFFF,
        TIME | TIMETZ | TIMESTAMP | TIMESTAMPTZ | INTERVAL if typmod < 0 => 6,
        TIME | TIMETZ | TIMESTAMP | TIMESTAMPTZ => typmod,
        INTERVAL => typmod & 0xFFFF,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::schema::{Place, structs};
    use crate::lsn::Oid;

    fn parameters(ty: &TypeDetails, typmod: i32) -> [String; 4] {
        let mut out = Vec::new();
        let column = Column {
            name: "c".into(),
            ty: ty.clone(),
            typmod,
            not_null: false,
            default: None,
            identity: false,
            selected: true,
            mask: None,
        };
        with_source_type(Schema::of(structs::STRING), &column).push(Place::default(), &mut out);
        let schema: serde_json::Value = serde_json::from_slice(&out).unwrap();
        ["type", "length", "scale", "name"].map(|part| {
            let name = format!("__debezium.source.column.{part}");
            schema["parameters"][name].as_str().unwrap().to_owned()
        })
    }

    fn base(oid: u32, name: &str) -> TypeDetails {
        TypeDetails { oid: Oid(oid), schema: String::new(), name: name.into(), kind: TypeKind::Base }
    }

    #[test]
    fn lengths_and_scales_are_those_of_the_driver() {
        for (oid, name, typmod, [upper, length, scale]) in [
            (23, "int4", -1, ["INT4", "10", "0"]),
            (1043, "varchar", 24, ["VARCHAR", "20", "0"]),
            (1700, "numeric", (10 << 16 | 3) + 4, ["NUMERIC", "10", "3"]),
            (1184, "timestamptz", 3, ["TIMESTAMPTZ", "32", "3"]),
            (25, "text", -1, ["TEXT", "2147483647", "0"]),
            (1700, "numeric", -1, ["NUMERIC", "131089", "0"]),
            (1114, "timestamp", -1, ["TIMESTAMP", "29", "6"]),
            (1083, "time", 0, ["TIME", "8", "0"]),
            (1186, "interval", 0x7FFF_0002, ["INTERVAL", "49", "2"]),
            (1560, "bit", 3, ["BIT", "3", "0"]),
            (701, "float8", -1, ["FLOAT8", "17", "17"]),
        ] {
            assert_eq!(parameters(&base(oid, name), typmod), [upper, length, scale, "c"], "{name}({typmod})");
        }
        let kind = TypeKind::Array { element: Box::new(base(23, "int4")), delimiter: b',' };
        assert_eq!(parameters(&TypeDetails { kind, ..base(1007, "_int4") }, -1), ["_INT4", "10", "0", "c"]);
        let kind = TypeKind::Array { element: Box::new(base(21, "int2")), delimiter: b',' };
        let vector = TypeDetails { kind, ..base(22, "int2vector") };
        assert_eq!(parameters(&vector, -1), ["INT2VECTOR", "2147483647", "0", "c"]);
        let kind = TypeKind::Domain { base: Box::new(base(1043, "varchar")), typmod: 9 };
        assert_eq!(parameters(&TypeDetails { kind, ..base(20_000, "code") }, -1), ["CODE", "5", "0", "c"]);
    }

    #[test]
    fn what_is_hidden_is_told() {
        let told = |mask: Mask, oid, typmod| {
            let mut out = Vec::new();
            let schema = with_mask(Schema::of(structs::STRING), &mask, &base(oid, "t"), typmod);
            schema.push(Place::default(), &mut out);
            String::from_utf8(out).unwrap()
        };
        let plain = r#"{"type":"string","optional":false}"#;
        assert_eq!(
            told(Mask::Stars { chars: 3 }, 25, -1),
            r#"{"type":"string","optional":false,"parameters":{"masked":"true"}}"#
        );
        let cut = r#"{"type":"string","optional":false,"parameters":{"truncateLength":"5"}}"#;
        assert_eq!(told(Mask::Truncate { chars: 5 }, 25, -1), cut);
        assert_eq!(told(Mask::Truncate { chars: 5 }, 1043, 10), cut);
        assert_eq!(told(Mask::Truncate { chars: 5 }, 1043, 9), plain);
    }
}
