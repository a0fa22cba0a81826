//! A look at the slot every few seconds, on the ordinary connection: how much log it retains, and how near it is to being
//! invalidated. The numbers must not depend on the stream, which may be what is stuck.

use std::sync::Arc;
use std::time::Duration;

use crate::observe::{Metrics, SlotWal};
use crate::source::Sql;
use crate::source::slot;

/// Looks until the connection ends or the task is aborted.
pub(crate) async fn watch_slot(sql: Arc<Sql>, name: String, metrics: Metrics) {
    while !sql.is_closed() {
        match slot::inspect(&sql, &name).await {
            Ok(Some(state)) => metrics.pipeline().slot(&SlotWal {
                retained_bytes: state.retained_bytes,
                safe_bytes: state.safe_wal_size,
                status: state.wal_status,
            }),
            Ok(None) => metrics.pipeline().slot(&SlotWal::default()),
            Err(error) => tracing::debug!(%error, "the slot could not be looked at"),
        }
        tokio::time::sleep(EVERY).await;
    }
}

const EVERY: Duration = Duration::from_secs(5);
