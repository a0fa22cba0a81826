//! What is known about a table before its first row: for each column the way its values are written and the JSON in
//! front of them, so that a row is a run of copies.

use super::envelope::EncodeSettings;
use super::flat::FlatPlan;
use super::names::fields;
use super::table_schemas::{Naming, RowSchema, TableSchemas};
use super::value::{Masked, StandIns, ValueWriter, choose};
use super::writer::push_string;
use crate::decode::Value;
use crate::event::{Column, Table, TopicId};
use crate::modes::{Modes, Via};

/// How the rows of one table are written.
#[derive(Debug)]
pub(super) struct TablePlan {
    pub topic: TopicId,
    pub schema: String,
    pub name: String,
    /// `"schema":"…","table":"…",` of the source block.
    pub source: Vec<u8>,
    /// One per value of a tuple.
    pub columns: Vec<ColumnPlan>,
    /// In the order of the key; empty: no key.
    pub key: Vec<KeyPart>,
    /// Every column of the key stands in the row too, so that its JSON can be copied from there.
    pub key_in_row: bool,
    /// Records have a key, be it one without columns.
    pub keyed: bool,
    /// Debezium's quirks are wanted.
    pub quirky: bool,
    /// The columns as they stand in the key, when one of them is hidden in the row.
    pub unmasked: Option<Vec<ColumnPlan>>,
    pub schemas: TableSchemas,
    /// None: events have their envelope.
    pub flat: Option<FlatPlan>,
    pub dropped: Vec<DroppedColumn>,
    /// Columns that are to be hidden and cannot be.
    pub unmaskable: Vec<DroppedColumn>,
}

/// How the values of one column are written.
#[derive(Debug)]
pub(super) struct ColumnPlan {
    pub name: String,
    /// Its name in a record.
    pub field: String,
    pub type_name: String,
    /// `{"name":` for the first column of the row, `,"name":` for the others; none: not written to the row.
    pub fragment: Option<Box<[u8]>>,
    pub writer: ValueWriter,
    /// In a header, where that is another.
    pub header: Option<ValueWriter>,
    pub stand_ins: StandIns,
    pub not_null: bool,
    /// Known in a row of which only the key is known.
    pub identity: bool,
    /// Place in the key.
    pub key: Option<usize>,
    pub told: Told,
}

/// What was said of a column once.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// A value had no place in its form.
    pub lossy: bool,
    /// A text did not fit its encoding.
    pub undecoded: bool,
}

impl ColumnPlan {
    /// Whether two values are hidden behind the same text.
    pub(super) fn hides(&self, old: Value<'_>, new: Value<'_>) -> bool {
        match &self.writer {
            ValueWriter::Masked(masked) => self.key.is_none() && masked.hides(old, new),
            _ => false,
        }
    }

    /// Written to the row or to the key.
    pub(super) fn is_written(&self) -> bool {
        self.fragment.is_some() || self.key.is_some()
    }

    /// How the value is written in a header.
    pub(super) fn header(&self) -> &ValueWriter {
        self.header.as_ref().unwrap_or(&self.writer)
    }
}

/// A column of the key.
#[derive(Debug)]
pub(super) struct KeyPart {
    /// `{"name":` or `,"name":`
    pub fragment: Box<[u8]>,
}

/// A column that is left out of `before` and `after` because Debezium has no form for its type. Say so once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedColumn {
    pub column: String,
    pub type_name: String,
}

/// The columns of a table, and what there is to say of them.
pub(super) struct Columns {
    pub(super) plans: Vec<ColumnPlan>,
    dropped: Vec<DroppedColumn>,
    unmaskable: Vec<DroppedColumn>,
    /// A column of the key is hidden.
    masked_key: bool,
}

