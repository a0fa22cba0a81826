//! Wires the stages, restarts them after failures, drains them at the end. The only module that knows every other.

pub mod backoff;
mod budget;
mod check;
mod control;
mod describe;
pub mod feedback;
pub mod group;
mod lookup;
pub mod pace;
mod publish;
pub mod reconcile;
pub mod repeats;
mod session;
mod shutdown;
mod start;
mod supervise;
mod telemetry;
mod timeline;
mod translate;
mod watch;

pub use check::check;

use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, Source};
use crate::error::Result;
use crate::observe::admin::{Admin, Pages};
use crate::observe::{About, Health, Metrics, Status, service};
use crate::run::session::wall_clock;
use crate::run::shutdown::Shutdown;
use crate::run::supervise::{Shared, supervise};

/// Runs the pipeline until it is stopped or cannot go on; returns the exit code.
///
/// # Errors
/// Before the first session: the admin address is taken, or signals cannot be handled.
pub async fn run(config: Config) -> Result<u8> {
    let shutdown = Shutdown::listen()?;
    let Source { host, port, database, .. } = &config.source;
    tracing::info!(name = config.name, version = VERSION, host, port, database, "starting");
    let metrics = Metrics::new(&About { name: &config.name, memory_bytes: config.limits.memory })?;
    let status = Arc::new(Status::new(&config, metrics.clone(), wall_clock().micros()));
    let health = Arc::new(Health::new(metrics.clone(), config.admin.stall_timeout, Instant::now()));
    if let Some(listen) = config.admin.listen {
        let admin = Admin::bind(listen).await?;
        tracing::info!(address = %admin.address(), "admin: /metrics /healthz /readyz /status");
        let pages =
            Pages { metrics: metrics.clone(), status: Arc::clone(&status), health: Arc::clone(&health) };
        tokio::spawn(admin.serve(pages, shutdown.token()));
    }
    tokio::spawn(service::watch(health, metrics.clone(), shutdown.token()));
    service::ready();
    let shared = Shared { config: Arc::new(config), metrics, status };
    Ok(supervise(shared, shutdown).await)
}

/// Of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
