//! The daemon as its users run it: the built binary, a file of configuration, signals, its admin server and its log.
//!
//! Its end is a check of its own: a line of WARN or ERROR that the test did not expect fails the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::http::{self, Response};
use super::metrics::Metrics;
use super::process::{self, Process};
use super::{DEADLINE, Db, Kafka, free_port, reaper, wait_for, wait_until};

/// What a daemon is started with.
pub(crate) struct Builder {
    config: toml::Table,
    text: Option<String>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    allowed: Vec<String>,
}

impl Builder {
    /// A configuration of only the name, the admin address and JSON logs.
    pub(crate) fn new(name: &str) -> Self {
        let builder = Self {
            config: toml::Table::new(),
            text: None,
            environment: Vec::new(),
            arguments: vec!["run".to_owned()],
            allowed: Vec::new(),
        };
        builder.set("name", name).set("log.format", "json")
    }

    /// Sets a key by its dotted path. Take [`Builder::properties`] for keys that have dots themselves.
    pub(crate) fn set(mut self, path: &str, value: impl Into<toml::Value>) -> Self {
        let mut keys: Vec<&str> = path.split('.').collect();
        let last = keys.pop().unwrap();
        let table = keys.iter().fold(&mut self.config, |table, key| {
            let inner = table.entry(*key).or_insert_with(|| toml::Table::new().into());
            inner.as_table_mut().unwrap_or_else(|| panic!("{key} of {path} is no table"))
        });
        table.insert(last.to_owned(), value.into());
        self
    }

    /// Takes a key away again.
    pub(crate) fn unset(mut self, path: &str) -> Self {
        let (tables, last) = path.rsplit_once('.').unwrap_or(("", path));
        let table = tables
            .split('.')
            .filter(|key| !key.is_empty())
            .try_fold(&mut self.config, |table, key| table.get_mut(key).and_then(toml::Value::as_table_mut));
        table.and_then(|table| table.remove(last)).unwrap_or_else(|| panic!("{path} is not set"));
        self
    }

    /// One of `kafka.properties`, whose names have dots.
    pub(crate) fn kafka_property(mut self, name: &str, value: &str) -> Self {
        let kafka = self.config.entry("kafka").or_insert_with(|| toml::Table::new().into());
        let properties = kafka.as_table_mut().unwrap().entry("properties");
        let properties = properties.or_insert_with(|| toml::Table::new().into());
        properties.as_table_mut().unwrap().insert(name.to_owned(), value.into());
        self
    }

    /// A file of configuration, laid under what is set later.
    pub(crate) fn imported(mut self, text: &str) -> Self {
        for (section, keys) in text.parse::<toml::Table>().unwrap() {
            match (self.config.get_mut(&section), keys) {
                (Some(toml::Value::Table(known)), toml::Value::Table(keys)) => known.extend(keys),
                (_, keys) => drop(self.config.insert(section, keys)),
            }
        }
        self
    }

    /// Another database address than [`Db::url`], for example through a proxy.
    pub(crate) fn source_url(self, url: impl Into<String>) -> Self {
        self.set("source.url", url.into())
    }

    /// Other brokers than those of the broker it was built with.
    pub(crate) fn brokers(self, brokers: impl Into<String>) -> Self {
        self.set("kafka.brokers", vec![brokers.into()])
    }

    /// The whole file as text instead, for files that are wrong.
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Arguments instead of `run`; `--config FILE` follows.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self
    }

    /// Expects WARN and ERROR lines that contain `text`.
    pub(crate) fn allow_log(mut self, text: &str) -> Self {
        self.allowed.push(text.to_owned());
        self
    }

    /// Starts it, without waiting for anything.
    pub(crate) fn spawn(self) -> Daemon {
        let directory = reaper::directory();
        let port = free_port();
        let allowed = self.allowed.clone();
        let builder = self.set("admin.listen", format!("127.0.0.1:{port}"));
        let text = builder.text.clone().unwrap_or_else(|| toml::to_string(&builder.config).unwrap());
        fs::write(directory.path().join("headwater.toml"), text).unwrap();
        let mut daemon = Daemon { builder, directory, port, allowed, process: None };
        daemon.resume();
        daemon
    }

    /// Starts it and waits until it streams.
    #[track_caller]
    pub(crate) fn start(self) -> Daemon {
        let mut daemon = self.spawn();
        daemon.wait_ready();
        daemon
    }
}

/// A daemon, running or ended.
pub(crate) struct Daemon {
    builder: Builder,
    directory: TempDir,
    port: u16,
    allowed: Vec<String>,
    process: Option<Process>,
}

impl Daemon {
    /// From a database to a broker, named as the database is: its topics begin with `<db.name()>.`.
    pub(crate) fn builder(db: &Db, kafka: &Kafka) -> Builder {
        Builder::new(db.name())
            .source_url(db.url())
            .set("snapshot.mode", "never")
            .set("sink.type", "kafka")
            .brokers(kafka.brokers())
            .set("checkpoint.topic", format!("__{}_checkpoints", db.name()))
            .set("retry.initial", "50ms")
            .set("retry.max", "1s")
    }

