//! Values that a record holds otherwise than the row: counted each time, and said once per column.

use crate::encode::{JsonEncoder, Written};
use crate::event::Event;
use crate::observe::TableCounters;

/// Counts what was `written` of `event` otherwise, and says what was not said before.
#[inline]
pub(crate) fn tell(
    written: Written,
    event: &Event<'_>,
    encoder: &mut JsonEncoder,
    counters: &mut TableCounters,
) {
    counters.unrepresentable(written.unrepresentable.into());
    counters.undecoded(written.undecoded.into());
    if written.unrepresentable + written.undecoded > 0 {
        say(written, event, encoder);
    }
}

#[cold]
fn say(written: Written, event: &Event<'_>, encoder: &mut JsonEncoder) {
    let (schema, table) = (&event.table.schema, &event.table.name);
    if written.unrepresentable > 0 {
        if let Some(column) = encoder.tell_unrepresentable(event) {
            tracing::warn!(
                schema,
                table,
                column,
                "a value has no place in the chosen form and was replaced; said once, counted each time"
            );
        }
    }
    if written.undecoded > 0 {
        while let Some(column) = encoder.tell_undecoded(event.table.slot) {
            tracing::warn!(
                schema,
                table,
                column,
                "a text does not fit its encoding (source.sql_ascii) and was written in hexadecimal; said once, counted each time"
            );
        }
    }
}
