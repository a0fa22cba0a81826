//! Properties that say something of tables, columns or messages that a list of regular expressions means: keys, masks, replica
//! identities, types in schemas, prefixes.

use super::draft::{list, text};
use super::work::Context;
use super::{lists, shown};

/// `message.key.columns`: `table:column,column;…`, where the table and, in Debezium, each column are expressions.
pub(crate) fn key_columns(context: &mut Context<'_>, property: &str, value: &str) {
    let mut entries = Vec::new();
    for entry in value.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
        let Some((table, columns)) = entry.rsplit_once(':') else {
            context
                .draft
                .missing(property, &format!("{entry:?}, which is not of the form table:column,column"));
            continue;
        };
        let (tables, refused) = lists::patterns(&table.replace(',', "\\,"), 2);
        context.refuse(property, &refused);
        let plain = |c: char| c.is_alphanumeric() || "_- $".contains(c);
        if !columns.chars().all(|c| plain(c) || c == ',') {
            let reason = format!(
                "{entry:?}: columns by regular expressions; write source.key_columns with their names"
            );
            context.draft.missing(property, &reason);
        }
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        entries.extend(tables.iter().map(|table| format!("{table}:{}", columns.join(","))));
    }
    context.draft.set(("source", "key_columns"), list(&entries), property);
}

/// `column.mask.*` and `column.truncate.*`, whose names are rules of `source.mask_columns`.
pub(crate) fn mask(context: &mut Context<'_>, property: &str, value: &str) {
    let shown = shown(property);
    let Some(rule) = property.strip_prefix("column.") else { return };
    let (patterns, refused) = lists::patterns(value, 3);
    context.refuse(&shown, &refused);
    if rule.contains(".with.salt.") {
        let salt = "the salt is in the file: keep it private, or write with.salt_env.VARIABLE or with.salt_file.PATH";
        context.draft.warn(&shown, salt);
    }
    for pattern in patterns {
        let others = context.connector.properties.iter();
        let mut stronger = others.filter(|(other, _)| strength(other) < strength(property));
        if stronger.any(|(_, value)| lists::patterns(value, 3).0.contains(&pattern)) {
            context.draft.same(&shown, &format!("{pattern} is hidden better by another property"));
        } else {
            context.draft.set(("source.mask_columns", &text(&pattern)), text(rule), &shown);
        }
    }
}

/// The order in which rules of `source.mask_columns` count.
fn strength(property: &str) -> u8 {
    match property {
        _ if property.starts_with("column.mask.with.") => 0,
        _ if property.starts_with("column.mask.hash.") => 1,
        _ if property.starts_with("column.truncate.to.") => 2,
        _ => 3,
    }
}

/// `replica.identity.autoset.values`: `table:FULL,table:INDEX name`.
pub(crate) fn replica_identity(context: &mut Context<'_>, property: &str, value: &str) {
    for entry in lists::split(value) {
        let Some((table, identity)) = entry.rsplit_once(':') else {
            context.draft.missing(property, &format!("{entry:?}, which is not of the form table:IDENTITY"));
            continue;
        };
        let (tables, refused) = lists::patterns(&table.replace(',', "\\,"), 2);
        context.refuse(property, &refused);
        for table in tables {
            context.draft.set(("source.replica_identity", &text(&table)), text(identity.trim()), property);
        }
    }
}

/// `message.prefix.include.list` and `message.prefix.exclude.list`.
pub(crate) fn prefixes(context: &mut Context<'_>, property: &str, value: &str) {
    let (prefixes, refused) = lists::prefixes(value);
    context.refuse(property, &refused);
    let name = if property == "message.prefix.include.list" { "messages" } else { "exclude_messages" };
    context.draft.set(("source", name), list(&prefixes), property);
}

/// `column.propagate.source.type` and `datatype.propagate.source.type`. Names of types are in small letters here.
pub(crate) fn source_types(context: &mut Context<'_>, property: &str, value: &str) {
    let (mut patterns, refused) = lists::patterns(value, 3);
    context.refuse(property, &refused);
    let name = if property == "column.propagate.source.type" {
        "column_propagate_source_type"
    } else {
        for pattern in patterns.iter_mut().filter(|pattern| !pattern.starts_with('/')) {
            let (columns, ty) = pattern.rsplit_once('.').unwrap_or(("", pattern));
            *pattern = format!("{columns}.{}", ty.to_lowercase());
        }
        "datatype_propagate_source_type"
    };
    context.draft.set(("events", name), list(&patterns), property);
}
