//! The configuration: read from files, the environment and flags, checked once, every mistake in one report. What the
//! other modules see is one [`Config`] for each pipeline and the [`Process`] around them, in which all is checked: no text
//! that still has to be parsed, no key that contradicts another.
//!
//! ```text
//! defaults ┐
//! files ───┼▶ layers ──config crate──▶ values with their origin ──▶ settings (typed) ──build──▶ Config
//! env ─────┤    ▲                                                      ▲
//! --set ───┘    └───────────── keys: the one table of all keys ────────┘
//! ```

mod build;
mod clash;
mod file;
mod key_columns;
mod keys;
mod layer;
mod librdkafka;
mod model;
mod origin;
mod overrides;
mod pattern;
mod pipelines;
mod render;
mod report;
mod secret;
mod settings;
mod share;
mod typed;
mod units;
mod url;
mod yaml;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub use key_columns::KeyColumns;
pub use model::{
    Admin, Checkpoint, Config, Delivery, Duration, Events, Kafka, Limits, Log, LogFormat, OnGap, Operation,
    Process, PublicationMode, ReplicaIdentityRule, Retry, Sink, Snapshot, SnapshotMode, Source, SslMode,
    Topics, TransactionMetadata,
};
pub(crate) use pattern::whole as whole_expression;
pub use pattern::{Patterns, TablePatterns};
pub use render::{defaults_toml, schema_json, show};

use ::config::{Map, Value};

use crate::error::{Error, Kind, Result};
use layer::Layer;
use origin::Origin;
use pipelines::Pipelines;
use report::Report;
use settings::{SAME_THING, Settings};
use share::Share;

/// What to read; each later field overrides the earlier ones.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// Merged in their order.
    pub files: Vec<PathBuf>,
    /// Names and values; `HEADWATER_…` ones override keys, and `*_env` keys may name any.
    pub environment: BTreeMap<String, String>,
    /// Keys and texts of `--set`.
    pub overrides: Vec<(String, String)>,
    /// Names of the pipelines to keep; all when there is none.
    pub only: Vec<String>,
}

/// A configuration in force.
#[derive(Clone)]
pub struct Loaded {
    pub process: Process,
    /// At least one, in the order of the files.
    pub pipelines: Vec<Config>,
    /// What [`show`] prints: every key's value in force, where it comes from, no secrets. Of the top, and of each pipeline
    /// when there are `[[pipeline]]` tables.
    settings: (Settings, Vec<Settings>),
}

/// Reads and checks everything; the error's text is the report of all mistakes.
pub fn load(options: &LoadOptions) -> Result<Loaded> {
    let mut report = Report::default();
    let files: Vec<_> = options.files.iter().map(|path| file::read(path, &mut report)).collect();
    // After a syntax error the keys that follow it are unknown: nothing can be said about what is missing.
    let whole = report.len() == 0;
    let (layers, pipelines) = layers(files, options, &mut report);
    let mut top = merge(&layers, &mut report)?;
    if !whole {
        report = report.into_result()?;
    }
    let several = !pipelines.is_empty();
    let process = build::process(&top, several, &options.environment, &mut report);
    let loaded = if several {
        several_pipelines(top, process, (&layers, &pipelines), options, &mut report)?
    } else {
        let share = Share::whole(process.memory);
        let config = build::pipeline(&mut top, (share, false), &options.environment, &mut report);
        check_names(options, &[config.name.as_str()], &mut report);
        render::settle(&mut top, &config);
        Loaded { process, pipelines: vec![config], settings: (top, Vec::new()) }
    };
    report.into_result().map_err(|error| match options.files.as_slice() {
        [] => error.with_hint("no file was read: name one with --config FILE or in HEADWATER_CONFIG"),
        _ => error,
    })?;
    Ok(loaded)
}

