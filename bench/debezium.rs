//! Debezium's PostgreSQL connector on a Kafka Connect worker of its own, tuned for throughput.
//!
//! A worker serves the connector alone, so that its process is Debezium's cost. It confirms the slot when Connect flushes its
//! offsets, once a minute by default; a drain is done earlier, when the last record is in the topics, which is to its
//! advantage. It has no exactly-once mode with transactions of the source kept whole; it runs as almost everybody runs it, at
//! least once.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::arguments::Socket;
use crate::backlog::PUBLICATION;
use crate::contender::{Contender, Job, Running};
use crate::ends::Ends;
use crate::equality::Counted;
use crate::ground::Ground;
use crate::support::process::Process;
use crate::support::{free_port, reaper, server_home};

/// One way to run it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Debezium {
    /// `provide.transaction.metadata`: the block in each event and the topic of BEGIN and END come together.
    pub(crate) transaction_metadata: bool,
    /// `snapshot.mode=initial_only` instead of `no_data`.
    pub(crate) snapshots: bool,
}

struct Working {
    process: Process,
    ends: Ends,
    /// Records of a drain.
    expected: u64,
    /// Its files; gone with it.
    _directory: TempDir,
}

impl Debezium {
    const fn snapshot_mode(self) -> &'static str {
        if self.snapshots { "initial_only" } else { "no_data" }
    }
}

impl Contender for Debezium {
    fn name(&self) -> String {
        let topic = if self.transaction_metadata { ", BEGIN/END topic" } else { "" };
        format!("debezium, at least once{topic}")
    }

    fn settings(&self) -> String {
        let all = CONNECTOR.iter().chain(&WORKER).map(|(key, value)| format!("{key}={value}"));
        format!(
            "provide.transaction.metadata={}, snapshot.mode={}, {}; {}",
            self.transaction_metadata,
            self.snapshot_mode(),
            all.collect::<Vec<_>>().join(", "),
            JVM.join(" ")
        )
    }

    fn has_transaction_topic(&self) -> bool {
        self.transaction_metadata
    }

    fn may_repeat(&self) -> bool {
        true
    }

    fn start<'a>(&self, ground: &'a Ground, job: &Job<'a>) -> Result<Box<dyn Running + 'a>> {
        let directory = reaper::directory();
        let path = |name: &str| directory.path().join(name);
        let worker = [
            ("bootstrap.servers", ground.kafka.brokers()),
            ("listeners", format!("http://127.0.0.1:{}", free_port())),
            ("offset.storage.file.filename", path("offsets").display().to_string()),
        ];
        fs::write(path("worker.properties"), properties(&worker, &WORKER)?)?;
        let connector = [
            ("name", job.prefix.to_owned()),
            ("topic.prefix", job.prefix.to_owned()),
            ("database.hostname", ground.host(Socket::Tcp)),
            ("database.port", ground.postgres.port().to_string()),
            ("database.dbname", job.database.to_owned()),
            ("slot.name", job.slot.to_owned()),
            ("publication.name", PUBLICATION.to_owned()),
            ("provide.transaction.metadata", self.transaction_metadata.to_string()),
            ("snapshot.mode", self.snapshot_mode().to_owned()),
        ];
        fs::write(path("connector.properties"), properties(&connector, &CONNECTOR)?)?;
        let mut command = Command::new("java");
        command.args(JVM).arg("-cp").arg(server_home(&["debezium"]).join("libs/*"));
        command.arg("org.apache.kafka.connect.cli.ConnectStandalone");
        command
            .arg(path("worker.properties"))
            .arg(path("connector.properties"))
            .current_dir(directory.path());
        let process = Process::spawn("Debezium", command, &path("log"), "KILL");
        let expected = job.backlog.map_or(0, |truth| truth.records(self.transaction_metadata));
        let ends = Ends::new(&ground.kafka, job.prefix)?;
        Ok(Box::new(Working { process, ends, expected, _directory: directory }))
    }
}

impl Running for Working {
    fn id(&self) -> u32 {
        self.process.id()
    }

    fn is_done(&mut self) -> Result<bool> {
        self.process.assert_running();
        Ok(self.ends.records()? >= self.expected)
    }

    fn finish(mut self: Box<Self>, _counted: &mut Counted) -> Result<()> {
        self.process.assert_running();
        // Its records are in Kafka; an orderly end takes seconds, and sometimes more than a minute.
        self.process.kill();
        Ok(())
    }
}

/// A file of properties: what this run has of its own, and what all have.
fn properties(own: &[(&str, String)], common: &[(&str, &str)]) -> Result<String> {
    let mut text = String::new();
    for (key, value) in own {
        writeln!(text, "{key}={value}").context("write to memory")?;
    }
    for (key, value) in common {
        writeln!(text, "{key}={value}").context("write to memory")?;
    }
    Ok(text)
}

/// What Kafka's `connect-standalone.sh` gives the machine.
const JVM: [&str; 5] = [
    "-Xms256M",
    "-Xmx2G",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// Of the worker.
const WORKER: [(&str, &str); 8] = [
    ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("key.converter.schemas.enable", "false"),
    ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
    ("value.converter.schemas.enable", "false"),
    ("plugin.discovery", "service_load"),
    ("producer.compression.type", "lz4"),
    ("producer.linger.ms", "5"),
    ("producer.batch.size", "262144"),
];

/// Of the connector.
const CONNECTOR: [(&str, &str); 11] = [
    ("connector.class", "io.debezium.connector.postgresql.PostgresConnector"),
    ("tasks.max", "1"),
    ("plugin.name", "pgoutput"),
    ("database.user", "postgres"),
    ("database.password", "unused"),
    ("publication.autocreate.mode", "disabled"),
    ("max.batch.size", "20480"),
    ("max.queue.size", "81920"),
    ("poll.interval.ms", "10"),
    ("topic.creation.default.partitions", "1"),
    ("topic.creation.default.replication.factor", "1"),
];
