//! The flat form: a record's value is the row alone, after the change or, of a delete, before it, with fields of the envelope
//! behind its columns. What is no change of a row is as it is elsewhere, but that a truncate gives no record. After Debezium
//! 3.7's `ExtractNewRecordState`, `DefaultDeleteHandlingStrategy` and Connect's `InsertField`.

use std::collections::BTreeSet;

use super::added::{self, DELETE, Form, Moment};
use super::envelope::{Body, EncodeSettings, appended, internal};
use super::plan::{ColumnPlan, Columns, TablePlan};
use super::records::push_header_with;
use super::row::{RowWriter, Source};
use super::schema::{Place, Schema, push_text, structs};
use super::table_schemas::RowSchema;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, KeyOf, Table};
use crate::flat::{Added, Flat, From, Metadata, Side};
use crate::modes::{DeleteHandling, Modes};

/// How the events of one table become flat.
#[derive(Debug)]
pub(super) struct FlatPlan {
    deletes: DeleteHandling,
    fields: Vec<Field>,
    headers: Vec<(Box<[u8]>, Content)>,
    /// The columns as they are among the added fields, where a NULL is no default; empty when none is.
    columns: Vec<ColumnPlan>,
    /// What stands in front of a row, where schemas are wanted.
    schema: Option<Box<[u8]>>,
    /// The value of a delete that is to have none; none is a tombstone.
    null: Option<Box<[u8]>>,
    /// The name of two fields.
    clash: Option<String>,
}

/// A field behind the columns of a row.
#[derive(Debug)]
struct Field {
    /// `"name":`
    label: Box<[u8]>,
    content: Content,
}

/// What an added field holds.
#[derive(Debug)]
enum Content {
    /// `"true"` for a delete.
    Deleted,
    /// The same in every event.
    Fixed(Box<[u8]>),
    Metadata(Metadata),
    /// The column of this place.
    Column(Side, usize),
    /// A field that is looked for in a row and stands beside it: null where there is no such row.
    Beside(Side, Metadata),
}

/// Says that a row is deleted.
const DELETED: &str = "__deleted";

/// What fields are made of.
struct Parts<'a> {
    table: &'a Table,
    plans: &'a [ColumnPlan],
    settings: &'a EncodeSettings,
}

impl Parts<'_> {
    /// What `added` is for this table; nothing when it is a column that the table does not have.
    fn content(&self, added: &Added, form: Form) -> Option<Content> {
        match &added.from {
            From::Envelope(metadata) => match added::fixed(*metadata, self.settings, self.table) {
                Some(text) => {
                    let mut fixed = Vec::new();
                    added::push_text(text, form, &mut fixed);
                    Some(Content::Fixed(fixed.into()))
                }
                None => Some(Content::Metadata(*metadata)),
            },
            From::Column(side, name) => {
                let written = |plan: &ColumnPlan| plan.fragment.is_some() && plan.field == *name;
                match self.plans.iter().position(written) {
                    Some(place) => Some(Content::Column(*side, place)),
                    None => Metadata::of_event(name).map(|metadata| Content::Beside(*side, metadata)),
                }
            }
        }
    }
}

