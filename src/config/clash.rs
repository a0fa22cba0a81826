//! What two pipelines of one process must not share: a slot, a publication that both would alter, a transactional id, topics
//! to which both would write the same tables, files. Addresses are compared as they are written; whom that misses is met
//! by the server, as `slot_busy` or `sink_fenced`.

use super::model::{Config, Delivery, PublicationMode, Sink, TransactionMetadata};
use super::pattern::may_overlap;
use super::pipelines::prefix;
use super::report::{Mistake, Report};
use super::settings::Settings;

/// A pipeline as it was said and as it was understood.
pub(super) type Built = (Settings, Config);

/// Reports every clash, once for each pair, at the later of the two.
pub(super) fn check(pipelines: &[Built], report: &mut Report) {
    for (later, one) in pipelines.iter().enumerate() {
        for (earlier, other) in pipelines.iter().take(later).enumerate() {
            for (path, reason, fix) in clashes(&one.1, &other.1) {
                let other = format!("{}{path}", prefix(earlier));
                let shown = one.0.mistake(path, format!("{reason} ({other})"), fix);
                let mut found = Report::default();
                found.add(shown);
                report.take(found, &prefix(later), |_| false);
            }
        }
    }
}

type Clash = (&'static str, String, &'static str);

fn clashes(one: &Config, other: &Config) -> Vec<Clash> {
    let mut found = Vec::new();
    let mut clash = |path, reason: String, fix| found.push((path, reason, fix));
    let (a, b) = (&one.source, &other.source);
    let one_server = a.host.eq_ignore_ascii_case(&b.host) && a.port == b.port;
    if one_server && a.slot == b.slot {
        clash(
            "source.slot",
            format!("{:?} is the slot of {} too, on the same server", a.slot, other.name),
            "leave it out, or put {name} into it: a slot has one reader",
        );
    }
    let kept = |mode| mode == PublicationMode::Tables;
    let one_database = one_server && a.database == b.database;
    if one_database
        && a.publication == b.publication
        && (kept(a.publication_mode) || kept(b.publication_mode))
    {
        clash(
            "source.publication",
            format!(
                "{:?} is the publication of {} too, and each would make it fit its own tables",
                a.publication, other.name
            ),
            "leave it out, or put {name} into it, or set source.publication_mode = \"disabled\" in both",
        );
    }
    if (&one.sink, &other.sink) == (&Sink::Kafka, &Sink::Kafka) && one_cluster(one, other) {
        in_kafka(one, other, &mut clash);
    }
    let local = |config: &Config| config.sink != Sink::Kafka;
    if local(one) && local(other) && one.checkpoint.file == other.checkpoint.file {
        clash(
            "checkpoint.file",
            format!("is the file of {} too: each would overwrite the other's position", other.name),
            "leave it out, or put {name} into it",
        );
    }
    match (&one.sink, &other.sink) {
        (Sink::Stdout, Sink::Stdout) => clash(
            "sink.type",
            format!("{} writes to standard output too: their lines would be torn", other.name),
            "write one of them to a file",
        ),
        (Sink::File { path }, Sink::File { path: taken }) if path == taken => clash(
            "sink.path",
            format!("is the file of {} too: their lines would be torn", other.name),
            "give each pipeline a file of its own",
        ),
        _ => {}
    }
    found
}

fn in_kafka(one: &Config, other: &Config, clash: &mut impl FnMut(&'static str, String, &'static str)) {
    let exactly_once = |config: &Config| config.kafka.delivery == Delivery::ExactlyOnce;
    let id = &one.kafka.transactional_id;
    if exactly_once(one) && exactly_once(other) && *id == other.kafka.transactional_id {
        clash(
            "kafka.transactional_id",
            format!(
                "{id:?} is that of {} too, on the same brokers: they would fence each other out",
                other.name
            ),
            "leave it out, or put {name} into it",
        );
    }
    let (a, b) = (&one.source, &other.source);
    let pattern = |config: &Config| config.topics.pattern.replace("{name}", &config.name);
    if pattern(one) == pattern(other)
        && may_overlap((&a.tables, &a.exclude_tables), (&b.tables, &b.exclude_tables))
    {
        clash(
            "topics.pattern",
            format!(
                "sends tables of one name to the topics that {} writes to: keys of one would hide those of the other",
                other.name
            ),
            "put {name} into it; or, to split one database, let source.tables and source.exclude_tables leave no table to both",
        );
    }
    let bounds = |config: &Config| config.events.transaction_metadata == TransactionMetadata::Full;
    if bounds(one) && bounds(other) && one.topics.transaction == other.topics.transaction {
        clash(
            "topics.transaction",
            format!(
                "is the topic of {} too: a transaction over both would begin and end twice in it",
                other.name
            ),
            "leave it out, or put {name} into it",
        );
    }
}

/// Whether they have a broker in common.
fn one_cluster(one: &Config, other: &Config) -> bool {
    let brokers = &other.kafka.brokers;
    one.kafka.brokers.iter().any(|broker| brokers.iter().any(|other| other.eq_ignore_ascii_case(broker)))
}

/// Says that a name was asked for that no pipeline has.
pub(super) fn not_there(name: &str, names: &[&str]) -> Mistake {
    let fix = match super::report::closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("the names are {}", names.join(", ")),
    };
    Mistake::about_file(&format!("--pipeline {name}"), "no pipeline has this name", fix)
}
