//! The sections with few rules: events, topics, sink, retry, limits, admin and log.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

use super::Builder;
use crate::config::model::{
    Admin, Events, Limits, Log, LogFormat, Operation, Retry, Sink, Topics, TransactionMetadata,
};
use crate::config::share::Share;
use crate::config::units::format_size;
use crate::modes::{
    BinaryMode, DecimalFormat, DecimalMode, FieldNames, HstoreMode, IntervalMode, Modes, Quirks, Schemas,
    TimeMode,
};

/// A message of the stream is never larger: PostgreSQL's own limit of an allocation.
const LARGEST_MESSAGE: u64 = 1 << 30;

impl Builder<'_> {
    pub(super) fn events(&mut self) -> Events {
        Events {
            transaction_metadata: match self.settings.text("events.transaction_metadata") {
                Some("block") => TransactionMetadata::Block,
                Some("false") => TransactionMetadata::Off,
                _ => TransactionMetadata::Full,
            },
            tombstones: self.settings.truth("events.tombstones"),
            skipped_operations: self.skipped_operations(),
            skip_unchanged: self.settings.truth("events.skip_unchanged"),
            unavailable_value_placeholder: self.text("events.unavailable_value_placeholder"),
            heartbeat_interval: self.settings.duration("events.heartbeat_interval"),
            context_headers: self.settings.truth("events.context_headers"),
            column_propagate_source_type: self
                .patterns("events.column_propagate_source_type", "schema.table.column"),
            datatype_propagate_source_type: self
                .patterns("events.datatype_propagate_source_type", "schema.table.type"),
            modes: self.modes(),
            flat: self.flat(),
        }
    }

    /// The forms of values. Words that are mistaken are in the report and give way to the defaults.
    fn modes(&self) -> Modes {
        let word = |path| self.settings.text(path).unwrap_or_default();
        let quirks = Quirks::of_word(word("events.quirks")).unwrap_or_default();
        Modes {
            decimal: DecimalMode::of_word(word("events.decimal_handling_mode")).unwrap_or_default(),
            decimal_format: DecimalFormat::of_word(word("events.decimal_format")).unwrap_or_default(),
            time: TimeMode::of_word(word("events.time_precision_mode")).unwrap_or_default(),
            interval: IntervalMode::of_word(word("events.interval_handling_mode")).unwrap_or_default(),
            hstore: HstoreMode::of_word(word("events.hstore_handling_mode")).unwrap_or_default(),
            binary: BinaryMode::of_word(word("events.binary_handling_mode")).unwrap_or_default(),
            money_fraction_digits: self
                .settings
                .integer("events.money_fraction_digits")
                .and_then(|digits| digits.try_into().ok())
                .unwrap_or(Modes::default().money_fraction_digits),
            unknown_types: self.settings.truth("events.include_unknown_datatypes"),
            unmapped_arrays: self.settings.truth("events.include_unmapped_arrays"),
            null_as_default: match word("events.replace_null_with_default") {
                "true" => true,
                "false" => false,
                _ => quirks == Quirks::Debezium,
            },
            field_names: FieldNames::of_word(word("events.field_name_adjustment_mode")).unwrap_or_default(),
            schema_names: FieldNames::of_word(word("events.schema_name_adjustment_mode")).unwrap_or_default(),
            quirks,
            via: Modes::default().via,
            schemas: Schemas::of_word(word("events.schemas")).unwrap_or_default(),
        }
    }

    fn skipped_operations(&mut self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for letter in self.settings.list("events.skipped_operations") {
            let operation = match letter.as_str() {
                "c" => Operation::Create,
                "u" => Operation::Update,
                "d" => Operation::Delete,
                "t" => Operation::Truncate,
                "m" => Operation::Message,
                _ => {
                    let reason = format!("{letter:?} is not an operation");
                    self.wrong(
                        "events.skipped_operations",
                        reason,
                        "use \"c\" create, \"u\" update, \"d\" delete, \"t\" truncate, \"m\" message",
                    );
                    continue;
                }
            };
            if !operations.contains(&operation) {
                operations.push(operation);
            }
        }
        operations
    }

    pub(super) fn topics(&mut self) -> Topics {
        let name = self.name.clone();
        let transaction = self.with_name("topics.transaction", &name);
        self.check_topic_name("topics.transaction", &transaction);
        let message = self.with_name("topics.message", &name);
        self.check_topic_name("topics.message", &message);
        let heartbeat = self.with_name("topics.heartbeat", &name);
        self.check_topic_name("topics.heartbeat", &heartbeat);
        let notification = self.settings.text("topics.notification").is_some().then(|| {
            let topic = self.with_name("topics.notification", &name);
            self.check_topic_name("topics.notification", &topic);
            topic
        });
        let settings = self.settings.map("topics.settings");
        Topics {
            settings: settings.map(|(name, entry)| (name.to_owned(), entry.text.clone())).collect(),
            pattern: self.topic_pattern(),
            transaction,
            message,
            heartbeat,
            notification,
            create: self.settings.truth("topics.create"),
            partitions: self.settings.integer("topics.partitions").and_then(|count| count.try_into().ok()),
            replication_factor: self
                .settings
                .integer("topics.replication_factor")
                .and_then(|count| count.try_into().ok()),
        }
    }

    fn topic_pattern(&mut self) -> String {
        let path = "topics.pattern";
        let pattern = self.text(path);
        let filled = pattern.replace("{name}", "n").replace("{schema}", "s").replace("{table}", "t");
        if filled.contains(['{', '}']) {
            self.wrong(
                path,
                "has an unknown placeholder",
                "the placeholders are {name}, {schema} and {table}",
            );
        } else if !pattern.contains("{table}") {
            let fix = "put {table} into it, for example \"{name}.{schema}.{table}\"";
            self.wrong(path, "would send all tables to one topic, where their keys collide", fix);
        } else {
            self.check_topic_name(path, &filled);
        }
        pattern
    }

    pub(super) fn sink(&mut self) -> Sink {
        match self.settings.text("sink.type") {
            Some("stdout") => Sink::Stdout,
            Some("file") => {
                if self.settings.text("sink.path").is_none() {
                    self.missing(
                        "sink.path",
                        "sink.type = \"file\" writes to it: sink.path = \"events.jsonl\"",
                    );
                }
                Sink::File { path: self.text("sink.path").into() }
            }
            _ => Sink::Kafka,
        }
    }

    pub(super) fn retry(&mut self) -> Retry {
        let retry = Retry {
            initial: self.duration("retry.initial"),
            max: self.duration("retry.max"),
            give_up_after: self.settings.duration("retry.give_up_after"),
        };
        let mistaken = self.settings.is_mistaken("retry.initial") || self.settings.is_mistaken("retry.max");
        if retry.initial > retry.max && !mistaken {
            let path = if self.settings.is_given("retry.max") { "retry.max" } else { "retry.initial" };
            self.wrong(
                path,
                "retry.initial is longer than retry.max",
                "lower retry.initial or raise retry.max",
            );
        }
        retry
    }

    pub(super) fn limits(&mut self, share: Share) -> Limits {
        let Share { memory, fixed } = share;
        let given = self.settings.size("limits.max_message");
        if given.is_some_and(|bytes| bytes > memory / 2) && !self.settings.is_mistaken("limits.memory") {
            let most = format_size(memory / 2);
            let reason = if self.settings.is_inherited("limits.memory") || self.several {
                "is more than half of the pipeline's share of limits.memory"
            } else {
                "is more than half of limits.memory"
            };
            self.wrong(
                "limits.max_message",
                reason,
                format!("write at most \"{most}\", or raise limits.memory"),
            );
        }
        Limits {
            memory,
            fixed,
            max_message: given.unwrap_or((memory / 4).min(LARGEST_MESSAGE)),
            drain_timeout: self.duration("limits.drain_timeout"),
            spool_dir: self.settings.text("limits.spool_dir").map(Into::into),
            spool: self.settings.size("limits.spool").unwrap_or_default(),
        }
    }

    pub(super) fn admin(&mut self) -> Admin {
        let listen = self.text("admin.listen");
        let parsed = if listen.is_empty() { None } else { listen.parse::<SocketAddr>().ok() };
        if parsed.is_none() && !listen.is_empty() {
            self.wrong(
                "admin.listen",
                "is not an address with a port",
                "write \"127.0.0.1:8642\", \"0.0.0.0:8642\" or \"[::]:8642\"; \"\" turns it off",
            );
        }
        Admin { listen: parsed, stall_timeout: self.duration("admin.stall_timeout") }
    }

    pub(super) fn log(&mut self) -> Log {
        let level = self.text("log.level");
        if let Err(error) = EnvFilter::builder().parse(&level) {
            let fix = "write error, warn, info, debug, trace, or \"info,headwater::source=debug\"";
            self.wrong("log.level", format!("is not a filter: {error}"), fix);
        } else if level.trim().is_empty() {
            self.wrong("log.level", "is empty", "write error, warn, info, debug or trace");
        }
        let format = match self.settings.text("log.format") {
            Some("json") => LogFormat::Json,
            _ => LogFormat::Text,
        };
        Log { format, level }
    }
}
