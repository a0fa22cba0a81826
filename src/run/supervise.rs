//! Sessions one after another, until one drains or a person must act. Every failure of PostgreSQL or Kafka ends a session
//! and nothing else: the next one opens both sides anew and goes on at the checkpoint.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::observe::{FallbackReason, Metrics, State, Status};
use crate::obstacle::Obstacle;
use crate::run::backoff::{Backoff, Verdict};
use crate::run::control::Control;
use crate::run::discover::watch_tables;
use crate::run::fallback::Fallback;
use crate::run::heartbeat_query::run_heartbeat_query;
use crate::run::repeats::Repeats;
use crate::run::session::{Ended, Session, wall_clock};
use crate::run::shutdown::Shutdown;
use crate::run::snapshot::Attempts;
use crate::run::start::{self, Opened};
use crate::run::watch::watch_slot;
use crate::source;

/// What every session of a pipeline shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub config: Arc<Config>,
    pub metrics: Metrics,
    pub status: Arc<Status>,
    /// Whether to do without the spool.
    pub fallback: Arc<Fallback>,
    /// What became of snapshots.
    pub snapshots: Arc<Attempts>,
}

/// Runs sessions until the pipeline is to end; returns the exit code of a process with no other.
pub(crate) async fn supervise(shared: Shared, shutdown: Shutdown) -> u8 {
    let mut backoff = Backoff::new(&shared.config.retry);
    let mut repeats = Repeats::default();
    loop {
        shared.snapshots.begin();
        let begun = shared.metrics.pipeline().last_progress().durable_batches;
        let error = match attempt(&shared, &shutdown).await {
            // Not a failure: what was read is durable, and the next session begins at once.
            Ok(Ended::FellBack) => continue,
            Ok(ended) => return finish(&shared, ended),
            Err(error) => error,
        };
        if shutdown.is_requested() {
            tracing::warn!(%error, "session failed while draining; the next start goes on at the last checkpoint");
            return finish(&shared, Ended::DrainTimedOut);
        }
        let durable = shared.metrics.pipeline().last_progress().durable_batches > begun;
        if durable && !shared.snapshots.is_stuck() {
            backoff.progressed();
            repeats.progressed();
        }
        let kind = error.kind();
        shared.status.failed(&error, wall_clock().micros());
        let chance = rand::rng().random();
        match backoff.failed(kind, Instant::now(), chance) {
            Verdict::After(pause) => {
                let waiting = if kind == Kind::SlotBusy { State::WaitingForSlot } else { State::Connecting };
                shared.metrics.pipeline().set_state(waiting);
                shared.metrics.restart();
                if let Some(times) = repeats.worth_a_line(&error, Instant::now()) {
                    tracing::warn!(kind = kind.name(), %error, hint = error.hint(), times, retry_in_ms = millis(pause), "session failed");
                } else {
                    tracing::debug!(kind = kind.name(), %error, retry_in_ms = millis(pause), "session failed as before");
                }
                if shutdown.during(pause, || shared.metrics.pipeline().beat()).await {
                    return finish(&shared, Ended::Drained);
                }
            }
            verdict @ (Verdict::Stop | Verdict::GiveUp) => {
                shared.metrics.pipeline().set_state(State::Failed);
                let why = if verdict == Verdict::GiveUp { "gave up" } else { "cannot go on" };
                explain(&shared.config, kind).await;
                tracing::error!(kind = kind.name(), %error, hint = error.hint(), "{why}");
                return if verdict == Verdict::GiveUp { EXIT_GAVE_UP } else { kind.exit_code() };
            }
        }
    }
}

/// Where one thing is missing others often are too: all of them at once, so that a person needs one repair and not five.
async fn explain(config: &Config, kind: Kind) {
    if !matches!(kind, Kind::SourcePrivilege | Kind::SourceSettings | Kind::Publication) {
        return;
    }
    let obstacles = source::check::preflight(&config.name, &config.source).await;
    for Obstacle { what, why, repair, .. } in obstacles.iter().filter(|obstacle| obstacle.fatal) {
        tracing::error!(what, why, repair, "in the way");
    }
}

