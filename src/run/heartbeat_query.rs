//! `source.heartbeat_query`: a statement that is run in the database as often as there are heartbeats, on a connection of its own.
//! It is beside the stream: whatever becomes of it, the stream goes on, and a failure is counted and tried again.

use tokio::time::{MissedTickBehavior, interval};

use crate::error::Result;
use crate::run::supervise::Shared;
use crate::source::Sql;

/// Runs it until the task is aborted; returns at once when there is nothing to run.
pub(crate) async fn run_heartbeat_query(shared: Shared) {
    let Some(every) = shared.config.events.heartbeat_interval else { return };
    let Some(query) = &shared.config.source.heartbeat_query else { return };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connection = None;
    let mut failing = false;
    loop {
        ticks.tick().await;
        match run(&shared, &mut connection, query).await {
            Ok(()) => failing = false,
            Err(error) => {
                shared.metrics.heartbeat_query_failed();
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "source.heartbeat_query failed; it is tried again, and said once until it succeeds");
                }
                connection = None;
            }
        }
    }
}

async fn run(shared: &Shared, connection: &mut Option<Sql>, query: &str) -> Result<()> {
    let sql = match connection.take().filter(|sql| !sql.is_closed()) {
        Some(sql) => sql,
        None => Sql::connect(&shared.config.name, &shared.config.source).await?,
    };
    sql.execute(query).await?;
    *connection = Some(sql);
    Ok(())
}
