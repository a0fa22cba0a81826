//! What the next start would make of checkpoint and slot, told before it by `headwater check`: the question of every start
//! ([`plan`](super::start::plan)), with nothing taken over, created or fenced for it.

use crate::checkpoint;
use crate::config::{Config, Sink};
use crate::error::{Kind, Result};
use crate::obstacle::Obstacle;
use crate::run::reconcile::{Plan, SnapshotPlan};
use crate::run::start;
use crate::source::slot::{self, SlotState};
use crate::source::{Connection, Sql};

/// The next start.
pub(super) struct Outlook {
    plan: Result<Plan>,
    /// What the slot's state says by itself, when that is told as an obstacle and the plan knows better.
    overruled: Option<String>,
}

/// Asks both sides; none when one does not answer or the slot is not to be had, which are obstacles already.
pub(super) async fn outlook(config: &Config) -> Option<Outlook> {
    let sql = Sql::connect(&config.name, &config.source).await.ok()?;
    // Before the checkpoint, which is never behind it then: somebody may be at work.
    let state = slot::inspect(&sql, &config.source.slot).await.ok()?;
    let unusable =
        state.as_ref().and_then(|slot| slot.usable(&config.source.slot, &config.source.database).err());
    if unusable.as_ref().is_some_and(|error| error.kind() != Kind::SlotInvalidated) {
        return None;
    }
    let config = config.clone();
    let plan = tokio::task::spawn_blocking(move || ask(&config, state.as_ref())).await.ok()?;
    if plan.as_ref().is_err_and(|error| is_told_elsewhere(error.kind())) {
        return None;
    }
    let overruled = unusable.filter(|_| plan.is_ok()).map(|error| error.to_string());
    Some(Outlook { plan, overruled })
}

fn ask(config: &Config, slot: Option<&SlotState>) -> Result<Plan> {
    let mut connection = Connection::open(&config.name, &config.source, config.limits.max_message)?;
    let identity = connection.identify_system()?;
    let checkpoint = match config.sink {
        Sink::Kafka => checkpoint::store::read(config)?,
        _ => checkpoint::file::read(config)?,
    };
    start::plan((config, config.snapshot.mode), (&mut connection, &identity), checkpoint.as_ref(), slot)
}

/// By the checks of either side.
fn is_told_elsewhere(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::SourceUnreachable
            | Kind::SourceAuth
            | Kind::SourceTls
            | Kind::SourcePrivilege
            | Kind::SourceSettings
            | Kind::SlotInvalidated
            | Kind::SinkUnreachable
            | Kind::SinkAuth
            | Kind::Config
    )
}

impl Outlook {
    /// Whether the tables will be read first; none when the start fails before that.
    pub(super) fn reads_tables(&self) -> Option<bool> {
        self.plan.as_ref().ok().map(|plan| matches!(plan, Plan::Snapshot(_)))
    }

    /// Puts what is known of the next start to the obstacles.
    pub(super) fn tell(self, obstacles: &mut Vec<Obstacle>) {
        obstacles.retain(|obstacle| self.overruled.as_ref() != Some(&obstacle.what));
        let (what, why, repair, fatal) = match self.plan {
            Err(error) => {
                let why = match error.kind() {
                    Kind::SystemChanged | Kind::SlotMissing | Kind::Gap => {
                        "the checkpoint does not fit the slot, and a start ends here"
                    }
                    _ => "without the checkpoint no start knows where to go on",
                };
                (error.to_string(), why.to_owned(), error.hint().to_owned(), true)
            }
            Ok(Plan::Start { gap: Some(gap), .. } | Plan::Create { gap: Some(gap), .. }) => (
                gap,
                "changes are missing; the next start goes on without them".to_owned(),
                "set source.on_gap to \"stop\" if they are not to be done without".to_owned(),
                false,
            ),
            Ok(Plan::Snapshot(SnapshotPlan { reason: Some(reason), .. })) => (
                reason,
                "the next start reads the tables again".to_owned(),
                "nothing, if that is wanted; else see snapshot.mode".to_owned(),
                false,
            ),
            Ok(Plan::Nothing(reason)) => (
                reason.to_owned(),
                "the next start ends at once".to_owned(),
                "set snapshot.mode to another to capture changes".to_owned(),
                false,
            ),
            Ok(Plan::Start { .. } | Plan::Create { .. } | Plan::Snapshot(_)) => return,
        };
        obstacles.push(Obstacle { what, why, repair, fatal });
    }
}
