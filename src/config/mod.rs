//! The configuration: read from files, the environment and flags, checked once, every mistake in one report. What the
//! other modules see is [`Config`], in which all is checked: no text that still has to be parsed, no key that
//! contradicts another.
//!
//! ```text
//! defaults ┐
//! files ───┼▶ layers ──config crate──▶ values with their origin ──▶ settings (typed) ──build──▶ Config
//! env ─────┤    ▲                                                      ▲
//! --set ───┘    └───────────── keys: the one table of all keys ────────┘
//! ```

mod build;
mod file;
mod keys;
mod layer;
mod librdkafka;
mod model;
mod origin;
mod overrides;
mod pattern;
mod render;
mod report;
mod secret;
mod settings;
mod typed;
mod units;
mod url;
mod yaml;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use model::{
    Admin, Checkpoint, Config, Delivery, Duration, Events, Kafka, Limits, Log, LogFormat, OnGap, Operation,
    PublicationMode, Retry, Sink, Snapshot, SnapshotMode, Source, SslMode, Topics, TransactionMetadata,
};
pub use pattern::{Patterns, TablePatterns};
pub use render::{defaults_toml, schema_json, show};

use ::config::{Map, Value};

use crate::error::{Error, Kind, Result};
use layer::Layer;
use report::Report;
use settings::Settings;

/// What to read; each later field overrides the earlier ones.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// Merged in their order.
    pub files: Vec<PathBuf>,
    /// Names and values; `HEADWATER_…` ones override keys, and `*_env` keys may name any.
    pub environment: BTreeMap<String, String>,
    /// Keys and texts of `--set`.
    pub overrides: Vec<(String, String)>,
}

/// A configuration in force.
#[derive(Clone)]
pub struct Loaded {
    pub config: Config,
    /// What [`show`] prints: every key's value in force, where it comes from, no secrets.
    settings: Settings,
}

/// Reads and checks everything; the error's text is the report of all mistakes.
pub fn load(options: &LoadOptions) -> Result<Loaded> {
    let mut report = Report::default();
    let files: Vec<_> = options.files.iter().map(|path| file::read(path, &mut report)).collect();
    // After a syntax error the keys that follow it are unknown: nothing can be said about what is missing.
    let whole = report.len() == 0;
    let mut settings = merge(files, options, &mut report)?;
    if !whole {
        report = report.into_result()?;
    }
    let config = build::build(&mut settings, &options.environment, &mut report);
    report.into_result().map_err(|error| match options.files.as_slice() {
        [] => error.with_hint("no file was read: name one with --config FILE or in HEADWATER_CONFIG"),
        _ => error,
    })?;
    render::settle(&mut settings, &config);
    Ok(Loaded { config, settings })
}

/// Lays flags over environment over files over defaults.
fn merge(files: Vec<Map<String, Value>>, options: &LoadOptions, report: &mut Report) -> Result<Settings> {
    let defaults = Layer::of_file(file::parse_defaults(&defaults_toml()), report);
    let mut layers = ::config::Config::builder().add_source(defaults.clone());
    for file in files {
        layers = layers.add_source(Layer::of_file(file, report));
    }
    let variables = options.environment.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let merged = layers
        .add_source(overrides::environment(variables, report))
        .add_source(overrides::flags(&options.overrides, report))
        .build()
        .and_then(|merged| merged.cache.into_table())
        // Of the errors that the crate knows none can come from layers of checked paths.
        .map_err(|_| Error::new(Kind::Internal, "the layers of the configuration cannot be merged"))?;
    Ok(Settings::of(&merged, &defaults, report))
}

/// The environment of this process; what is not UTF-8 in it is replaced, and then fails the checks of its key.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, text)| (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned()))
        .collect()
}
