//! Rows and keys. A row is written in one pass over its tuple, with the places of the key's values noted on the way, so
//! that the key is copied from the row instead of being rendered a second time.

use std::ops::Range;

use super::plan::{ColumnPlan, TablePlan};
use super::value::{Misfit, Scratch, ValueWriter};
use crate::decode::{Tuple, TupleIter, Value};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Row};
use crate::flat::Side;
use crate::modes::TextEncoding;

/// Writes rows; keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub(super) struct RowWriter {
    scratch: Scratch,
    /// Where the value of each column of the key is, in the buffer of the last row.
    key_spans: Vec<Range<usize>>,
    /// A key rendered on its own.
    key: Vec<u8>,
    /// Names of the columns of the event that hold a placeholder, with commas between.
    unavailable: Vec<u8>,
    unavailable_columns: u32,
    /// Names of the columns of the event that hold a text in hexadecimal, with commas between.
    undecoded: Vec<u8>,
    /// Their places in the table.
    undecoded_columns: Vec<usize>,
    /// For what is written for nothing else than to look at it.
    spare: Vec<u8>,
}

/// Where a key is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    Record,
    /// Connect's converter of headers writes `numeric(p,s)` as a number.
    Header,
}

/// What became of the values of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub lossy: u32,
    pub unavailable: u32,
}

/// A row and, where there is one, the old row that knows its unchanged TOASTed values.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub row: Row<'a>,
    pub old: Option<Row<'a>>,
}

impl RowWriter {
    /// Texts come in `encoding`.
    pub(super) fn new(encoding: TextEncoding) -> Self {
        let mut writer = Self::default();
        writer.scratch.texts.encoding = encoding;
        writer
    }

    /// Forgets what it counted for the last event.
    pub(super) fn start(&mut self) {
        self.scratch.lossy = 0;
        self.scratch.texts.undecoded = 0;
        self.unavailable.clear();
        self.unavailable_columns = 0;
        self.undecoded.clear();
        self.undecoded_columns.clear();
    }

    pub(super) fn tally(&self) -> Tally {
        Tally { lossy: self.scratch.lossy, unavailable: self.unavailable_columns }
    }

    /// Names of the columns that hold a placeholder; empty when none does.
    pub(super) fn unavailable(&self) -> &[u8] {
        &self.unavailable
    }

    /// Whether a text of the event did not fit its encoding.
    #[inline]
    pub(super) fn has_undecoded(&self) -> bool {
        self.scratch.texts.undecoded > 0
    }

    /// Finds the values of the event that hold such texts, and returns how many they are. Slow: all are written again.
    #[cold]
    pub(super) fn name_undecoded(&mut self, plan: &TablePlan, event: &Event<'_>) -> Result<u32> {
        let mut out = std::mem::take(&mut self.spare);
        let mut count = 0;
        for (side, row, old) in [(Side::Before, event.before, None), (Side::After, event.after, event.old)] {
            let Some(row) = row else { continue };
            let mut values = values(plan, Source { row, old })?;
            for (place, column) in plan.columns.iter().enumerate() {
                let (Some(text), true) = (values.next().text(), column.is_written()) else { continue };
                if plan.flat.as_ref().is_some_and(|flat| !flat.shows(event, side, (place, column))) {
                    continue;
                }
                let in_key = plan.unmasked.as_ref().and_then(|columns| columns.get(place));
                let shown = in_key.filter(|column| column.key.is_some()).unwrap_or(column);
                out.clear();
                let Scratch { lossy, texts, .. } = &self.scratch;
                let (lossy, before) = (*lossy, texts.undecoded);
                // What else may be wrong with it was counted when it was written.
                let _ = shown.writer.write(text, &mut out, &mut self.scratch);
                self.scratch.lossy = lossy;
                if self.scratch.texts.undecoded == before {
                    continue;
                }
                count += 1;
                if !self.undecoded_columns.contains(&place) {
                    if !self.undecoded.is_empty() {
                        self.undecoded.push(b',');
                    }
                    self.undecoded.extend_from_slice(column.field.as_bytes());
                    self.undecoded_columns.push(place);
                }
            }
        }
        self.spare = out;
        Ok(count)
    }

    /// Names of the columns that hold a text in hexadecimal; empty when none does.
    pub(super) fn undecoded(&self) -> &[u8] {
        &self.undecoded
    }

    /// Places of those columns.
    pub(super) fn undecoded_columns(&self) -> &[usize] {
        &self.undecoded_columns
    }

