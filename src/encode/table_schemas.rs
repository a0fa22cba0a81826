//! The schemas of one table's records. Kept as the parts that differ from table to table: both rows have the same schema, and
//! the blocks around them are everybody's.

use super::names;
use super::plan::ColumnPlan;
use super::schema::fixed::ENVELOPE;
use super::schema::{Place, Schema, push_text};
use super::value::{default_of, is_always_optional, schema_of, with_mask, with_source_type};
use crate::event::{Column, Table};
use crate::modes::Modes;

/// What the schemas of a table say beside what the table is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Naming<'a> {
    /// The name of the table's topic, after which its structs are called.
    pub topic: &'a str,
    /// For each column whether its type in the source is among the parameters of its schema in values.
    pub source_types: &'a [bool],
}

/// What stands in front of the payloads of a table's records, where schemas are wanted.
#[derive(Debug)]
pub(super) struct TableSchemas {
    /// `{"schema":{…},"payload":`
    key: Option<Box<[u8]>>,
    value: Option<ValueSchema>,
}

#[derive(Debug)]
struct ValueSchema {
    /// The schema of a row, up to the name of its field.
    row: Box<[u8]>,
    /// The rest of the envelope's, from the end of its fields on.
    end: Box<[u8]>,
}

/// The schema of a row, and what it is made of.
pub(super) struct RowSchema<'a> {
    pub table: &'a Table,
    pub naming: Naming<'a>,
    /// Of the table's columns.
    pub plans: &'a [ColumnPlan],
    pub modes: Modes,
}

impl RowSchema<'_> {
    /// The name of one of the table's structs: `Key`, `Value` or `Envelope`.
    pub(super) fn name(&self, of: &str) -> String {
        names::schema(&format!("{}.{of}", self.naming.topic), self.modes.schema_names)
    }

    /// Appends `{"type":"struct","fields":[…]`, which is open for what follows.
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        let columns = self.table.columns.iter().zip(self.plans).enumerate();
        let columns = columns.map(|(place, (column, plan))| (column, plan, self.told(place, column)));
        push_struct(columns.filter(|(_, plan, _)| plan.fragment.is_some()), self.modes, out);
    }

    /// The schema of the column at a place of the table, but for its place in the record.
    pub(super) fn column(&self, place: usize) -> Option<Schema> {
        let (column, plan) = (self.table.columns.get(place)?, self.plans.get(place)?);
        Some(schema_of_column(column, plan, self.told(place, column), self.modes))
    }

    fn told(&self, place: usize, column: &Column) -> Told {
        // One of the two, as Debezium has it.
        match (&column.mask, self.naming.source_types.get(place)) {
            (Some(_), _) => Told::Mask,
            (None, Some(true)) => Told::SourceType,
            (None, _) => Told::Type,
        }
    }
}

impl TableSchemas {
    /// Those that the modes ask for; of values only where they are envelopes.
    pub(super) fn new(of: &RowSchema<'_>, envelopes: bool) -> Self {
        let RowSchema { table, plans, modes, .. } = *of;
        let key = modes.schemas.key().then(|| {
            let column = |&index: &usize| Some((table.columns.get(index)?, plans.get(index)?, Told::Type));
            let columns = table.key.iter().filter_map(column);
            let mut text = b"{\"schema\":".to_vec();
            push_struct(columns, modes, &mut text);
            text.extend_from_slice(b",\"optional\":false");
            push_text(b",\"name\":", &of.name("Key"), &mut text);
            text.extend_from_slice(b"},\"payload\":");
            text.into_boxed_slice()
        });
        let value = (envelopes && modes.schemas.value()).then(|| {
            let mut row = Vec::new();
            of.push(&mut row);
            row.extend_from_slice(b",\"optional\":true");
            push_text(b",\"name\":", &of.name("Value"), &mut row);
            row.extend_from_slice(b",\"field\":\"");
            let mut end = b"],\"optional\":false".to_vec();
            push_text(b",\"name\":", &of.name("Envelope"), &mut end);
            end.extend_from_slice(b",\"version\":2},\"payload\":");
            ValueSchema { row: row.into_boxed_slice(), end: end.into_boxed_slice() }
        });
        Self { key, value }
    }

    /// Appends what stands in front of a key.
    #[inline]
    pub(super) fn open_key(&self, out: &mut Vec<u8>) {
        if let Some(schema) = &self.key {
            out.extend_from_slice(schema);
        }
    }

    /// Appends what stands behind a key.
    #[inline]
    pub(super) fn close_key(&self, out: &mut Vec<u8>) {
        if self.key.is_some() {
            out.push(b'}');
        }
    }

    /// Appends what stands in front of an event.
    #[inline]
    pub(super) fn open_value(&self, out: &mut Vec<u8>) {
        let Some(ValueSchema { row, end }) = &self.value else { return };
        let start: &[u8] = b"{\"schema\":{\"type\":\"struct\",\"fields\":[";
        for part in [start, &**row, b"before\"},", &**row, b"after\"},", ENVELOPE.as_bytes(), &**end] {
            out.extend_from_slice(part);
        }
    }

    /// Appends what stands behind an event.
    #[inline]
    pub(super) fn close_value(&self, out: &mut Vec<u8>) {
        if self.value.is_some() {
            out.push(b'}');
        }
    }
}

/// What the parameters of a column's schema say.
#[derive(Clone, Copy)]
enum Told {
    /// What belongs to its type.
    Type,
    /// Its type in the source too.
    SourceType,
    /// How it is hidden too.
    Mask,
}

/// Appends `{"type":"struct","fields":[…]`, which is open for what follows.
fn push_struct<'a>(
    columns: impl Iterator<Item = (&'a Column, &'a ColumnPlan, Told)>,
    modes: Modes,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"type\":\"struct\",\"fields\":[");
    for (index, (column, plan, told)) in columns.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let default = default_of(column, &plan.writer, modes);
        let optional = !column.not_null || is_always_optional(&plan.writer);
        let place = Place { optional, default: default.as_deref(), field: Some(&plan.field) };
        schema_of_column(column, plan, told, modes).push(place, out);
    }
    out.push(b']');
}

fn schema_of_column(column: &Column, plan: &ColumnPlan, told: Told, modes: Modes) -> Schema {
    let schema = schema_of(&column.ty, column.typmod, &plan.writer, modes);
    match (told, &column.mask) {
        (Told::SourceType, _) => with_source_type(schema, column),
        (Told::Mask, Some(mask)) => with_mask(schema, mask, &column.ty, column.typmod),
        (Told::Type | Told::Mask, _) => schema,
    }
}
