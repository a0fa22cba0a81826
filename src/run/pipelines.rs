//! All pipelines of the process, each with its own supervisor, until the last has ended. They share the runtime, the admin
//! port and the word to stop, and nothing else: each has its own sessions, threads, producer, checkpoint and pauses.
//!
//! A pipeline that stops for good leaves the others alone. The process ends with the last of them, and with the highest of
//! their exit codes: 75, which says that another start helps, rules over those that wait for a person.

use std::sync::Arc;

use tokio::task::JoinSet;
use tracing::{Instrument, Span};

use crate::error::Kind;
use crate::observe::State;
use crate::run::VERSION;
use crate::run::shutdown::Shutdown;
use crate::run::supervise::{Shared, supervise};

/// Says in the log what is about to run.
pub(super) fn announce(pipelines: &[Shared]) {
    for shared in pipelines {
        let config = &shared.config;
        let (host, port, database) = (&config.source.host, config.source.port, &config.source.database);
        tracing::info!(name = config.name, version = VERSION, host, port, database, "starting");
    }
}

/// Runs all until each has ended; the exit code. `several`: lines of the log say which pipeline they are about.
pub(super) async fn run(pipelines: Vec<Shared>, several: bool, shutdown: &Shutdown) -> u8 {
    let mut running = JoinSet::new();
    let mut metrics = std::collections::HashMap::new();
    for shared in pipelines {
        let span = if several { span(&shared.config.name) } else { Span::none() };
        let (name, its_metrics) = (Arc::clone(&shared.config), shared.metrics.clone());
        let task = supervise(shared, shutdown.clone()).instrument(span);
        metrics.insert(running.spawn(task).id(), (name, its_metrics));
    }
    let mut code = 0;
    while let Some(ended) = running.join_next_with_id().await {
        let (id, its_code) = match ended {
            Ok((id, its_code)) => (id, its_code),
            Err(panic) => (panic.id(), Kind::Internal.exit_code()),
        };
        code = code.max(its_code);
        let Some((config, its_metrics)) = metrics.remove(&id) else { continue };
        if its_code == Kind::Internal.exit_code() {
            its_metrics.pipeline().set_state(State::Failed);
        }
        if its_code > 0 && !metrics.is_empty() && !shutdown.is_requested() {
            let others = metrics.len();
            tracing::warn!(
                pipeline = config.name,
                exit_code = its_code,
                others,
                "the pipeline has ended; the others go on"
            );
        }
    }
    code
}

/// What lines of the log are marked with, at every `log.level`.
fn span(name: &str) -> Span {
    tracing::error_span!("pipeline", pipeline = name)
}