    /// Appends the row as an object; when it is `keyed`, notes where the values of its key are.
    pub(super) fn push_row(
        &mut self,
        plan: &TablePlan,
        source: Source<'_>,
        keyed: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut values = values(plan, source)?;
        if keyed {
            self.key_spans.clear();
            self.key_spans.resize(plan.key.len(), 0..0);
        }
        let mut empty = true;
        for column in &plan.columns {
            let value = values.next();
            let Some(fragment) = &column.fragment else { continue };
            empty = false;
            out.extend_from_slice(fragment);
            let start = out.len();
            if let Value::Text(text) = value.new {
                self.push_text(plan, column, text, out)?;
            } else {
                self.push_other(plan, column, value, out)?;
            }
            if let (true, Some(place)) = (keyed, column.key) {
                if let Some(span) = self.key_spans.get_mut(place) {
                    *span = start..out.len();
                }
            }
        }
        out.extend_from_slice(if empty { b"{}" } else { b"}" });
        Ok(())
    }

    /// Appends one value of a row that is in the record already, as `columns` have it: what stands in for it was named then.
    pub(super) fn push_again(
        &mut self,
        plan: &TablePlan,
        columns: &[ColumnPlan],
        source: Source<'_>,
        place: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let mut values = values(plan, source)?;
        for _ in 0..place {
            values.next();
        }
        let (value, Some(column)) = (values.next(), columns.get(place)) else { return Ok(()) };
        let (named, count) = (self.unavailable.len(), self.unavailable_columns);
        if let Value::Text(text) = value.new {
            self.push_text(plan, column, text, out)?;
        } else {
            self.push_other(plan, column, value, out)?;
        }
        self.unavailable.truncate(named);
        self.unavailable_columns = count;
        Ok(())
    }