    /// Starts it again with the same configuration, after its end.
    pub(crate) fn resume(&mut self) {
        assert!(self.process.as_mut().is_none_or(|process| process.exit_status().is_some()), "it still runs");
        let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
        command.args(&self.builder.arguments).arg("--config").arg(self.config_path());
        command.envs(self.builder.environment.iter().map(|(name, value)| (name, value)));
        command.env("RUST_BACKTRACE", "1").current_dir(self.directory.path());
        self.process = Some(Process::spawn("headwater", command, &self.log_path(), "KILL"));
    }

    /// SIGKILL, and up again.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.resume();
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process().kill();
    }

    /// SIGTERM, and the status it ends with.
    #[track_caller]
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.process().signal("TERM");
        self.wait_exit(DEADLINE)
    }

    /// Any signal, by its name without SIG.
    pub(crate) fn signal(&mut self, name: &str) {
        self.process().signal(name);
    }

    /// The exit status, once there is one.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process().exit_status()
    }

    #[track_caller]
    pub(crate) fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        self.process().wait_exit(deadline)
    }

    /// Waits until /readyz says 200; fails the test at once when the daemon ends instead.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self) {
        wait_until(DEADLINE, "ready daemon", || {
            self.process().assert_running();
            self.get("/readyz").is_ok_and(|response| response.status == 200)
        });
    }

    /// Waits until the log has a line that contains `text`.
    #[track_caller]
    pub(crate) fn wait_log(&mut self, text: &str) {
        wait_until(DEADLINE, &format!("line with {text:?} in the log"), || self.log().contains(text));
    }

    /// Waits until a metric satisfies `condition`; it counts as 0 while it or the admin server is not there.
    #[track_caller]
    pub(crate) fn wait_metric(&mut self, name: &str, mut condition: impl FnMut(f64) -> bool) -> f64 {
        wait_for(DEADLINE, &format!("{name} as expected"), || {
            let response = self.get("/metrics").ok()?;
            let value = Metrics::parse(&response.body).get(name, &[]).unwrap_or(0.0);
            condition(value).then_some(value)
        })
    }

    pub(crate) fn get(&self, path: &str) -> std::io::Result<Response> {
        http::get(self.port, path)
    }

    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics").unwrap().body)
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").unwrap().body).unwrap()
    }

    /// Its process id.
    pub(crate) fn id(&mut self) -> u32 {
        self.process().id()
    }

    /// Fails the test, with the end of the log, when it has ended.
    #[track_caller]
    pub(crate) fn assert_running(&mut self) {
        self.process().assert_running();
    }

    /// Largest resident memory of the running process so far.
    #[track_caller]
    pub(crate) fn peak_memory_bytes(&mut self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process().id())).unwrap();
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM of a running process");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    pub(crate) const fn admin_port(&self) -> u16 {
        self.port
    }

    /// The directory it runs in, with its configuration, log and local files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.directory.path().join("headwater.toml")
    }

    /// Standard output and error of all its runs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// From now on WARN and ERROR lines that contain `text` are expected.
    pub(crate) fn allow_log(&mut self, text: &str) {
        self.allowed.push(text.to_owned());
    }

    /// Lines of WARN and ERROR that nobody expected, and lines that are no log lines, such as a panic's.
    pub(crate) fn unexpected_log(&self) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter(|line| is_alarming(line));
        let unexpected = lines.filter(|line| !self.allowed.iter().any(|text| line.contains(text)));
        unexpected.map(str::to_owned).collect()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process().kill();
        if std::thread::panicking() {
            eprintln!("--- log of headwater\n{}\n---", process::tail(&self.log_path(), 200));
            return;
        }
        let unexpected = self.unexpected_log();
        assert!(unexpected.is_empty(), "unexpected lines in the log:\n{}", unexpected.join("\n"));
    }
}

/// Whether a person would have to look at this line.
fn is_alarming(line: &str) -> bool {
    let level =
        serde_json::from_str::<Value>(line).ok().and_then(|line| line["level"].as_str().map(str::to_owned));
    !line.trim().is_empty() && !matches!(level.as_deref(), Some("INFO" | "DEBUG" | "TRACE"))
}

#[test]
fn only_known_levels_below_warn_pass() {
    assert!(!is_alarming(r#"{"timestamp":"t","level":"INFO","fields":{"message":"m"}}"#));
    assert!(!is_alarming(""));
    assert!(is_alarming(r#"{"timestamp":"t","level":"WARN","fields":{"message":"m"}}"#));
    assert!(is_alarming(r#"{"timestamp":"t","level":"ERROR","fields":{"message":"m"}}"#));
    assert!(is_alarming("thread 'main' panicked at src/main.rs:1"));
}

#[test]
fn keys_are_set_by_their_paths() {
    let builder = Builder::new("shop").set("source.slot", "s").set("a.b.c", 1).unset("source.slot");
    let builder = builder.kafka_property("compression.type", "lz4").unset("log.format");
    let text = toml::to_string(&builder.config).unwrap();
    let expected = "name = \"shop\"\n\n[a.b]\nc = 1\n\n[kafka.properties]\n\"compression.type\" = \"lz4\"\n\n[log]\n\n[source]\n";
    let parsed = |text: &str| text.parse::<toml::Table>().unwrap();
    assert_eq!(parsed(&text), parsed(expected));
}