impl FlatPlan {
    /// For a table whose columns are planned as `plans`, with the schema of its rows.
    pub(super) fn new(
        flat: &Flat,
        table: &Table,
        plans: &[ColumnPlan],
        row: &RowSchema<'_>,
        settings: &EncodeSettings,
    ) -> Self {
        let Flat { deletes, fields, headers } = flat;
        let parts = Parts { table, plans, settings };
        let modes = settings.modes;
        let deleted = deletes.rewrites().then_some((DELETED, Content::Deleted));
        let fields =
            fields.iter().filter_map(|added| Some((added.name.as_str(), parts.content(added, Form::Json)?)));
        let fields: Vec<(&str, Content)> = deleted.into_iter().chain(fields).collect();
        let headers = headers
            .iter()
            .filter_map(|added| Some((added.name.as_bytes().into(), parts.content(added, Form::Header)?)));
        let schemas = modes.schemas.value();
        let quirk = *deletes == DeleteHandling::Tombstone && modes.quirky();
        let columns = plans.iter().filter(|plan| plan.fragment.is_some());
        let mut names: BTreeSet<&str> = columns.map(|plan| plan.field.as_str()).collect();
        let clash = fields.iter().map(|(name, _)| *name).find(|name| !names.insert(name));
        let columns = if fields.iter().any(|(_, content)| matches!(content, Content::Column(..))) {
            let modes = Modes { null_as_default: false, ..modes };
            Columns::new(table, modes, &settings.placeholder).plans
        } else {
            Vec::new()
        };
        Self {
            deletes: *deletes,
            schema: schemas.then(|| schema(row, &fields)),
            null: quirk.then(|| if schemas { schema_of_null(row) } else { (*b"null").into() }),
            clash: clash.map(str::to_owned),
            headers: headers.collect(),
            fields: fields.into_iter().map(|(name, content)| Field { label: label(name), content }).collect(),
            columns,
        }
    }

    /// Whether tombstones follow deletes.
    pub(super) fn keeps_tombstones(&self) -> bool {
        self.deletes == DeleteHandling::RewriteWithTombstone
    }

    /// Whether the record of an event shows a row's column, which has that place.
    #[cold]
    pub(super) fn shows(&self, event: &Event<'_>, side: Side, (place, column): (usize, &ColumnPlan)) -> bool {
        let is_added =
            |field: &Field| matches!(field.content, Content::Column(of, at) if of == side && at == place);
        match side {
            Side::After => true,
            Side::Before if event.after.is_none() && self.deletes.rewrites() => true,
            Side::Before => {
                event.key == KeyOf::Before && column.key.is_some() || self.fields.iter().any(is_added)
            }
        }
    }

    /// Appends the value of an event; nothing when there is no record of it.
    pub(super) fn push<'a>(
        &self,
        rows: &mut RowWriter,
        plan: &TablePlan,
        moment: &Moment<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Body<'a>>> {
        let event = moment.event;
        let keyed = if plan.key.is_empty() { KeyOf::None } else { event.key };
        let (row, side) = match (source(event, Side::After), source(event, Side::Before)) {
            (Some(row), _) => (row, KeyOf::After),
            (None, Some(row)) => (row, KeyOf::Before),
            (None, None) => return Ok(None),
        };
        let key = match keyed {
            KeyOf::Before => source(event, Side::Before),
            KeyOf::After => source(event, Side::After),
            KeyOf::None => None,
        };
        if keyed != KeyOf::None && key.is_none() {
            return Err(internal("an event whose key is to be taken from a row that it does not have"));
        }
        if side == KeyOf::Before && !self.deletes.rewrites() {
            let value = match self.deletes {
                DeleteHandling::Drop => return Ok(None),
                _ => self.null.as_ref().map(|null| appended(out, |out| out.extend_from_slice(null))),
            };
            return Ok(Some(Body { value, key, noted: false }));
        }
        if let Some(name) = &self.clash {
            return Err(clash(plan, name));
        }
        let start = out.len();
        out.extend_from_slice(self.schema.as_deref().unwrap_or_default());
        rows.push_row(plan, row, keyed == side, out)?;
        if !self.fields.is_empty() {
            self.push_fields(rows, plan, moment, out)?;
        }
        if self.schema.is_some() {
            out.push(b'}');
        }
        Ok(Some(Body { value: Some(start..out.len()), key, noted: keyed == side }))
    }

    /// Appends the added fields to the row that `out` ends in.
    fn push_fields(
        &self,
        rows: &mut RowWriter,
        plan: &TablePlan,
        moment: &Moment<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.pop();
        for Field { label, content } in &self.fields {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.extend_from_slice(label);
            if let Content::Column(side, place) = content {
                match source(moment.event, *side) {
                    Some(row) => rows.push_again(plan, &self.columns, row, *place, out)?,
                    None => out.extend_from_slice(b"null"),
                }
            } else if !content.push(moment, Form::Json, out) {
                out.extend_from_slice(b"null");
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends the headers of an event.
    pub(super) fn push_headers(&self, moment: &Moment<'_>, out: &mut Vec<u8>) {
        for (name, content) in &self.headers {
            push_header_with(out, name, |out| content.push(moment, Form::Header, out));
        }
    }

    /// Appends the headers of the tombstone behind a delete. Debezium's two records share one list of headers: what is added to
    /// the delete is on the tombstone already when `op` is added to that.
    pub(super) fn push_tombstone_headers(&self, moment: &Moment<'_>, out: &mut Vec<u8>) {
        self.push_headers(moment, out);
        if !moment.quirky {
            return;
        }
        for (name, content) in &self.headers {
            if matches!(content, Content::Metadata(Metadata::Op)) {
                push_header_with(out, name, |out| {
                    out.extend_from_slice(DELETE.as_bytes());
                    true
                });
            }
        }
    }
}

impl Content {
    /// Appends all but columns; false, and nothing, for null.
    fn push(&self, moment: &Moment<'_>, form: Form, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Deleted => {
                out.extend_from_slice(if moment.event.after.is_none() { b"\"true\"" } else { b"\"false\"" });
                true
            }
            Self::Fixed(text) => {
                out.extend_from_slice(text);
                true
            }
            Self::Metadata(metadata) => added::push(*metadata, moment, form, out),
            Self::Beside(side, metadata) => {
                source(moment.event, *side).is_some() && added::push(*metadata, moment, form, out)
            }
            Self::Column(..) => false,
        }
    }

    fn schema(&self, row: &RowSchema<'_>) -> Schema {
        match self {
            Self::Deleted | Self::Fixed(_) => Schema::of(structs::STRING),
            Self::Metadata(metadata) | Self::Beside(_, metadata) => added::schema(*metadata),
            Self::Column(_, place) => row.column(*place).unwrap_or(Schema::of(structs::STRING)),
        }
    }
}

