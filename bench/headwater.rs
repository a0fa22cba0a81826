//! Headwater, as its users run it, in the modes that are compared.

use std::fmt;

use anyhow::{Result, anyhow};

use crate::arguments::Socket;
use crate::backlog::{Backlog, PUBLICATION};
use crate::contender::{Contender, Running};
use crate::equality::{Counted, Events};
use crate::ground::Ground;
use crate::support::daemon::Builder;
use crate::support::{Daemon, unique};
use crate::topics;

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

struct Draining<'a> {
    daemon: Daemon,
    id: u32,
    ground: &'a Ground,
    name: String,
    end_lsn: f64,
}

impl Headwater {
    /// Those who drain backlogs: both modes, and exactly once with the topic of transactions.
    pub(crate) fn draining(socket: Socket, overrides: &Overrides) -> Vec<Self> {
        let one = |delivery, transaction_topic| Self {
            socket,
            delivery,
            transaction_topic,
            overrides: overrides.clone(),
        };
        vec![one("exactly_once", false), one("at_least_once", false), one("exactly_once", true)]
    }

    /// Those whose latency is measured.
    pub(crate) fn live(socket: Socket, overrides: &Overrides) -> Vec<Self> {
        Self::draining(socket, overrides).into_iter().filter(|one| !one.transaction_topic).collect()
    }

    /// Its line in the table.
    pub(crate) fn name(&self) -> String {
        let mode = self.delivery.replace('_', " ");
        let topic = if self.transaction_topic { ", BEGIN/END topic" } else { "" };
        format!("headwater, {mode}{topic}{}", self.socket.suffix())
    }

    /// Ready to start on a slot; `name` prefixes its topics.
    pub(crate) fn builder(&self, ground: &Ground, database: &str, slot: &str, name: &str) -> Builder {
        let mut builder = Builder::new(name)
            .set("source.host", ground.host(self.socket))
            .set("source.port", i64::from(ground.postgres.port()))
            .set("source.user", "postgres")
            .set("source.database", database)
            .set("source.slot", slot)
            .set("source.publication", PUBLICATION)
            .set("source.tables", vec!["public.*"])
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
        self.name()
    }

    fn settings(&self) -> String {
        let metadata = if self.transaction_topic { "true" } else { "\"block\"" };
        let changed = self.overrides.to_string();
        format!("transaction_metadata = {metadata}, otherwise defaults{changed}")
    }

    fn has_transaction_topic(&self) -> bool {
        self.transaction_topic
    }

    fn start<'a>(
        &self,
        ground: &'a Ground,
        backlog: &'a Backlog,
        slot: &str,
    ) -> Result<Box<dyn Running + 'a>> {
        let name = unique("bench");
        let mut daemon = self.builder(ground, backlog.db.name(), slot, &name).spawn();
        #[allow(clippy::cast_precision_loss, reason = "the metric is a floating-point number as well")]
        let end_lsn = backlog.truth.end_lsn.0 as f64;
        Ok(Box::new(Draining { id: daemon.id(), daemon, ground, name, end_lsn }))
    }
}

impl Running for Draining<'_> {
    fn id(&self) -> u32 {
        self.id
    }

    fn is_done(&mut self) -> Result<bool> {
        self.daemon.assert_running();
        let Ok(response) = self.daemon.get("/metrics") else { return Ok(false) };
        let line = response.body.lines().find(|line| line.starts_with("headwater_checkpoint_lsn{"));
        let value = line.and_then(|line| line.rsplit_once(' ')).map(|(_, value)| value);
        let stored = value.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or(0.0);
        Ok(stored >= self.end_lsn)
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
        let found = topics::count(&self.ground.kafka, &format!("{}.", self.name))?;
        let transactions = found.get(&format!("{}.transaction", self.name)).copied().unwrap_or(0);
        counted.transaction_records = Some(transactions);
        counted.change_records = Some(found.values().sum::<u64>() - transactions);
        topics::delete(&self.ground.kafka, found.keys());
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
