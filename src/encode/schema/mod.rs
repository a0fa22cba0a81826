//! Kafka Connect's schemas as JSON, with the bytes that Connect's JsonConverter writes for those of Debezium:
//! `{"schema":…,"payload":…}`. Which schema the values of a column have is said in `value::schema`, beside their form; here is
//! what a schema looks like ([`Schema`]) and what of them never changes; `table_schemas` puts those of a table together.
//!
//! A schema is text that is made once, per relation version or in the binary, and copied in front of each payload.

pub(super) mod fixed;
pub(super) mod structs;

use std::borrow::Cow;

use super::writer::{push_int, push_string};

/// The schema of a value, but for its place: whether it may be null, its default and the name of its field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schema {
    /// `"type":…` and what belongs to the type: `"fields":[…]`, `"items":{…}`.
    body: Cow<'static, [u8]>,
    name: Option<&'static str>,
    /// Of the name.
    version: u8,
    doc: Option<&'static str>,
    parameters: Vec<(&'static str, String)>,
    /// Wherever it stands.
    optional: bool,
}

/// Where a schema stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place<'a> {
    pub optional: bool,
    /// JSON of the default value.
    pub default: Option<&'a [u8]>,
    pub field: Option<&'a str>,
}

impl Schema {
    /// From `"type":…` and what belongs to it, as `structs` has it.
    pub(super) const fn of(body: &'static str) -> Self {
        Self {
            body: Cow::Borrowed(body.as_bytes()),
            name: None,
            version: 0,
            doc: None,
            parameters: Vec::new(),
            optional: false,
        }
    }

    /// With the semantic type's name and its version.
    pub(super) const fn named(mut self, name: &'static str, version: u8) -> Self {
        self.name = Some(name);
        self.version = version;
        self
    }

    pub(super) const fn documented(mut self, doc: &'static str) -> Self {
        self.doc = Some(doc);
        self
    }

    /// Optional whatever the column is.
    pub(super) const fn always_optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// With one parameter more, behind those that there are.
    pub(super) fn with(mut self, parameter: &'static str, value: String) -> Self {
        self.parameters.push((parameter, value));
        self
    }

    /// An array of such values, which may be NULL or not.
    pub(super) fn array(items: &Self, optional: bool) -> Self {
        let mut body = b"\"type\":\"array\",\"items\":".to_vec();
        items.push(Place { optional, ..Place::default() }, &mut body);
        Self { body: body.into(), ..Self::of("") }
    }

    /// Appends the schema, its parts in the converter's order.
    pub(super) fn push(&self, place: Place<'_>, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.body);
        out.extend_from_slice(b",\"optional\":");
        out.extend_from_slice(if place.optional || self.optional { b"true" } else { b"false" });
        if let Some(name) = self.name {
            push_text(b",\"name\":", name, out);
            out.extend_from_slice(b",\"version\":");
            push_int(out, self.version);
        }
        if let Some(doc) = self.doc {
            push_text(b",\"doc\":", doc, out);
        }
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            push_text(if index == 0 { b",\"parameters\":{" } else { b"," }, name, out);
            push_text(b":", value, out);
        }
        if !self.parameters.is_empty() {
            out.push(b'}');
        }
        if let Some(default) = place.default {
            out.extend_from_slice(b",\"default\":");
            out.extend_from_slice(default);
        }
        if let Some(field) = place.field {
            push_text(b",\"field\":", field, out);
        }
        out.push(b'}');
    }
}

/// Appends `text` as a JSON string behind `label`. Names and labels of a database are UTF-8 here.
pub(super) fn push_text(label: &[u8], text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(label);
    let _ = push_string(out, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_in_the_order_of_the_converter() {
        let written = |schema: &Schema, place| {
            let mut out = Vec::new();
            schema.push(place, &mut out);
            String::from_utf8(out).unwrap()
        };
        let bytes = Schema::of(structs::BYTES).named("some.Name", 2).documented("a \"doc\"");
        let whole = bytes.with("scale", "2".into()).with("more", "\\".into());
        assert_eq!(
            written(&whole, Place { optional: false, default: Some(b"\"AA==\""), field: Some("ü\"") }),
            r#"{"type":"bytes","optional":false,"name":"some.Name","version":2,"doc":"a \"doc\"","parameters":{"scale":"2","more":"\\"},"default":"AA==","field":"ü\""}"#
        );
        let array = Schema::array(&Schema::of(structs::INT32), true);
        assert_eq!(
            written(&array, Place { field: Some("a"), ..Place::default() }),
            r#"{"type":"array","items":{"type":"int32","optional":true},"optional":false,"field":"a"}"#
        );
        assert_eq!(
            written(&Schema::of(structs::BOOLEAN).always_optional(), Place::default()),
            r#"{"type":"boolean","optional":true}"#
        );
    }
}
