//! Where it was measured: cores, memory, kernel and versions, without which no number means anything.

use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::ground;
use crate::programs;
use crate::support::server_home;

/// The machine and what runs on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) load_at_start: String,
    pub(crate) headwater: String,
    pub(crate) postgres: String,
    pub(crate) postgres_settings: String,
    pub(crate) pg_recvlogical: String,
    pub(crate) kafka: String,
    pub(crate) debezium: String,
    pub(crate) kafka_jvm: String,
    pub(crate) java: String,
}

impl Machine {
    pub(crate) fn look() -> Result<Self> {
        let processors = read("/proc/cpuinfo");
        let memory_kib: f64 =
            after(&read("/proc/meminfo"), "MemTotal:").trim_end_matches("kB").trim().parse()?;
        let settings = ground::POSTGRES_SETTINGS.map(|(key, value)| format!("{key} = {value}")).join(", ");
        Ok(Self {
            processor: after(&processors, "model name").trim_start_matches(':').trim().to_owned(),
            cores: std::thread::available_parallelism()?.get(),
            memory_gib: memory_kib / 1_048_576.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_at_start: read("/proc/loadavg").trim().to_owned(),
            headwater: said(Command::new(env!("CARGO_BIN_EXE_headwater")).arg("--version")),
            postgres: said(
                Command::new(server_home(&["postgres", "18"]).join("bin/postgres")).arg("--version"),
            ),
            postgres_settings: format!("fsync = off, {settings}"),
            pg_recvlogical: programs::version("pg_recvlogical")?,
            kafka: home_name("kafka"),
            debezium: format!("{} on Kafka Connect of the same version as Kafka", home_name("debezium")),
            kafka_jvm: ground::KAFKA_JVM.join(" "),
            java: said(Command::new("java").arg("-version")),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, memory_gib, kernel, load_at_start, .. } = self;
        writeln!(
            f,
            "{cores} cores of {processor}, {memory_gib:.0} GiB, Linux {kernel}, load at the start {load_at_start}"
        )?;
        writeln!(f, "{}", self.headwater)?;
        writeln!(f, "{} ({})", self.postgres, self.postgres_settings)?;
        writeln!(f, "{}; {} ({}), {}", self.pg_recvlogical, self.kafka, self.kafka_jvm, self.java)?;
        write!(f, "{}", self.debezium)
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Name and version of a server.
fn home_name(server: &str) -> String {
    server_home(&[server]).file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The rest of the first line that begins with `key`.
fn after(text: &str, key: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("unknown").trim().to_owned()
}

/// The first line that a program prints, on whichever stream.
fn said(command: &mut Command) -> String {
    let Ok(output) = command.output() else { return "unknown".to_owned() };
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    text.lines().next().unwrap_or_default().trim().to_owned()
}
