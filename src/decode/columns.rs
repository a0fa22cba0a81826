//! The columns of a Relation message: checked once when the message is read, names included, and handed out by an
//! iterator that cannot fail.

use std::iter::FusedIterator;

use super::message::{ColumnRef, Columns};
use super::reader::{Reader, Result};

/// Iterates [`Columns`].
#[derive(Clone, Debug)]
pub struct ColumnIter<'a> {
    left: u16,
    reader: Reader<'a>,
}

impl<'a> Columns<'a> {
    /// Reads the column count and the columns, checking each.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let count = reader.u16("number of columns")?;
        let start = reader.rest();
        for _ in 0..count {
            column(reader)?;
        }
        let body = start.get(..start.len() - reader.rest().len()).unwrap_or(start);
        Ok(Self { count, body })
    }

    /// The columns in the order of the values of a row.
    #[must_use]
    pub const fn iter(&self) -> ColumnIter<'a> {
        ColumnIter { left: self.count, reader: Reader::new(self.body) }
    }

    /// The number of columns.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether the relation has no columns.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> IntoIterator for &Columns<'a> {
    type Item = ColumnRef<'a>;
    type IntoIter = ColumnIter<'a>;

    fn into_iter(self) -> ColumnIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for ColumnIter<'a> {
    type Item = ColumnRef<'a>;

    fn next(&mut self) -> Option<ColumnRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Columns::read took the same bytes the same way: this succeeds.
        column(&mut self.reader).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for ColumnIter<'_> {}
impl FusedIterator for ColumnIter<'_> {}

fn column<'a>(reader: &mut Reader<'a>) -> Result<ColumnRef<'a>> {
    Ok(ColumnRef {
        key: reader.u8("column flags")? & 1 != 0,
        name: reader.cstr("column name")?,
        type_oid: reader.oid("type OID")?,
        typmod: reader.i32("type modifier")?,
    })
}
