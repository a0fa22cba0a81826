//! The value of every key with its type: what was said, or the default where nothing was, or where it was a mistake.

use std::collections::BTreeMap;
use std::time::Duration;

use config::{Map, Value, ValueKind};

use super::keys::{Form, KEYS, Key, key, split};
use super::layer::Layer;
use super::origin::Origin;
use super::report::{Mistake, Report};
use super::typed::{Entry, Typed, mistake, typed, typed_map};

/// Every key's value.
#[derive(Clone)]
pub(super) struct Settings(BTreeMap<&'static str, Setting>);

/// One key's value.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) origin: Origin,
    pub(super) value: Typed,
    /// Something was said, but it was a mistake.
    pub(super) mistaken: bool,
    /// It was said at the top, for every pipeline.
    pub(super) inherited: bool,
}

impl Settings {
    /// Takes the value of every key from the merged layers; a mistake leaves the default in force, so that the later
    /// checks go on.
    pub(super) fn of(merged: &Map<String, Value>, defaults: &Layer, report: &mut Report) -> Self {
        let setting = |key: &'static Key| {
            // Every key but an empty map has a default.
            let Some(value) = at(merged, key.path) else {
                let value = Typed::Map(BTreeMap::new());
                return (
                    key.path,
                    Setting { origin: Origin::Default, value, mistaken: false, inherited: false },
                );
            };
            let mut origin = Origin::of(value);
            let result = match &value.kind {
                ValueKind::Table(table) => {
                    // A merged table is nobody's; its entries have their own origins.
                    origin = table.values().map(Origin::of).max().unwrap_or(Origin::Default);
                    typed_map(key, table)
                }
                _ => typed(key, value).map_err(|wrong| vec![mistake(key.path, key, value, wrong)]),
            };
            let mistaken = result.is_err();
            let value = result.unwrap_or_else(|mistakes| {
                report.extend(mistakes);
                let default = defaults.get(key.path).and_then(|value| typed(key, value).ok());
                default.unwrap_or(Typed::Unset)
            });
            (key.path, Setting { origin, value, mistaken, inherited: false })
        };
        Self(KEYS.iter().map(setting).collect())
    }

    /// All keys with their settings.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Key, &Setting)> {
        KEYS.iter().filter_map(|key| Some((key, self.0.get(key.path)?)))
    }

    pub(super) fn origin(&self, path: &str) -> Option<&Origin> {
        self.0.get(path).map(|setting| &setting.origin)
    }

    fn value(&self, path: &str) -> &Typed {
        debug_assert!(self.0.contains_key(path), "{path} is not in the table of keys");
        self.0.get(path).map_or(&Typed::Unset, |setting| &setting.value)
    }

    /// Whether somebody said something, right or wrong.
    pub(super) fn is_given(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|setting| {
            setting.mistaken || setting.origin != Origin::Default && setting.value != Typed::Unset
        })
    }

    /// Whether what was said is a mistake that the report already has, so that no rule can be applied to it.
    pub(super) fn is_mistaken(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|setting| setting.mistaken)
    }

    /// Says that `path` was meant to be given, so that nobody calls it missing.
    pub(super) fn mark_mistaken(&mut self, path: &str) {
        if let Some(setting) = self.0.get_mut(path) {
            setting.mistaken = true;
        }
    }

    /// Gives `path` the text that another key holds; both may say the same, but not contradict each other.
    pub(super) fn adopt(&mut self, path: &'static str, text: String, from: &str, report: &mut Report) {
        let Some(key) = key(path) else { return };
        let Some(origin) = self.origin(from).cloned() else { return };
        let (inherited, twins) = (self.is_inherited(from), Self::twins(path));
        // What a pipeline says itself rules over what is said for all.
        if inherited
            && [path].iter().chain(&twins).any(|path| self.is_given(path) && !self.is_inherited(path))
        {
            return;
        }
        // The text is bare: a port in a URL is a number.
        let bare = Origin::Flag { key: from.to_owned() }.value(text.clone());
        let value = match typed(key, &bare) {
            Ok(value) => value,
            Err(wrong) => {
                report.add(mistake(&format!("{from} → {path}"), key, &origin.value(text), wrong));
                return self.mark_mistaken(path);
            }
        };
        if !self.is_given(path) || !inherited && self.is_inherited(path) {
            for twin in twins {
                self.forget_inherited(twin);
            }
            self.0.insert(key.path, Setting { origin, value, mistaken: false, inherited });
        } else if matches!(key.form, Form::Secret) || *self.value(path) != value {
            let fix = format!("remove {path}, or that part of {from}");
            report.add(self.mistake(path, format!("contradicts {from} ({origin}), which says it too"), fix));
        }
    }

    /// The other ways to say a secret.
    fn twins(path: &str) -> Vec<&'static str> {
        let group = SAME_THING.iter().find(|group| group.contains(&path));
        group.into_iter().copied().flatten().copied().filter(|other| *other != path).collect()
    }

    fn forget_inherited(&mut self, path: &str) {
        if let Some(setting) = self.0.get_mut(path).filter(|setting| setting.inherited) {
            (setting.value, setting.origin) = (Typed::Unset, Origin::Default);
        }
    }

    /// Marks what was said at the top and not by the pipeline itself.
    pub(super) fn mark_inherited(&mut self, own: impl Fn(&str) -> bool) {
        for (path, setting) in &mut self.0 {
            setting.inherited = setting.origin != Origin::Default && !own(path);
        }
    }

    /// Whether it was said at the top, for every pipeline.
    pub(super) fn is_inherited(&self, path: &str) -> bool {
        self.0.get(path).is_some_and(|setting| setting.inherited)
    }

    /// Puts what follows from other keys where nothing was said.
    pub(super) fn derive(&mut self, path: &str, value: Typed) {
        if let Some(setting) = self.0.get_mut(path) {
            setting.value = value;
        }
    }

    /// The text, when there is one.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        match self.value(path) {
            Typed::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn truth(&self, path: &str) -> bool {
        matches!(self.value(path), Typed::Bool(true))
    }

    pub(super) fn integer(&self, path: &str) -> Option<i64> {
        match self.value(path) {
            Typed::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn duration(&self, path: &str) -> Option<Duration> {
        match self.value(path) {
            Typed::Duration(duration) => Some(*duration),
            _ => None,
        }
    }

    pub(super) fn size(&self, path: &str) -> Option<u64> {
        match self.value(path) {
            Typed::Size(bytes) => Some(*bytes),
            _ => None,
        }
    }

    pub(super) fn list(&self, path: &str) -> &[String] {
        match self.value(path) {
            Typed::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn map(&self, path: &str) -> impl Iterator<Item = (&str, &Entry)> {
        let entries = match self.value(path) {
            Typed::Map(entries) => Some(entries),
            _ => None,
        };
        entries.into_iter().flatten().map(|(name, entry)| (name.as_str(), entry))
    }

    /// A mistake about a value of the right type: reason and repair.
    pub(super) fn mistake(&self, path: &str, reason: impl Into<String>, fix: impl Into<String>) -> Mistake {
        let Some(setting) = self.0.get(path) else { return Mistake::about_key(None, path, reason, fix) };
        let mistake = Mistake::about_key(Some(&setting.origin), path, reason, fix);
        match key(path).map(|key| key.form) {
            Some(Form::Secret) => mistake.with_secret(),
            _ if setting.value == Typed::Unset => mistake,
            _ => mistake.with_value(&setting.value.to_string()),
        }
    }
}

/// Keys that say the same thing in different ways: who gives one of them replaces what was inherited of the others.
pub(super) const SAME_THING: [&[&str]; 2] = [
    &["source.password", "source.password_file", "source.password_env"],
    &["kafka.sasl_password", "kafka.sasl_password_file", "kafka.sasl_password_env"],
];

fn at<'a>(merged: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match split(path) {
        ("", name) => merged.get(name),
        (section, name) => match &merged.get(section)?.kind {
            ValueKind::Table(entries) => entries.get(name),
            _ => None,
        },
    }
}
