//! What systemd is told (`Type=notify`): READY, STATUS lines, STOPPING, and WATCHDOG while the pipeline is healthy. Without
//! `NOTIFY_SOCKET` nothing is sent. It also asks for the health once a second, which times a stall from its beginning.
//!
//! READY means that the configuration is good and the admin port is bound, not that PostgreSQL answers: the daemon waits
//! for its servers, and a start that depended on them would be killed by `TimeoutStartSec`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::health::Verdict;
use super::state::State;

/// The daemon has started.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The daemon drains and ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Looks once a second, or at half of `WATCHDOG_USEC` if that is shorter, until `stop`.
pub async fn watch(board: Arc<Board>, stop: CancellationToken) {
    let mut watcher = Watcher::new(board);
    let mut ticks = tokio::time::interval(interval(watcher.watchdog));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        watcher.look();
    }
}

struct Watcher {
    board: Arc<Board>,
    /// `WATCHDOG_USEC`, when the service manager has set it for this process.
    watchdog: Option<Duration>,
    /// What each pipeline showed of itself when that was told.
    shown: Vec<(State, Verdict)>,
}

impl Watcher {
    fn new(board: Arc<Board>) -> Self {
        let mut usec = 0;
        let watchdog = sd_notify::watchdog_enabled(false, &mut usec).then(|| Duration::from_micros(usec));
        Self { board, watchdog, shown: Vec::new() }
    }

    /// A sign of life, only while healthy, and one line on what is going on when that has changed. The length of a
    /// stall changes every second and is told once only.
    fn look(&mut self) {
        let now = Instant::now();
        let (verdict, _) = self.board.check(now);
        if self.watchdog.is_some() && verdict == Verdict::Healthy {
            tell(&[NotifyState::Watchdog]);
        }
        let pipelines = self.board.pipelines();
        let looks: Vec<_> = pipelines
            .iter()
            .map(|watched| (watched.metrics.pipeline().state(), watched.health.check(now)))
            .collect();
        let as_shown =
            |position: usize, look| self.shown.get(position).is_some_and(|shown| same(shown, look));
        let news: Vec<_> =
            looks.iter().enumerate().filter(|(position, look)| !as_shown(*position, look)).collect();
        if news.is_empty() {
            return;
        }
        tell(&[NotifyState::Status(&self.describe(&looks))]);
        for (position, (_, verdict)) in news {
            match (verdict, pipelines.get(position)) {
                (Verdict::Unhealthy(why), Some(watched)) if self.board.is_several() => {
                    tracing::warn!(pipeline = watched.name(), "unhealthy: {why}");
                }
                (Verdict::Unhealthy(why), _) => tracing::warn!("unhealthy: {why}"),
                (Verdict::Healthy, _) => {}
            }
        }
        self.shown = looks;
    }

    fn describe(&self, looks: &[(State, Verdict)]) -> String {
        let named = self.board.pipelines().iter().zip(looks);
        let texts = named.map(|(watched, look)| {
            if self.board.is_several() {
                format!("{}: {}", watched.name(), describe(look))
            } else {
                describe(look)
            }
        });
        texts.collect::<Vec<_>>().join("; ")
    }
}

fn same(one: &(State, Verdict), other: &(State, Verdict)) -> bool {
    one.0 == other.0 && std::mem::discriminant(&one.1) == std::mem::discriminant(&other.1)
}

fn describe((state, verdict): &(State, Verdict)) -> String {
    match verdict {
        Verdict::Healthy => state.name().replace('_', " "),
        Verdict::Unhealthy(why) => format!("{}, unhealthy: {why}", state.name().replace('_', " ")),
    }
}

/// Half of the watchdog's time, at most a second.
fn interval(watchdog: Option<Duration>) -> Duration {
    let half = watchdog.unwrap_or(Duration::MAX) / 2;
    half.clamp(Duration::from_millis(1), Duration::from_secs(1))
}

/// A service manager that does not listen is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!("notify the service manager: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use super::*;
    use crate::observe::board::tests::board;

    #[test]
    fn half_of_the_watchdog_and_at_most_a_second() {
        for (watchdog, expected) in [(None, 1000), (Some(500), 250), (Some(30_000), 1000), (Some(0), 1)] {
            let interval = interval(watchdog.map(Duration::from_millis));
            assert_eq!(interval, Duration::from_millis(expected), "{watchdog:?}");
        }
    }

    /// The environment of a process cannot be changed while threads run, so the daemon's part is played by a child.
    #[test]
    fn tells_systemd() {
        if std::env::var_os(CHILD).is_some() {
            return play_daemon();
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        // The watchdog is meant for one process: the shell passes its number on with itself.
        let child = Command::new("sh")
            .args(["-c", "WATCHDOG_PID=$$ exec \"$0\" --exact observe::service::tests::tells_systemd"])
            .arg(std::env::current_exe().unwrap())
            .env(CHILD, "1")
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "20000000")
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
        socket.set_nonblocking(true).unwrap();
        let mut told = Vec::new();
        let mut datagram = [0; 256];
        while let Ok(len) = socket.recv(&mut datagram) {
            told.push(String::from_utf8(datagram[..len].to_vec()).unwrap());
        }
        let expected = [
            "READY=1\n",
            "WATCHDOG=1\n",
            "STATUS=streaming\n",
            "WATCHDOG=1\n",
            "STATUS=failed, unhealthy: the pipeline ended with an error; /status shows it\n",
            "STOPPING=1\n",
        ];
        assert_eq!(told, expected);
    }

    fn play_daemon() {
        let board = Arc::new(board(&["shop"], false));
        let metrics = board.pipelines()[0].metrics.clone();
        metrics.pipeline().set_state(State::Streaming);
        let mut watcher = Watcher::new(board);
        ready();
        watcher.look();
        watcher.look();
        metrics.pipeline().set_state(State::Failed);
        watcher.look();
        watcher.look();
        stopping();
    }

    const CHILD: &str = "HEADWATER_TEST_NOTIFY_CHILD";
}
