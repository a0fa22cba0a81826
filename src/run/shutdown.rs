//! SIGTERM and SIGINT: the first drains, the second ends the process at once. Nothing is lost either way, because a
//! position is only confirmed once it is durable.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};
use crate::observe::service;
use crate::run::supervise::EXIT_GAVE_UP;

/// Told by signals; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(CancellationToken);

impl Shutdown {
    /// Listens from now on.
    ///
    /// # Errors
    /// [`Kind::Internal`] when the process may not handle signals.
    pub(crate) fn listen() -> Result<Self> {
        let refused = |error| Error::new(Kind::Internal, "signals cannot be handled").with_source(error);
        let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
        let token = CancellationToken::new();
        let requested = token.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if requested.is_cancelled() {
                    tracing::info!(
                        signal = name,
                        "ended by a second signal; the next start goes on at the last checkpoint"
                    );
                    std::process::exit(EXIT_GAVE_UP.into());
                }
                tracing::info!(signal = name, "shutting down");
                service::stopping();
                requested.cancel();
            }
        });
        Ok(Self(token))
    }

    /// Whether a signal came.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Until a signal comes.
    pub(crate) async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// For other parts that end with the process.
    pub(crate) fn token(&self) -> CancellationToken {
        self.0.clone()
    }

    /// Waits for `pause`, with a sign of life each second; true when a signal ended the wait.
    pub(crate) async fn during(&self, pause: Duration, alive: impl Fn()) -> bool {
        let until = tokio::time::Instant::now() + pause;
        loop {
            alive();
            let next = until.min(tokio::time::Instant::now() + Duration::from_secs(1));
            tokio::select! {
                () = self.0.cancelled() => return true,
                () = tokio::time::sleep_until(next) => {}
            }
            if tokio::time::Instant::now() >= until {
                return false;
            }
        }
    }
}