impl Columns {
    pub(super) fn new(table: &Table, modes: Modes, placeholder: &str) -> Self {
        let (mut dropped, mut unmaskable) = (Vec::new(), Vec::new());
        let mut masked_key = false;
        let mut plans = Vec::with_capacity(table.columns.len());
        let fields = fields(table, modes.field_names);
        let field = |index: usize| fields.get(index).map_or("", String::as_str);
        let mut first = true;
        for (index, column) in table.columns.iter().enumerate() {
            let chosen = choose(&column.ty, column.typmod, modes);
            if chosen.is_none() && column.selected {
                dropped
                    .push(DroppedColumn { column: column.name.clone(), type_name: column.ty.name.clone() });
            }
            let fragment = (chosen.is_some() && column.selected).then(|| fragment(field(index), first));
            first &= fragment.is_none();
            let key = table.key.iter().position(|&key| key == index);
            // In the key a type without a form is its text: without the column, keys would fall together.
            let kept = |writer: &ValueWriter| key.is_none() || modes.quirky() || !writer.is_blind();
            let writer = chosen.filter(kept).unwrap_or(ValueWriter::Text);
            let writer = if column.not_null { writer.never_null(&column.ty) } else { writer };
            let header = key.and_then(|_| match &writer {
                writer if modes.quirky() => writer.in_header(modes),
                // A number in both, as Connect shows it.
                ValueWriter::Decimal { scale } => Some(ValueWriter::DecimalNumber { scale: *scale }),
                _ => None,
            });
            let masked = column.mask.as_ref().and_then(|mask| Masked::new(mask, column, &writer, modes));
            if column.mask.is_some() && masked.is_none() && fragment.is_some() {
                unmaskable
                    .push(DroppedColumn { column: column.name.clone(), type_name: column.ty.name.clone() });
            }
            masked_key |= masked.is_some() && key.is_some();
            let mut stand_ins = match masked.as_ref().and_then(Masked::constant) {
                Some(json) => StandIns::constant(json),
                None => StandIns::new(column, &writer, placeholder, modes),
            };
            let hidden = masked.is_some() && column.not_null;
            let writer = masked.map_or(writer, |masked| ValueWriter::Masked(Box::new(masked)));
            if hidden {
                stand_ins.hide_unknown(&writer);
            }
            plans.push(ColumnPlan {
                name: column.name.clone(),
                field: field(index).to_owned(),
                type_name: column.ty.name.clone(),
                fragment,
                stand_ins,
                writer,
                header,
                not_null: column.not_null,
                identity: column.identity,
                key,
                told: Told::default(),
            });
        }
        Self { plans, dropped, unmaskable, masked_key }
    }
}

impl TablePlan {
    pub(super) fn new(table: &Table, naming: Naming<'_>, settings: &EncodeSettings) -> Self {
        let EncodeSettings { modes, placeholder, flat, .. } = settings;
        let modes = *modes;
        let keyed = !table.key.is_empty();
        let known;
        let table = if modes.quirky() {
            known = known_to_debezium(table, modes);
            &known
        } else {
            table
        };
        let Columns { plans: columns, dropped, unmaskable, masked_key } =
            Columns::new(table, modes, placeholder);
        let parts = table.key.iter().filter_map(|&index| columns.get(index));
        let key: Vec<_> = parts
            .enumerate()
            .map(|(place, column)| KeyPart { fragment: fragment(&column.field, place == 0) })
            .collect();
        let in_row =
            columns.iter().filter(|column| column.key.is_some() && column.fragment.is_some()).count();
        let mut source = Vec::new();
        for (label, text) in [("\"schema\":", &table.schema), (",\"table\":", &table.name)] {
            source.extend_from_slice(label.as_bytes());
            let _ = push_string(&mut source, text.as_bytes());
        }
        source.push(b',');
        let row = RowSchema { table, naming, plans: &columns, modes };
        let flat = flat.as_ref().map(|flat| FlatPlan::new(flat, table, &columns, &row, settings));
        Self {
            topic: table.topic,
            schema: table.schema.clone(),
            name: table.name.clone(),
            source,
            schemas: TableSchemas::new(&row, flat.is_none()),
            flat,
            columns,
            keyed,
            quirky: modes.quirky(),
            key_in_row: in_row == key.len() && !masked_key,
            unmasked: masked_key.then(|| Columns::new(&unmasked(table), modes, placeholder).plans),
            key,
            dropped,
            unmaskable,
        }
    }
}

/// The table as Debezium knows it: of what is not captured it knows the value in the key alone, but in a snapshot, and it has no
/// columns of the key that it has no form for.
fn known_to_debezium(table: &Table, modes: Modes) -> Table {
    let mut table = table.clone();
    let forgotten = |column: &&mut Column| modes.via == Via::Stream && !column.selected;
    for column in table.columns.iter_mut().filter(forgotten) {
        column.not_null = false;
        column.default = None;
    }
    let Table { key, columns, .. } = &mut table;
    let has_form = |column: &Column| choose(&column.ty, column.typmod, modes).is_some();
    key.retain(|&index| columns.get(index).is_some_and(has_form));
    table
}

fn unmasked(table: &Table) -> Table {
    let mut table = table.clone();
    for column in &mut table.columns {
        column.mask = None;
    }
    table
}

fn fragment(name: &str, first: bool) -> Box<[u8]> {
    let mut fragment = vec![if first { b'{' } else { b',' }];
    // Names of a database are UTF-8 here.
    let _ = push_string(&mut fragment, name.as_bytes());
    fragment.push(b':');
    fragment.into_boxed_slice()
}
