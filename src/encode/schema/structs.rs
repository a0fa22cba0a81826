//! `"type":…` of each schema, and for structs, arrays and maps their inner schemas, which never change. Names and order are those of
//! Debezium 3.7's `SchemaFactory`, `io.debezium.data` and `io.debezium.time`.

/// `{"type":…,"optional":…,"field":…}`
macro_rules! field {
    ($type:literal, $optional:literal, $name:literal) => {
        concat!("{\"type\":\"", $type, "\",\"optional\":", $optional, ",\"field\":\"", $name, "\"}")
    };
}

/// `"type":"struct","fields":[…]`
macro_rules! fields {
    ($first:expr $(, $other:expr)* $(,)?) => {
        concat!("\"type\":\"struct\",\"fields\":[", $first $(, ",", $other)*, "]")
    };
}

pub(in crate::encode) use {field, fields};

pub(in crate::encode) const BOOLEAN: &str = "\"type\":\"boolean\"";
pub(in crate::encode) const INT16: &str = "\"type\":\"int16\"";
pub(in crate::encode) const INT32: &str = "\"type\":\"int32\"";
pub(in crate::encode) const INT64: &str = "\"type\":\"int64\"";
pub(in crate::encode) const FLOAT: &str = "\"type\":\"float\"";
pub(in crate::encode) const DOUBLE: &str = "\"type\":\"double\"";
pub(in crate::encode) const STRING: &str = "\"type\":\"string\"";
pub(in crate::encode) const BYTES: &str = "\"type\":\"bytes\"";

/// `hstore` as a map: values may be NULL, keys may not.
pub(in crate::encode) const TEXT_MAP: &str = concat!(
    "\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":false}",
    ",\"values\":{\"type\":\"string\",\"optional\":true}"
);

/// pgvector's `vector` and `halfvec`.
pub(in crate::encode) const DOUBLES: &str =
    "\"type\":\"array\",\"items\":{\"type\":\"double\",\"optional\":false}";
pub(in crate::encode) const FLOATS: &str =
    "\"type\":\"array\",\"items\":{\"type\":\"float\",\"optional\":false}";

/// pgvector's `sparsevec`.
pub(in crate::encode) const SPARSE_VECTOR: &str = fields!(
    field!("int16", false, "dimensions"),
    concat!(
        "{\"type\":\"map\",\"keys\":{\"type\":\"int16\",\"optional\":false}",
        ",\"values\":{\"type\":\"double\",\"optional\":false},\"optional\":false,\"field\":\"vector\"}"
    ),
);

pub(in crate::encode) const VARIABLE_DECIMAL: &str =
    fields!(field!("int32", false, "scale"), field!("bytes", false, "value"));

macro_rules! point {
    () => {
        fields!(
            field!("double", false, "x"),
            field!("double", false, "y"),
            field!("bytes", true, "wkb"),
            field!("int32", true, "srid"),
        )
    };
}

pub(in crate::encode) const POINT: &str = point!();

pub(in crate::encode) const LINE: &str =
    fields!(field!("double", false, "a"), field!("double", false, "b"), field!("double", false, "c"));

pub(in crate::encode) const CIRCLE: &str = fields!(
    concat!(
        "{",
        point!(),
        ",\"optional\":false,\"name\":\"io.debezium.data.geometry.Point\",\"version\":1",
        ",\"doc\":\"Geometry (POINT)\",\"field\":\"center\"}"
    ),
    field!("double", false, "radius"),
);

pub(in crate::encode) const GEOMETRY: &str = fields!(
    field!("bytes", false, "wkb"),
    field!("int32", true, "srid"),
    concat!(
        "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":false}",
        ",\"values\":{\"type\":\"string\",\"optional\":false},\"optional\":true,\"field\":\"extensions\"}"
    ),
);

pub(in crate::encode) const GEOGRAPHY: &str =
    fields!(field!("bytes", false, "wkb"), field!("int32", true, "srid"));

pub(in crate::encode) const DATE: &str = fields!(
    field!("int32", true, "year"),
    field!("int8", true, "month"),
    field!("int8", true, "day"),
    field!("string", true, "specialValue"),
);

pub(in crate::encode) const TIME: &str = fields!(
    field!("int8", true, "hour"),
    field!("int8", true, "minute"),
    field!("int8", true, "second"),
    field!("int32", true, "nanos"),
    field!("int32", true, "precision"),
);

pub(in crate::encode) const ZONED_TIME: &str = fields!(
    field!("int8", true, "hour"),
    field!("int8", true, "minute"),
    field!("int8", true, "second"),
    field!("int32", true, "nanos"),
    field!("int32", true, "offsetSeconds"),
    field!("int32", true, "precision"),
);

pub(in crate::encode) const TIMESTAMP: &str = fields!(
    field!("int32", true, "year"),
    field!("int8", true, "month"),
    field!("int8", true, "day"),
    field!("int8", true, "hour"),
    field!("int8", true, "minute"),
    field!("int8", true, "second"),
    field!("int32", true, "nanos"),
    field!("string", true, "specialValue"),
    field!("int32", true, "precision"),
);

pub(in crate::encode) const ZONED_TIMESTAMP: &str = fields!(
    field!("int32", true, "year"),
    field!("int8", true, "month"),
    field!("int8", true, "day"),
    field!("int8", true, "hour"),
    field!("int8", true, "minute"),
    field!("int8", true, "second"),
    field!("int32", true, "nanos"),
    field!("int32", true, "offsetSeconds"),
    field!("string", true, "zoneId"),
    field!("string", true, "specialValue"),
    field!("int32", true, "precision"),
);

pub(in crate::encode) const DURATION: &str = fields!(
    field!("int32", true, "years"),
    field!("int32", true, "months"),
    field!("int32", true, "days"),
    field!("int32", true, "hours"),
    field!("int32", true, "minutes"),
    field!("int64", true, "seconds"),
    field!("int32", true, "nanos"),
    field!("int32", true, "precision"),
);