    /// Appends a key, which is copied when its values were `noted` by the last [`RowWriter::push_row`] to the same buffer.
    pub(super) fn push_key(
        &mut self,
        plan: &TablePlan,
        (source, noted): (Source<'_>, bool),
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if !(noted && plan.key_in_row) {
            out.extend_from_slice(self.key_of(plan, source, KeyForm::Record)?);
            return Ok(());
        }
        for (part, span) in plan.key.iter().zip(&self.key_spans) {
            out.extend_from_slice(&part.fragment);
            out.extend_from_within(span.clone());
        }
        out.extend_from_slice(if plan.key.is_empty() { b"{}" } else { b"}" });
        Ok(())
    }

    /// Whether two rows look the same in `before` and `after`, and have the same key. What an update did not send it did not change.
    pub(super) fn look_alike(&mut self, plan: &TablePlan, old: Tuple<'_>, new: Tuple<'_>) -> bool {
        let mut values = old.iter().zip(new.iter());
        plan.columns.iter().all(|column| {
            let Some((old, new)) = values.next() else { return false };
            // Debezium does not look at what is in the key alone, and compares what it would write.
            let seen = if plan.quirky { column.fragment.is_some() } else { column.is_written() };
            let same = !seen || old == new || new == Value::Unchanged || column.hides(old, new);
            same || plan.quirky && self.are_written_the_same(column, old, new)
        })
    }

    fn are_written_the_same(&mut self, column: &ColumnPlan, old: Value<'_>, new: Value<'_>) -> bool {
        let (Value::Text(old), Value::Text(new)) = (old, new) else { return false };
        let mut out = std::mem::take(&mut self.spare);
        out.clear();
        let mut write =
            |text| column.writer.write(text, &mut out, &mut self.scratch).is_ok().then_some(out.len());
        let same = match (write(old), write(new)) {
            (Some(middle), Some(_)) => out.get(..middle) == out.get(middle..),
            _ => false,
        };
        self.spare = out;
        same
    }

    /// Whether the key of the old row, fillers and all, is another than that of the new one. What cannot be compared is not.
    #[cold]
    pub(super) fn key_differs(&mut self, plan: &TablePlan, old: Row<'_>, new: Tuple<'_>) -> bool {
        let mut before = std::mem::take(&mut self.spare);
        before.clear();
        let source = Source { row: old, old: None };
        let known =
            self.key_of(plan, source, KeyForm::Record).map(|key| before.extend_from_slice(key)).is_ok();
        let source = Source { row: Row::Full(new), old: Some(old) };
        let differs = known && self.key_of(plan, source, KeyForm::Record).is_ok_and(|key| key != before);
        self.spare = before;
        differs
    }

    /// The key of any row.
    pub(super) fn key_of(&mut self, plan: &TablePlan, source: Source<'_>, form: KeyForm) -> Result<&[u8]> {
        let mut out = std::mem::take(&mut self.key);
        out.clear();
        let mut values = values(plan, source)?;
        self.key_spans.clear();
        self.key_spans.resize(plan.key.len(), 0..0);
        for column in plan.unmasked.as_ref().unwrap_or(&plan.columns) {
            let value = values.next();
            let Some(place) = column.key else { continue };
            let start = out.len();
            if let Value::Text(text) = value.new {
                let writer = if form == KeyForm::Header { column.header() } else { &column.writer };
                self.push_text_as(writer, (plan, column), text, &mut out)?;
            } else {
                self.push_other(plan, column, value, &mut out)?;
            }
            if let Some(span) = self.key_spans.get_mut(place) {
                *span = start..out.len();
            }
        }
        let values_end = out.len();
        for (part, span) in plan.key.iter().zip(&self.key_spans) {
            out.extend_from_slice(&part.fragment);
            out.extend_from_within(span.clone());
        }
        out.extend_from_slice(if plan.key.is_empty() { b"{}" } else { b"}" });
        if form == KeyForm::Header && plan.quirky {
            unescape_controls(&mut out, values_end);
        }
        self.key = out;
        Ok(self.key.get(values_end..).unwrap_or_default())
    }

    #[inline]
    fn push_text(
        &mut self,
        plan: &TablePlan,
        column: &ColumnPlan,
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        self.push_text_as(&column.writer, (plan, column), text, out)
    }

    #[inline]
    fn push_text_as(
        &mut self,
        writer: &ValueWriter,
        (plan, column): (&TablePlan, &ColumnPlan),
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let start = out.len();
        match writer.write(text, out, &mut self.scratch) {
            Ok(()) => Ok(()),
            Err(misfit) => self.push_misfit(plan, column, misfit, start, out),
        }
    }

    /// A value that its JSON form cannot hold is null, as with Debezium, and counted; a NOT NULL column has no null.
    #[cold]
    fn push_misfit(
        &mut self,
        plan: &TablePlan,
        column: &ColumnPlan,
        misfit: Misfit,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match misfit {
            Misfit::Unrepresentable if !column.not_null => {
                out.truncate(start);
                push_null(column, out);
                self.scratch.lossy += 1;
                Ok(())
            }
            Misfit::Unrepresentable => Err(failure(
                plan,
                column,
                "a value (NaN, an infinity, or one out of range) has no place in the chosen form, and the column is NOT NULL",
            )
            .with_hint(column.writer.remedy())),
            Misfit::Malformed => Err(failure(plan, column, "the server's text is not of the column's type")),
        }
    }

    fn push_other(
        &mut self,
        plan: &TablePlan,
        column: &ColumnPlan,
        value: Known<'_>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match (value.new, value.old) {
            (Value::Text(text), _) | (Value::Unchanged, Some(Value::Text(text))) => {
                return self.push_text(plan, column, text, out);
            }
            (Value::Null, _) if value.key_only && !column.identity => {
                out.extend_from_slice(&column.stand_ins.unknown);
            }
            (Value::Null, _) | (Value::Unchanged, Some(Value::Null)) => push_null(column, out),
            (Value::Unchanged, _) if column.key.is_some() => {
                return Err(failure(
                    plan,
                    column,
                    "the update did not change this TOASTed value and so the server did not send it, but it is part of \
                     the key: use REPLICA IDENTITY DEFAULT or FULL, and FULL for a key from source.key_columns",
                ));
            }
            (Value::Unchanged, _) => {
                out.extend_from_slice(&column.stand_ins.unavailable);
                if self.unavailable_columns > 0 {
                    self.unavailable.push(b',');
                }
                self.unavailable.extend_from_slice(column.field.as_bytes());
                self.unavailable_columns += 1;
            }
            (Value::Binary(_), _) => {
                return Err(failure(
                    plan,
                    column,
                    "the server sent the value in binary form, which was not asked for",
                ));
            }
        }
        Ok(())
    }
}