fn source<'a>(event: &Event<'a>, side: Side) -> Option<Source<'a>> {
    match side {
        Side::Before => event.before.map(|row| Source { row, old: None }),
        Side::After => event.after.map(|row| Source { row, old: event.old }),
    }
}

fn label(name: &str) -> Box<[u8]> {
    let mut label = Vec::new();
    push_text(b"", name, &mut label);
    label.push(b':');
    label.into()
}

/// What stands in front of a row: its schema with the added fields, which is not optional any more.
fn schema(row: &RowSchema<'_>, fields: &[(&str, Content)]) -> Box<[u8]> {
    let mut text = b"{\"schema\":".to_vec();
    row.push(&mut text);
    // Into the list of fields.
    text.pop();
    for (name, content) in fields {
        if text.last() != Some(&b'[') {
            text.push(b',');
        }
        let place = Place { optional: true, field: Some(name), ..Place::default() };
        content.schema(row).push(place, &mut text);
    }
    text.extend_from_slice(b"],\"optional\":false");
    push_text(b",\"name\":", &row.name("Value"), &mut text);
    text.extend_from_slice(b"},\"payload\":");
    text.into()
}

/// A row that is null, as the schema of `after` lets it be.
fn schema_of_null(row: &RowSchema<'_>) -> Box<[u8]> {
    let mut text = b"{\"schema\":".to_vec();
    row.push(&mut text);
    text.extend_from_slice(b",\"optional\":true");
    push_text(b",\"name\":", &row.name("Value"), &mut text);
    text.extend_from_slice(b"},\"payload\":null}");
    text.into()
}

#[cold]
fn clash(plan: &TablePlan, name: &str) -> Error {
    Error::new(
        Kind::Encode,
        format!("two fields of a row of {}.{} would be called {name}", plan.schema, plan.name),
    )
    .with_hint(
        "name the added one otherwise, with events.add_fields = [\"field:NAME\"] or events.add_fields_prefix; \
         __deleted comes from events.delete_tombstone_handling_mode",
    )
}