/// One session on a thread of its own.
async fn attempt(shared: &Shared, shutdown: &Shutdown) -> Result<Ended> {
    let control = Arc::new(Control::new()?);
    let (done, mut outcome) = oneshot::channel();
    let (context, its_control, handle) = (shared.clone(), Arc::clone(&control), Handle::current());
    let span = Span::current();
    std::thread::Builder::new()
        .name("headwater-data".into())
        .spawn(move || {
            let _of_the_pipeline = span.enter();
            // The receiver only goes away with the process.
            let _ = done.send(session(&context, &its_control, &handle));
        })
        .map_err(|error| Error::new(Kind::Internal, "no thread for the session").with_source(error))?;
    let outcome = tokio::select! {
        outcome = &mut outcome => outcome,
        () = shutdown.requested() => {
            control.stop();
            match shared.metrics.pipeline().state() {
                State::Streaming => {
                    shared.metrics.pipeline().set_state(State::Draining);
                    tracing::info!("draining");
                }
                // It drops its slot.
                State::Snapshotting => {}
                // Nothing is under way that a drain could save.
                _ => return Ok(Ended::Drained),
            }
            outcome.await
        }
    };
    outcome.unwrap_or_else(|_| Err(Error::new(Kind::Internal, "the data thread panicked; see the log above")))
}

fn session(shared: &Shared, control: &Arc<Control>, handle: &Handle) -> Result<Ended> {
    shared.metrics.pipeline().set_state(State::Connecting);
    let alive = handle.spawn(beat(shared.clone()));
    let opened = start::open(shared, control, handle);
    alive.abort();
    let opened = match opened? {
        Opened::Streaming(opened) => opened,
        Opened::Ended(ended) => return Ok(ended),
    };
    if control.is_stopping() {
        return Ok(Ended::Drained);
    }
    shared.metrics.pipeline().set_state(State::Streaming);
    if shared.metrics.restarts() > 0 {
        shared.metrics.pipeline().reconnects.inc();
    }
    let name = shared.config.source.slot.clone();
    let streams = opened.streamed.is_asked_for();
    let watcher = watch_slot(Arc::clone(&opened.sql), name, shared.metrics.clone());
    let watcher = handle.spawn(watcher.in_current_span());
    let query = handle.spawn(run_heartbeat_query(shared.clone()).in_current_span());
    let tables = watch_tables(Arc::clone(&opened.sql), Arc::clone(&shared.config), shared.metrics.clone());
    let tables = handle.spawn(tables.in_current_span());
    let ended = Session::new(*opened).run();
    watcher.abort();
    query.abort();
    tables.abort();
    shared.metrics.spool().opened(0);
    if let Some(error) = ended.as_ref().err().filter(|error| streams && error.kind() == Kind::SourceServer) {
        // Servers fail on some transactions only while they are in progress: docs/operations.md. Again would be the same.
        tracing::warn!(%error, "transactions in progress are sent at their commit from now on");
        shared.metrics.spool().fell_back(FallbackReason::Server);
        shared.fallback.begin(Instant::now());
    }
    ended
}

/// Opening waits for others, within limits of its own: for brokers, or for hours for the transactions that a new slot waits for. A
/// restart would only begin the wait anew.
async fn beat(shared: Shared) {
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    loop {
        ticks.tick().await;
        shared.metrics.pipeline().beat();
    }
}

fn finish(shared: &Shared, ended: Ended) -> u8 {
    shared.metrics.pipeline().set_state(State::Stopped);
    match ended {
        Ended::Drained | Ended::Finished | Ended::FellBack => {
            tracing::info!("stopped");
            0
        }
        Ended::DrainTimedOut => {
            tracing::warn!(
                "stopped before everything read was durable; the next start goes on at the last checkpoint"
            );
            EXIT_GAVE_UP
        }
    }
}

fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}

/// `EX_TEMPFAIL`.
pub(crate) const EXIT_GAVE_UP: u8 = 75;
