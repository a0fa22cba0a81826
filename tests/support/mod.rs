//! What the integration tests stand on: real PostgreSQL and Kafka servers, the daemon as a process, an independent
//! consumer and a TCP proxy that breaks connections.
//!
//! Shared servers start at their first use and live as long as the test process; private ones end with their value.
//! Whatever happens to the test process, `reaper` ends what it started and removes what it wrote. Nothing sleeps: a
//! test waits for a condition, within a deadline, through [`wait_for`].
#![allow(dead_code, unused_imports, reason = "a toolbox: not every tool is in use at every time")]

pub(crate) mod consumer;
pub(crate) mod daemon;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod metrics;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod reaper;
pub(crate) mod sql;
pub(crate) mod tls;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

pub(crate) use consumer::{ConsumedRecord, Consumer, Isolation};
pub(crate) use daemon::Daemon;
pub(crate) use kafka::Kafka;
pub(crate) use postgres::{Auth, Postgres, Shutdown};
pub(crate) use proxy::Proxy;
pub(crate) use sql::{Db, Session};

/// Long enough for a busy machine of two cores; a test that passes never waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Calls `condition` until it gives a value, and fails the test when it has not after `deadline`.
#[track_caller]
pub(crate) fn wait_for<T>(deadline: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < deadline, "no {what} within {deadline:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// [`wait_for`] a condition that is true or false.
#[track_caller]
pub(crate) fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(deadline, what, || condition().then_some(()));
}

/// The runtime behind the blocking faces of the asynchronous clients.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    &RUNTIME
}

/// `base_1`, `base_2`, …: a name that no other test of this process has. Fits databases, slots and topics.
pub(crate) fn unique(base: &str) -> String {
    static LAST: AtomicU32 = AtomicU32::new(0);
    format!("{base}_{}", LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// A port of 127.0.0.1 that nobody listens on, below those that the kernel gives to outgoing connections: a server
/// that comes back on its port must not find it taken by one of them.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 15_000;
    const COUNT: u32 = 17_000;
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(131)));
    (0..COUNT)
        .map(|_| FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port between 15000 and 32000")
}

/// The directory of a real server, fetched into the cache if it is not there: `server_home(&["postgres", "18"])`.
pub(crate) fn server_home(what: &[&str]) -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/servers");
    let output = Command::new(script).arg("--path").args(what).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "scripts/servers {what:?}: {}", output.status);
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
}
