//! Properties of the first snapshot.

use super::draft::{list, text};
use super::lists;
use super::work::Context;

/// `snapshot.mode`. Where one is not to be had, that is told, and nothing is read.
pub(crate) fn mode(context: &mut Context<'_>, property: &str, value: &str) {
    let (mode, missing) = match value.to_ascii_lowercase().as_str() {
        "initial" => ("initial", None),
        "always" => ("always", None),
        "initial_only" => ("only", None),
        "when_needed" => ("when_needed", None),
        "no_data" | "never" | "schema_only" => ("never", None),
        _ => ("never", Some("this mode: choose one of snapshot.mode")),
    };
    let comment = match mode {
        "initial" => format!("{property}: none where there is a checkpoint, as after importing offsets"),
        _ => property.to_owned(),
    };
    context.draft.set(("snapshot", "mode"), text(mode), &comment);
    if let Some(what) = missing {
        context.draft.missing(property, what);
    }
}

/// `snapshot.include.collection.list`.
pub(crate) fn tables(context: &mut Context<'_>, property: &str, value: &str) {
    let (tables, refused) = lists::patterns(value, 2);
    context.refuse(property, &refused);
    context.draft.set(("snapshot", "tables"), list(&tables), property);
}

/// `snapshot.select.statement.overrides`, the list of tables, whose statements have properties of their own.
pub(crate) fn statements(context: &mut Context<'_>, property: &str, value: &str) {
    for table in lists::split(value) {
        let statement = format!("{property}.{table}");
        match context.get(&statement) {
            Some(select) => context.draft.set((STATEMENTS, &text(&table)), text(select), &statement),
            None => context.draft.missing(&statement, "it is not there, though the table is listed"),
        }
    }
}

/// `snapshot.select.statement.overrides.SCHEMA.TABLE`.
pub(crate) fn statement(context: &mut Context<'_>, property: &str, _: &str) {
    let (listed, table) = property.split_at_checked(OVERRIDES.len()).unwrap_or_default();
    let tables = lists::split(context.get(listed).unwrap_or_default());
    // Set with the list, where the table is on it.
    if !tables.iter().any(|listed| Some(listed.as_str()) == table.strip_prefix('.')) {
        context.draft.same(property, "of a table that the list does not name, as if it were not there");
    }
}

/// `snapshot.max.threads`, within what `snapshot.threads` takes.
pub(crate) fn threads(context: &mut Context<'_>, property: &str, value: &str) {
    let most =
        value.parse::<i64>().map_or_else(|_| text(value), |count| count.clamp(1, MOST_THREADS).to_string());
    context.draft.set(("snapshot", "threads"), most, property);
}

/// `snapshot.lock.timeout.ms`, which is of PostgreSQL: zero and less say nothing.
pub(crate) fn lock_timeout(context: &mut Context<'_>, property: &str, value: &str) {
    match value.parse::<i64>() {
        Ok(ms) if ms <= 0 => context
            .draft
            .same(property, "a lock is waited for, and the snapshot starts over when it is not had"),
        _ => context.draft.set(("snapshot", "lock_timeout"), text(&format!("{value}ms")), property),
    }
}

/// The section of statements.
const STATEMENTS: &str = "snapshot.select_statement_overrides";
const OVERRIDES: &str = "snapshot.select.statement.overrides";
const MOST_THREADS: i64 = 16;
