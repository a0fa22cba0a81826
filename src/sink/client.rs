//! What librdkafka says beside its results: log lines, connection errors, and whether any broker answers. Its own lines come
//! by the hundred while brokers are away; here they become one warning when the last broker is gone, one line when the
//! first is back, and `debug` for the rest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tracing::{debug, info, warn};

use super::fault::kind_of;
use crate::error::{Error, Kind};

/// The context of every Kafka client here; clones watch the same client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    connected: Arc<AtomicBool>,
    /// Every broker was lost; whether that is an outage or an idle connection that was closed is not known yet.
    suspect: AtomicBool,
    fatal: AtomicBool,
    closed: AtomicBool,
    last_error: Mutex<Option<(Code, String)>>,
    lines: Mutex<Option<(Instant, u32)>>,
    suppressed: AtomicU64,
}

impl Watch {
    /// Whether a broker answered last time; for metrics.
    pub(super) fn connected(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.connected)
    }

    pub(super) fn is_connected(&self) -> bool {
        self.0.connected.load(Ordering::Relaxed)
    }

    /// Whether somebody should ask a broker if it is there.
    pub(super) fn is_suspect(&self) -> bool {
        self.0.suspect.load(Ordering::Relaxed)
    }

    /// Whether librdkafka has given up on this client, once.
    pub(super) fn take_fatal(&self) -> bool {
        self.0.fatal.swap(false, Ordering::Relaxed)
    }

    /// Nobody is interested in this client any more.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Relaxed)
    }

    /// A broker answered.
    pub(super) fn answered(&self) {
        self.0.suspect.store(false, Ordering::Relaxed);
        if !self.0.connected.swap(true, Ordering::Relaxed) {
            info!("Kafka brokers are reachable");
        }
        *self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// No broker answered although one was asked.
    pub(super) fn unanswered(&self) {
        if self.0.connected.swap(false, Ordering::Relaxed) {
            let why =
                self.last_error().map_or_else(|| "all connections were lost".to_owned(), |(_, text)| text);
            warn!(why, "no Kafka broker is reachable; trying again until one is");
        }
    }

    /// The last connection error.
    pub(super) fn last_error(&self) -> Option<(Code, String)> {
        self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nobody answered in time: the last connection error where there was one.
    pub(crate) fn unreachable(&self, timeout: Duration) -> Error {
        match self.last_error() {
            Some((code, text)) => Error::new(kind_of(code, Kind::SinkUnreachable), text),
            None => Error::new(Kind::SinkUnreachable, format!("no broker answered within {timeout:?}")),
        }
    }

    /// Whether another line may be logged now: so many in a minute, then silence until the next.
    fn may_log(&self) -> bool {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = lines.get_or_insert_with(|| (Instant::now(), 0));
        if since.elapsed() > LINES_PERIOD {
            (*since, *count) = (Instant::now(), 0);
            let suppressed = self.0.suppressed.swap(0, Ordering::Relaxed);
            if suppressed > 0 {
                info!(suppressed, "lines of librdkafka left out");
            }
        }
        *count += 1;
        if *count > LINES_PER_PERIOD {
            self.0.suppressed.fetch_add(1, Ordering::Relaxed);
        }
        *count <= LINES_PER_PERIOD
    }
}

impl ClientContext for Watch {
    fn log(&self, level: Level, facility: &str, line: &str) {
        let quiet = QUIET_FACILITIES.contains(&facility);
        match level {
            Level::Debug | Level::Info => debug!(target: "librdkafka", facility, "{line}"),
            _ if quiet || !self.may_log() => debug!(target: "librdkafka", facility, "{line}"),
            Level::Notice => info!(target: "librdkafka", facility, "{line}"),
            _ => warn!(target: "librdkafka", facility, "{line}"),
        }
    }

    fn stats_raw(&self, _statistics: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
        debug!(target: "librdkafka", ?code, "{reason}");
        if code == Code::AllBrokersDown {
            self.0.suspect.store(true, Ordering::Relaxed);
            return;
        }
        if code == Code::Fatal {
            self.0.fatal.store(true, Ordering::Relaxed);
        }
        let mut last = self.0.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        // A refused password outlives the disconnect that follows it.
        let keep = matches!(*last, Some((known, _)) if kind_of(known, Kind::Internal) == Kind::SinkAuth)
            && kind_of(code, Kind::Internal) != Kind::SinkAuth;
        if !keep {
            *last = Some((code, reason.to_owned()));
        }
    }
}

/// What librdkafka logs about connections, which [`Watch`] says in fewer words, and about failures that come to us as
/// results and are logged by whoever handles them.
const QUIET_FACILITIES: [&str; 15] = [
    "ADDPARTS",
    "METADATAUPDATE",
    "BRKMAIN",
    "CONNECT",
    "DISCONNECT",
    "ERROR",
    "FAIL",
    "FATAL",
    "GETPID",
    "MAXIDLE",
    "PARTCNT",
    "REQTMOUT",
    "TERMINATE",
    "TXNERR",
    "TXNSTATE",
];
const LINES_PERIOD: Duration = Duration::from_secs(60);
const LINES_PER_PERIOD: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_password_is_the_reason() {
        let watch = Watch::default();
        watch.error(KafkaError::Global(Code::Authentication), "b1: SASL authentication error");
        watch.error(KafkaError::Global(Code::BrokerTransportFailure), "b1: Disconnected");
        assert_eq!(watch.unreachable(Duration::from_secs(1)).kind(), Kind::SinkAuth);
        watch.answered();
        assert_eq!(watch.unreachable(Duration::from_secs(1)).kind(), Kind::SinkUnreachable);
    }

    #[test]
    fn a_storm_is_cut() {
        let watch = Watch::default();
        let logged = (0..1000).filter(|_| watch.may_log()).count();
        assert_eq!(logged, LINES_PER_PERIOD as usize);
    }
}
