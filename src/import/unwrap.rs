//! The transformation `io.debezium.transforms.ExtractNewRecordState`, which most call `unwrap`: by itself and for every record
//! it is `events.envelope = "flat"`.

use super::draft::{list, text};
use super::lists;
use super::work::Context;
use crate::flat::{Added, From};
use crate::modes::DeleteHandling;

/// The option of the transformation that a property is, when that is the only one and no predicate chooses its records.
pub(crate) fn option<'a>(context: &Context<'_>, property: &'a str) -> Option<&'a str> {
    let names = lists::split(context.get("transforms")?);
    let [name] = names.as_slice() else { return None };
    let is_flat = context.get(&format!("transforms.{name}.type")) == Some(CLASS)
        && context.get(&format!("transforms.{name}.predicate")).is_none();
    property.strip_prefix("transforms.")?.strip_prefix(name.as_str())?.strip_prefix('.').filter(|_| is_flat)
}

const CLASS: &str = "io.debezium.transforms.ExtractNewRecordState";

/// The value of an option.
fn get<'a>(context: &Context<'a>, option: &str) -> Option<&'a str> {
    let names = lists::split(context.get("transforms")?);
    context.get(&format!("transforms.{}.{option}", names.first()?))
}

/// Whether a text means something else than none at all.
pub(crate) fn may_be_empty(property: &str) -> bool {
    property.starts_with("transforms.")
        && [".add.fields.prefix", ".add.headers.prefix"].iter().any(|option| property.ends_with(option))
}

/// `transforms`, when [`option`] knows it.
pub(crate) fn chain(context: &mut Context<'_>, property: &str) {
    context.draft.set(("events", "envelope"), text("flat"), &format!("{property}: ExtractNewRecordState"));
}

/// What adding a field to a row does beside: Connect puts defaults in, whatever its converter does.
pub(crate) fn finish(context: &mut Context<'_>) {
    let deletes = match get(context, MODE) {
        Some(word) => DeleteHandling::of_word(&word.to_ascii_lowercase()),
        None if get(context, "delete.handling.mode").is_some() => mode_of_version_two(context),
        None => None,
    };
    let rewrites = deletes.is_some_and(DeleteHandling::rewrites);
    let replaces = get(context, "replace.null.with.default") != Some("false");
    let keeps = context.get("value.converter.replace.null.with.default") == Some("false");
    if context.draft.has(("events", "envelope")) && rewrites && replaces && keeps {
        context.draft.set(
            ("events", "replace_null_with_default"),
            text("true"),
            "replace.null.with.default of ExtractNewRecordState, which is true unless it is false",
        );
    }
}

/// One of its options.
pub(crate) fn set(context: &mut Context<'_>, (property, option): (&str, &str), value: &str) {
    match option {
        "type" => context.draft.same(property, "events.envelope = \"flat\""),
        "negate" => context.draft.same(property, "there is no predicate to negate"),
        MODE => {
            let word = text(&value.trim().to_ascii_lowercase());
            context.draft.set(("events", "delete_tombstone_handling_mode"), word, property);
        }
        "delete.handling.mode" | "drop.tombstones" => of_version_two(context, property),
        "add.fields" => {
            let fields = added(context, property, value, true);
            context.draft.set(("events", "add_fields"), list(&fields), property);
        }
        "add.headers" => {
            let headers = added(context, property, value, false);
            context.draft.set(("events", "add_headers"), list(&headers), property);
        }
        "add.fields.prefix" => context.draft.set(("events", "add_fields_prefix"), text(value), property),
        "add.headers.prefix" => context.draft.set(("events", "add_headers_prefix"), text(value), property),
        "replace.null.with.default" => {
            context.draft.same(property, "events.replace_null_with_default is for the converter's too");
        }
        "drop.fields.header.name" | "drop.fields.from.key" | "drop.fields.keep.schema.compatible" => {
            context.draft.same(property, "no record has a header of fields, as no transformation before writes one");
        }
        "route.by.field" => context
            .draft
            .missing(property, "topics by the values of a column: let a consumer route, or keep the transformation in a sink connector"),
        _ => context.draft.missing(property, "unknown to Headwater: no option of ExtractNewRecordState in Debezium 3.7"),
    }
}

const MODE: &str = "delete.tombstone.handling.mode";

/// Entries of `add.fields` or `add.headers`; those that give nothing are told.
fn added(context: &mut Context<'_>, property: &str, value: &str, columns: bool) -> Vec<String> {
    let mut entries = Vec::new();
    for entry in lists::split(value) {
        match Added::parse("", &entry) {
            Ok(Added { from: From::Column(..), .. }) if !columns => {
                context.draft.missing(property, &format!("{entry:?}, a column as a header"));
            }
            Ok(_) => entries.push(entry),
            Err(reason) => context.draft.missing(
                property,
                &format!("{entry:?} {reason}; Debezium adds nothing for it, or does not start"),
            ),
        }
    }
    entries
}

/// What [`MODE`] is to say for `delete.handling.mode` and `drop.tombstones`, which it replaced; none for what it cannot say.
fn mode_of_version_two(context: &Context<'_>) -> Option<DeleteHandling> {
    let keeps = get(context, "drop.tombstones") == Some("false");
    match (get(context, "delete.handling.mode").unwrap_or("drop"), keeps) {
        ("drop", false) => Some(DeleteHandling::Drop),
        ("drop", true) => Some(DeleteHandling::DeleteToTombstone),
        ("none", false) => Some(DeleteHandling::Tombstone),
        ("rewrite", false) => Some(DeleteHandling::Rewrite),
        ("rewrite", true) => Some(DeleteHandling::RewriteWithTombstone),
        _ => None,
    }
}

fn of_version_two(context: &mut Context<'_>, property: &str) {
    if get(context, MODE).is_some() {
        context.draft.same(property, "delete.tombstone.handling.mode has taken its place");
        return;
    }
    let Some(mode) = mode_of_version_two(context).map(DeleteHandling::word) else {
        context
            .draft
            .missing(property, "this way to write deletes; see events.delete_tombstone_handling_mode");
        return;
    };
    context.draft.set(("events", "delete_tombstone_handling_mode"), text(mode), property);
    context.draft.warn(
        property,
        &format!("is taken as Debezium 2 does, as {mode:?}; Debezium 3.7 passes over it and does as with \"tombstone\""),
    );
}
