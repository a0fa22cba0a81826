//! Wires the stages, restarts them after failures, drains them at the end. The only module that knows every other.

pub mod backoff;
mod brokers;
mod budget;
mod check;
mod control;
mod describe;
mod discover;
mod fallback;
pub mod feedback;
pub mod group;
mod heartbeat;
mod heartbeat_query;
mod locate;
mod lookup;
mod notify;
mod outlook;
pub mod pace;
mod pipelines;
mod prepare;
mod publish;
pub mod reconcile;
#[doc(hidden)]
pub mod rehearsal;
pub mod repeats;
mod replaced;
mod session;
mod shutdown;
mod snapshot;
mod start;
mod steps;
mod streamed;
mod supervise;
mod take_over;
mod telemetry;
mod timeline;
mod translate;
mod watch;

pub use check::check;
pub use take_over::{Order as TakeOver, take_over};

use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, Process};
use crate::error::Result;
use crate::observe::admin::Admin;
use crate::observe::{Board, Health, Metrics, Status, Watched, service};
use crate::run::session::wall_clock;
use crate::run::shutdown::Shutdown;
use crate::run::supervise::Shared;

/// Runs the pipelines until they are stopped or cannot go on; returns the exit code.
///
/// # Errors
/// Before the first session: the admin address is taken, or signals cannot be handled.
pub async fn run(process: Process, pipelines: Vec<Config>) -> Result<u8> {
    let shutdown = Shutdown::listen()?;
    let started = wall_clock().micros();
    let names: Vec<&str> = pipelines.iter().map(|config| config.name.as_str()).collect();
    let metrics = Metrics::of_pipelines(&names, process.memory)?;
    let shared: Vec<Shared> = pipelines
        .into_iter()
        .zip(metrics)
        .map(|(config, metrics)| Shared {
            status: Arc::new(Status::new(&config, metrics.clone(), started)),
            config: Arc::new(config),
            metrics,
            fallback: Arc::default(),
            snapshots: Arc::default(),
        })
        .collect();
    let watched = shared.iter().map(|shared| Watched {
        metrics: shared.metrics.clone(),
        status: Arc::clone(&shared.status),
        health: Arc::new(Health::new(shared.metrics.clone(), process.admin.stall_timeout, Instant::now())),
    });
    let board = Arc::new(Board::new(watched.collect(), process.several));
    pipelines::announce(&shared);
    if let Some(listen) = process.admin.listen {
        let admin = Admin::bind(listen).await?;
        tracing::info!(address = %admin.address(), "admin: /metrics /healthz /readyz /status");
        tokio::spawn(admin.serve(Arc::clone(&board), shutdown.token()));
    }
    tokio::spawn(service::watch(board, shutdown.token()));
    service::ready();
    Ok(pipelines::run(shared, process.several, &shutdown).await)
}

/// Of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
