//! `events.envelope = "flat"`, and the keys that go with it.

use std::collections::BTreeSet;

use super::Builder;
use crate::config::typed::quote;
use crate::flat::{Added, Flat, From};
use crate::modes::DeleteHandling;

const FIELDS: &str = "events.add_fields";
const FIELDS_PREFIX: &str = "events.add_fields_prefix";
const HEADERS: &str = "events.add_headers";
const HEADERS_PREFIX: &str = "events.add_headers_prefix";
const MODE: &str = "events.delete_tombstone_handling_mode";
/// The default of both.
const PREFIX: &str = "__";

impl Builder<'_> {
    /// None when events have their envelope.
    pub(super) fn flat(&mut self) -> Option<Flat> {
        if self.settings.text("events.envelope") != Some("flat") {
            self.refuse_what_is_flat();
            return None;
        }
        let word = self.settings.text(MODE).unwrap_or_default();
        let deletes = DeleteHandling::of_word(word).unwrap_or_default();
        let fields = self.added(FIELDS, FIELDS_PREFIX);
        let headers = self.added(HEADERS, HEADERS_PREFIX);
        if headers.iter().any(|header| matches!(header.from, From::Column(..))) {
            let fix = format!("take it out, or add it to the value with {FIELDS}");
            self.wrong(HEADERS, "names a column of before or after, which no header holds", fix);
        }
        let mut names: BTreeSet<&str> = deletes.rewrites().then_some("__deleted").into_iter().collect();
        if let Some(Added { name, .. }) = fields.iter().find(|added| !names.insert(&added.name)) {
            let fix = "name one of them otherwise, as in \"source.ts_ms:changed_at\"";
            self.wrong(FIELDS, format!("gives two fields the name {}", quote(name)), fix);
        }
        Some(Flat { deletes, fields, headers })
    }

    /// What says nothing of an event with its envelope, unless it is the default.
    fn refuse_what_is_flat(&mut self) {
        let word = |path| self.settings.text(path).unwrap_or_default();
        let given = [
            (MODE, word(MODE) != DeleteHandling::default().word()),
            (FIELDS, !self.settings.list(FIELDS).is_empty()),
            (FIELDS_PREFIX, word(FIELDS_PREFIX) != PREFIX),
            (HEADERS, !self.settings.list(HEADERS).is_empty()),
            (HEADERS_PREFIX, word(HEADERS_PREFIX) != PREFIX),
        ];
        if self.settings.is_mistaken("events.envelope") {
            return;
        }
        for (path, _) in given.into_iter().filter(|(_, given)| *given) {
            let fix = format!("write events.envelope = \"flat\", or remove {path}");
            self.wrong(path, "is for the flat form of events alone", fix);
        }
    }

    fn added(&mut self, path: &'static str, prefix: &str) -> Vec<Added> {
        let prefix = self.text(prefix);
        let mut fields = Vec::new();
        for entry in self.settings.list(path) {
            match Added::parse(&prefix, entry.trim()) {
                Ok(added) => fields.push(added),
                Err(reason) => {
                    let reason = format!("{} {reason}", quote(entry));
                    self.wrong(
                        path,
                        reason,
                        "use op, ts_ms, ts_us, ts_ns, a field of source or transaction as in source.lsn, or a column as in before.name",
                    );
                }
            }
        }
        fields
    }
}
