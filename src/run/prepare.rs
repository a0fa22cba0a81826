//! A table is prepared for its rows: its key and masks as the configuration has them, its encoder, and a word in the log about each
//! column that does not become what one would expect.

use crate::encode::{JsonEncoder, Naming};
use crate::event::{Selection, Table};

/// Prepares the table and the encoder of its rows, which go to `topic`. Returns how many captured columns are left out.
pub(crate) fn table(
    table: &mut Table,
    selection: &Selection,
    encoder: &mut JsonEncoder,
    topic: &str,
) -> usize {
    for column in table.set_key(&selection.key_columns(&table.schema, &table.name)) {
        tracing::warn!(
            schema = table.schema,
            table = table.name,
            column,
            "source.key_columns names a column that the table does not have"
        );
    }
    selection.mask(table);
    for column in table.columns.iter().filter(|column| column.selected && column.ty.schema.is_empty()) {
        tracing::warn!(
            schema = table.schema,
            table = table.name,
            column = column.name,
            r#type = column.ty.name,
            "the type of the column is gone from the catalog: its values are written as text"
        );
    }
    let source_types = selection.source_types(table);
    let dropped = encoder.set_table(table, Naming { topic, source_types: &source_types });
    let left_out = dropped.len();
    for dropped in dropped {
        tracing::warn!(
            schema = table.schema,
            table = table.name,
            column = dropped.column,
            r#type = dropped.type_name,
            "the column is left out: Debezium has no form for its type"
        );
    }
    for shown in encoder.unmaskable(table.slot) {
        tracing::warn!(
            schema = table.schema,
            table = table.name,
            column = shown.column,
            r#type = shown.type_name,
            "source.mask_columns names the column, but its values are no texts: they are not hidden"
        );
    }
    left_out
}
