//! Headwater, as its users run it, in the modes that are compared.

use std::fmt;

use anyhow::{Result, anyhow};
use headwater::lsn::Lsn;

use crate::arguments::Socket;
use crate::backlog::PUBLICATION;
use crate::contender::{Contender, Job, Running};
use crate::equality::{Counted, Events};
use crate::ground::Ground;
use crate::support::daemon::Builder;
use crate::support::{Daemon, Session};

/// One way to run it.
#[derive(Clone)]
pub(crate) struct Headwater {
    socket: Socket,
    delivery: &'static str,
    /// BEGIN and END records beside the block in each event.
    transaction_topic: bool,
    overrides: Overrides,
}

/// What was asked for on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) keys: Vec<(String, String)>,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) environment: Vec<(String, String)>,
}

struct Working {
    daemon: Daemon,
    id: u32,
    /// Of a drain: the end of the last commit.
    end_lsn: Lsn,
    session: Session,
    /// Asks the slot how far it has been confirmed, which the daemon does when its checkpoint is durable.
    confirmed: String,
}

impl Headwater {
    /// Both modes.
    pub(crate) fn modes(socket: Socket, overrides: &Overrides) -> [Self; 2] {
        ["exactly_once", "at_least_once"].map(|delivery| Self {
            socket,
            delivery,
            transaction_topic: false,
            overrides: overrides.clone(),
        })
    }

    /// Exactly once with the topic of transactions.
    pub(crate) fn with_transaction_topic(socket: Socket, overrides: &Overrides) -> Self {
        let [exactly_once, _] = Self::modes(socket, overrides);
        Self { transaction_topic: true, ..exactly_once }
    }

    /// The daemon, not started yet.
    pub(crate) fn builder(&self, ground: &Ground, job: &Job<'_>) -> Builder {
        let mut builder = Builder::new(job.prefix)
            .set("source.host", ground.host(self.socket))
            .set("source.port", i64::from(ground.postgres.port()))
            .set("source.user", "postgres")
            .set("source.database", job.database)
            .set("source.slot", job.slot)
            .set("source.publication", PUBLICATION)
            .set("source.tables", vec!["public.*"])
            .set("snapshot.mode", "never")
            .set("kafka.delivery", self.delivery)
            .brokers(ground.kafka.brokers());
        builder = if self.transaction_topic {
            builder.set("events.transaction_metadata", true)
        } else {
            builder.set("events.transaction_metadata", "block")
        };
        let Overrides { keys, properties, environment } = &self.overrides;
        for (key, value) in keys {
            let number = value.parse::<i64>().map(toml::Value::from);
            let value = number.or_else(|_| value.parse::<bool>().map(toml::Value::from));
            builder = builder.set(key, value.unwrap_or_else(|_| toml::Value::from(key_text(keys, key))));
        }
        for (key, value) in properties {
            builder = builder.kafka_property(key, value);
        }
        for (key, value) in environment {
            builder = builder.environment(key, value);
        }
        builder
    }
}

impl Contender for Headwater {
    fn name(&self) -> String {
        let mode = self.delivery.replace('_', " ");
        let topic = if self.transaction_topic { ", BEGIN/END topic" } else { "" };
        format!("headwater, {mode}{topic}{}", self.socket.suffix())
    }

    fn settings(&self) -> String {
        let metadata = if self.transaction_topic { "true" } else { "\"block\"" };
        let changed = self.overrides.to_string();
        format!("transaction_metadata = {metadata}, otherwise defaults{changed}")
    }

    fn has_transaction_topic(&self) -> bool {
        self.transaction_topic
    }

    fn start<'a>(&self, ground: &'a Ground, job: &Job<'a>) -> Result<Box<dyn Running + 'a>> {
        let mut daemon = self.builder(ground, job).spawn();
        let end_lsn = job.backlog.map_or(Lsn(u64::MAX), |truth| truth.end_lsn);
        let session = Session::open(ground.postgres.port(), "postgres", job.database)?;
        let confirmed =
            format!("select confirmed_flush_lsn from pg_replication_slots where slot_name = '{}'", job.slot);
        Ok(Box::new(Working { id: daemon.id(), daemon, end_lsn, session, confirmed }))
    }
}

impl Running for Working {
    fn id(&self) -> u32 {
        self.id
    }

    fn is_done(&mut self) -> Result<bool> {
        self.daemon.assert_running();
        // The server is asked, not the daemon: with hundreds of tables its pages are work.
        let confirmed = self.session.value(&self.confirmed);
        Ok(confirmed.parse::<Lsn>()? >= self.end_lsn)
    }

    fn finish(mut self: Box<Self>, counted: &mut Counted) -> Result<()> {
        let metrics = self.daemon.metrics();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let events = |operation| {
            metrics.get("headwater_events_total", &[("operation", operation)]).unwrap_or(0.0) as u64
        };
        let (inserts, updates, deletes) = (events("create"), events("update"), events("delete"));
        counted.events = Some(Events { inserts, updates, deletes });
        let status = self.daemon.terminate();
        if !status.success() {
            return Err(anyhow!("headwater ended with {status}:\n{}", self.daemon.log()));
        }
        Ok(())
    }
}

impl fmt::Display for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = self.keys.iter().chain(&self.properties).chain(&self.environment);
        all.try_for_each(|(key, value)| write!(f, ", {key} = {value}"))
    }
}

fn key_text(keys: &[(String, String)], key: &str) -> String {
    keys.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default()
}