/// Builds every `[[pipeline]]`, also those that are not to be kept, since a mistake in one may be a clash with another.
fn several_pipelines(
    top: Settings,
    process: Process,
    (for_all, pipelines): (&[Layer], &Pipelines),
    options: &LoadOptions,
    report: &mut Report,
) -> Result<Loaded> {
    let wanted = |name: Option<&str>| {
        options.only.is_empty() || name.is_some_and(|name| options.only.iter().any(|only| only == name))
    };
    let mut said = Vec::new();
    for (position, (name, own)) in pipelines.iter().enumerate() {
        let mut found = Report::default();
        let settings = inherit(for_all, own, &mut found)?;
        let own_origins: BTreeSet<Origin> = own.iter().flat_map(Layer::origins).collect();
        said.push((position, wanted(name), settings, (found, own_origins)));
    }
    let asked: Vec<Option<u64>> =
        said.iter().filter(|(_, kept, ..)| *kept).map(|(_, _, settings, _)| own_share(settings)).collect();
    let shares = share::divide(process.memory, &asked).unwrap_or_else(|least| {
        if !top.is_mistaken("limits.memory") {
            report.add(share::too_little(&top, &asked, &least));
        }
        Vec::new()
    });
    let (mut shares, mut built, mut kept) = (shares.into_iter(), Vec::new(), Vec::new());
    for (position, is_kept, mut settings, (mut found, own_origins)) in said {
        let share = if is_kept { shares.next() } else { None };
        let share = share.unwrap_or(Share::whole(process.memory));
        let config = build::pipeline(&mut settings, (share, true), &options.environment, &mut found);
        report.take(found, &pipelines::prefix(position), |origin| !own_origins.contains(origin));
        render::settle(&mut settings, &config);
        render::settle_share(&mut settings, &config);
        built.push((settings, config));
        kept.push(is_kept);
    }
    let names: Vec<&str> = built.iter().map(|(_, config)| config.name.as_str()).collect();
    check_names(options, &names, report);
    clash::check(&built, report);
    let (settings, pipelines) =
        built.into_iter().zip(kept).filter_map(|(built, kept)| kept.then_some(built)).unzip();
    Ok(Loaded { process, pipelines, settings: (top, settings) })
}

/// `limits.memory` of a pipeline that has its own; it is checked as every key is.
fn own_share(settings: &Settings) -> Option<u64> {
    let own = settings.is_given("limits.memory")
        && !settings.is_inherited("limits.memory")
        && !settings.is_mistaken("limits.memory");
    settings.size("limits.memory").filter(|_| own)
}

fn check_names(options: &LoadOptions, names: &[&str], report: &mut Report) {
    for name in options.only.iter().filter(|name| !names.contains(&name.as_str())) {
        report.add(clash::not_there(name, names));
    }
}

/// What is said for all, weakest first, defaults before files before environment before flags; and the pipelines, each
/// with what is said of it alone.
fn layers(
    files: Vec<Map<String, Value>>,
    options: &LoadOptions,
    report: &mut Report,
) -> (Vec<Layer>, Pipelines) {
    let mut pipelines = Pipelines::default();
    let mut layers = vec![Layer::of_file(file::parse_defaults(&defaults_toml()), report)];
    for mut file in files {
        pipelines.take_out_of(&mut file, report);
        layers.push(Layer::of_file(file, report));
    }
    let variables = options.environment.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    layers.push(overrides::environment(variables, &mut pipelines, report));
    layers.push(overrides::flags(&options.overrides, &mut pipelines, report));
    (layers, pipelines)
}

/// Lays what is said of one pipeline over what is said for all, whoever said either.
fn inherit(for_all: &[Layer], own: &[Layer], report: &mut Report) -> Result<Settings> {
    let is_own = |path: &str| own.iter().any(|layer| layer.get(path).is_some());
    let replaced: Vec<&str> = SAME_THING
        .into_iter()
        .filter(|group| group.iter().any(|path| is_own(path)))
        .flatten()
        .copied()
        .collect();
    let of_the_process = |path: &str| pipelines::is_of_the_process(path) || path == "name";
    let mut layers: Vec<Layer> = for_all.first().cloned().into_iter().collect();
    for layer in for_all.iter().skip(1) {
        let others: Vec<&str> =
            layer.iter().map(|(path, _)| path).filter(|path| of_the_process(path)).collect();
        layers.push(layer.without(&[replaced.as_slice(), &others].concat()));
    }
    layers.extend_from_slice(own);
    let mut settings = merge(&layers, report)?;
    settings.mark_inherited(is_own);
    Ok(settings)
}

/// Lays the layers over each other; the first are the defaults.
fn merge(layers: &[Layer], report: &mut Report) -> Result<Settings> {
    let defaults = layers.first().cloned().unwrap_or_default();
    let builder =
        layers.iter().fold(::config::Config::builder(), |builder, layer| builder.add_source(layer.clone()));
    let merged = builder
        .build()
        .and_then(|merged| merged.cache.into_table())
        // Of the errors that the crate knows none can come from layers of checked paths.
        .map_err(|_| Error::new(Kind::Internal, "the layers of the configuration cannot be merged"))?;
    Ok(Settings::of(&merged, &defaults, report))
}

/// The paths of all keys, in the order of the sample.
pub(crate) fn key_paths() -> impl Iterator<Item = &'static str> {
    keys::KEYS.iter().map(|key| key.path)
}

/// The environment of this process; what is not UTF-8 in it is replaced, and then fails the checks of its key.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, text)| (name.to_string_lossy().into_owned(), text.to_string_lossy().into_owned()))
        .collect()
}