/// Control characters as they are instead of escaped, behind `start`: Connect's converter of headers escapes quotes and backslashes
/// alone.
fn unescape_controls(out: &mut Vec<u8>, start: usize) {
    if memchr::memchr(b'\\', out.get(start..).unwrap_or_default()).is_none() {
        return;
    }
    let escaped = out.split_off(start);
    let mut rest = escaped.as_slice();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let (len, control) = match escape {
            [_, b'n', ..] => (2, b'\n'),
            [_, b't', ..] => (2, b'\t'),
            [_, b'r', ..] => (2, b'\r'),
            [_, b'b', ..] => (2, 8),
            [_, b'f', ..] => (2, 12),
            [_, b'u', b'0', b'0', high @ b'0'..=b'1', low, ..] => {
                let low = char::from(*low).to_digit(16).and_then(|low| u8::try_from(low).ok()).unwrap_or(0);
                (6, (high - b'0') * 16 + low)
            }
            [_, other, ..] => {
                out.push(b'\\');
                (2, *other)
            }
            _ => (1, b'\\'),
        };
        out.push(control);
        rest = escape.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

#[inline]
fn push_null(column: &ColumnPlan, out: &mut Vec<u8>) {
    out.extend_from_slice(column.stand_ins.null.as_deref().unwrap_or(b"null"));
}

/// Place of the first column of `row` that was not told yet and has a value with no place in its form; it is told from now on. Slow:
/// the values are written again, for nothing else.
#[cold]
pub(super) fn tell_lossy(plan: &mut TablePlan, row: Row<'_>) -> Option<usize> {
    let (mut out, mut scratch) = (Vec::new(), Scratch::default());
    let columns = plan.columns.iter_mut().zip(tuple_of(row).0.iter()).enumerate();
    for (index, (column, value)) in columns.filter(|(_, (column, _))| !column.told.lossy) {
        out.clear();
        let Value::Text(text) = value else { continue };
        let unrepresentable =
            column.writer.write(text, &mut out, &mut scratch) == Err(Misfit::Unrepresentable);
        if unrepresentable || scratch.lossy > 0 {
            column.told.lossy = true;
            return Some(index);
        }
    }
    None
}

/// The values of a row beside those of the old one.
struct Values<'a> {
    new: TupleIter<'a>,
    old: Option<TupleIter<'a>>,
    old_key_only: bool,
    key_only: bool,
}

/// One value, and what the old row says in its place.
#[derive(Clone, Copy)]
struct Known<'a> {
    new: Value<'a>,
    old: Option<Value<'a>>,
    key_only: bool,
}

impl<'a> Known<'a> {
    /// The text that stands for the value, its own or that of the old row.
    fn text(self) -> Option<&'a [u8]> {
        match (self.new, self.old) {
            (Value::Text(text), _) | (Value::Unchanged, Some(Value::Text(text))) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Values<'a> {
    #[inline]
    fn next(&mut self) -> Known<'a> {
        let old = self.old.as_mut().and_then(Iterator::next);
        Known {
            // The lengths were compared.
            new: self.new.next().unwrap_or(Value::Null),
            // Outside its key, a row of which only the key is known is null without meaning it.
            old: old.filter(|old| !(self.old_key_only && *old == Value::Null)),
            key_only: self.key_only,
        }
    }
}

fn values<'a>(plan: &TablePlan, source: Source<'a>) -> Result<Values<'a>> {
    let (tuple, key_only) = tuple_of(source.row);
    if tuple.len() != plan.columns.len() {
        return Err(Error::new(
            Kind::Internal,
            format!(
                "a row of {}.{} has {} values, but the table has {} columns",
                plan.schema,
                plan.name,
                tuple.len(),
                plan.columns.len()
            ),
        ));
    }
    let old = source.old.map(tuple_of).filter(|(old, _)| old.len() == tuple.len());
    Ok(Values {
        new: tuple.iter(),
        old: old.map(|(old, _)| old.iter()),
        old_key_only: old.is_some_and(|(_, key_only)| key_only),
        key_only,
    })
}

fn tuple_of(row: Row<'_>) -> (Tuple<'_>, bool) {
    match row {
        Row::Full(tuple) => (tuple, false),
        Row::Key(tuple) => (tuple, true),
    }
}

/// Names the column and its type, never the value.
#[cold]
fn failure(plan: &TablePlan, column: &ColumnPlan, what: &str) -> Error {
    Error::new(
        Kind::Encode,
        format!("{what}: column {}.{}.{} of type {}", plan.schema, plan.name, column.name, column.type_name),
    )
}

#[test]
fn headers_hold_control_characters_as_they_are() {
    let mut out = b"\\n".to_vec();
    out.extend_from_slice(br#"{"a":"\"q\" \\n \n\t\r\b\f\u0001\u001f"}"#);
    unescape_controls(&mut out, 2);
    assert_eq!(out, b"\\n{\"a\":\"\\\"q\\\" \\\\n \n\t\r\x08\x0c\x01\x1f\"}");
}
