//! Where to start: the checkpoint held against the slot, before a byte is read. Pure, one case per test.
//!
//! The slot is confirmed only up to a durable checkpoint, so it is never ahead of one by our doing. If it is, or is
//! gone, or cannot be read any more, somebody else acted and changes are missing: that is said, never passed over.

use crate::checkpoint::Position;
use crate::config::{OnGap, SnapshotMode};
use crate::error::{Error, Kind, Result};
use crate::event::Resume;
use crate::lsn::Lsn;
use crate::source::slot::SlotState;

/// What is known before the start.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    pub slot_name: &'a str,
    pub database: &'a str,
    pub system_id: u64,
    pub timeline: u32,
    /// End of the part of the checkpoint's timeline that is in this server's history; none when it is the same timeline.
    pub switch_lsn: Option<Lsn>,
    pub checkpoint: Option<&'a Position>,
    pub slot: Option<&'a SlotState>,
    pub on_gap: OnGap,
    pub snapshot: SnapshotMode,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// Start the slot at `lsn`; publishing goes on at `resume`.
    Start { lsn: Lsn, resume: Resume, gap: Option<String> },
    /// Create the slot, after dropping it when `drop` says so, and start where it becomes consistent.
    Create { drop: bool, gap: Option<String> },
    /// Read the tables first.
    Snapshot(SnapshotPlan),
    /// There is nothing to do, for this reason.
    Nothing(&'static str),
}

/// How the tables are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotPlan {
    pub slot: SnapshotSlot,
    /// Why it is not the first start.
    pub reason: Option<String>,
}

/// The slot that the stream goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotSlot {
    /// It is created with the snapshot, after another one was dropped when `drop` says so: the stream begins where the snapshot
    /// ends.
    Create { drop: bool },
    /// Somebody made it before, and it stays: the stream begins at `lsn`, so what changed until the snapshot comes again.
    Existing { lsn: Lsn },
    /// The tables are read beside what is captured: the stream goes on at the checkpoint, behind the rows.
    Kept { lsn: Lsn, resume: Resume },
    /// Nothing is streamed.
    None,
}

/// Decides.
///
/// # Errors
/// One kind per obstacle: [`Kind::SlotMismatch`] and [`Kind::SlotBusy`], whatever `on_gap` says; and
/// [`Kind::SystemChanged`], [`Kind::SlotMissing`], [`Kind::SlotInvalidated`], [`Kind::Gap`], which become the `gap` of the
/// plan under `on_gap = "continue"`.
pub fn reconcile(facts: &Facts<'_>) -> Result<Plan> {
    let progress = facts.checkpoint.and_then(|position| position.snapshot);
    if facts.snapshot == SnapshotMode::Only {
        return Ok(match (facts.checkpoint, progress) {
            (Some(_), None) => {
                Plan::Nothing("snapshot.mode is \"only\", and a checkpoint says that changes are captured")
            }
            (Some(_), Some(progress)) if progress.completed => Plan::Nothing(
                "the tables were read before, which is all that snapshot.mode = \"only\" asks for",
            ),
            _ => snapshot(SnapshotSlot::None, progress.map(|_| INTERRUPTED.to_owned())),
        });
    }
    let original = facts.checkpoint;
    // What a snapshot has stored is no position to go on at.
    let facts = &Facts { checkpoint: facts.checkpoint.filter(|_| progress.is_none()), ..*facts };
    match facts.snapshot {
        SnapshotMode::Initial | SnapshotMode::WhenNeeded | SnapshotMode::Always
            if facts.checkpoint.is_none() =>
        {
            let same_slot = original.is_some_and(|position| &*position.slot == facts.slot_name);
            let unfinished = progress.filter(|progress| !progress.completed);
            let owns_slot = unfinished.is_some_and(|progress| progress.owns_slot);
            first(facts, unfinished.is_some(), owns_slot && same_slot)
        }
        SnapshotMode::WhenNeeded | SnapshotMode::Always => {
            match go_on(&Facts { on_gap: OnGap::Stop, ..*facts }) {
                Err(error) if is_gap(error.kind()) => {
                    Ok(snapshot(SnapshotSlot::Create { drop: facts.slot.is_some() }, Some(error.to_string())))
                }
                Ok(Plan::Start { lsn, resume, .. }) if facts.snapshot == SnapshotMode::Always => {
                    Ok(snapshot(SnapshotSlot::Kept { lsn, resume }, None))
                }
                plan => plan,
            }
        }
        _ => go_on(facts),
    }
}

/// The tables are read, as there is no position to go on at.
fn first(facts: &Facts<'_>, interrupted: bool, owns_slot: bool) -> Result<Plan> {
    let reason = interrupted.then(|| INTERRUPTED.to_owned());
    let Some(slot) = facts.slot else {
        return Ok(snapshot(SnapshotSlot::Create { drop: false }, reason));
    };
    match slot.usable(facts.slot_name, facts.database) {
        Err(error) if error.kind() == Kind::SlotInvalidated => {
            if owns_slot || facts.snapshot != SnapshotMode::Initial {
                let reason = reason.unwrap_or_else(|| error.to_string());
                return Ok(snapshot(SnapshotSlot::Create { drop: true }, Some(reason)));
            }
            return go_on(facts);
        }
        usable => usable?,
    }
    if owns_slot {
        return Ok(snapshot(SnapshotSlot::Create { drop: true }, reason));
    }
    let lsn = slot.confirmed_flush_lsn.unwrap_or(Lsn::INVALID);
    Ok(snapshot(SnapshotSlot::Existing { lsn }, reason))
}

fn snapshot(slot: SnapshotSlot, reason: Option<String>) -> Plan {
    Plan::Snapshot(SnapshotPlan { slot, reason })
}

/// What `on_gap` decides about.
fn is_gap(kind: Kind) -> bool {
    matches!(kind, Kind::SystemChanged | Kind::SlotMissing | Kind::SlotInvalidated | Kind::Gap)
}

const INTERRUPTED: &str =
    "the last snapshot was interrupted and starts over; rows that it has published come again";

/// The checkpoint against the slot, and no snapshot.
fn go_on(facts: &Facts<'_>) -> Result<Plan> {
    let mut gap = None;
    let mut checkpoint = facts.checkpoint;
    if let Some(error) = checkpoint.and_then(|position| changed_system(facts, position)) {
        gap = Some(accept(facts, error)?);
        checkpoint = None;
    }
    let Some(slot) = facts.slot else {
        if let Some(position) = checkpoint {
            gap = Some(accept(facts, missing(facts, position))?);
        }
        return Ok(Plan::Create { drop: false, gap });
    };
    match slot.usable(facts.slot_name, facts.database) {
        Err(error) if error.kind() == Kind::SlotInvalidated => {
            return Ok(Plan::Create { drop: true, gap: Some(accept(facts, error)?) });
        }
        usable => usable?,
    }
    let confirmed = slot.confirmed_flush_lsn.unwrap_or(Lsn::INVALID);
    let at_slot = Resume { end_lsn: confirmed, ..Resume::default() };
    match checkpoint {
        None => Ok(Plan::Start { lsn: confirmed, resume: at_slot, gap }),
        Some(position) if confirmed > position.end_lsn => {
            let gap = Some(accept(facts, ahead(facts, confirmed, position))?);
            Ok(Plan::Start { lsn: confirmed, resume: at_slot, gap })
        }
        Some(position) => Ok(Plan::Start { lsn: position.end_lsn, resume: resume(position), gap }),
    }
}

fn resume(position: &Position) -> Resume {
    Resume {
        end_lsn: position.end_lsn,
        partial: position.partial.map(|partial| (partial.commit_lsn, partial.ordinal)),
        last_commit_end_lsn: position.last_commit_end_lsn,
    }
}

/// The gap goes on record when the configuration accepts it, and stops us otherwise.
fn accept(facts: &Facts<'_>, error: Error) -> Result<String> {
    match facts.on_gap {
        OnGap::Stop => Err(error),
        OnGap::Continue => Ok(error.to_string()),
    }
}

fn changed_system(facts: &Facts<'_>, position: &Position) -> Option<Error> {
    let Position { system_id, timeline, end_lsn, .. } = position;
    let changed = |detail| Some(Error::new(Kind::SystemChanged, detail));
    if *system_id != facts.system_id {
        return changed(format!(
            "the checkpoint at {end_lsn} is of the cluster with system identifier {system_id}, this one has {}",
            facts.system_id
        ));
    }
    if *timeline > facts.timeline {
        return changed(format!(
            "the checkpoint is of timeline {timeline}, this server is on {}: it is older than what was published",
            facts.timeline
        ));
    }
    let switch = facts.switch_lsn.filter(|switch| end_lsn > switch)?;
    changed(format!(
        "the checkpoint at {end_lsn} of timeline {timeline} lies behind the switch at {switch} to timeline {}: what was published between them is not in this server",
        facts.timeline
    ))
}

fn missing(facts: &Facts<'_>, position: &Position) -> Error {
    let detail = format!(
        "slot \"{}\" does not exist, but the checkpoint says it was read up to {}",
        facts.slot_name, position.end_lsn
    );
    Error::new(Kind::SlotMissing, detail)
}

fn ahead(facts: &Facts<'_>, confirmed: Lsn, position: &Position) -> Error {
    let detail = format!(
        "slot \"{}\" is at {confirmed}, ahead of the checkpoint at {}: {} bytes of log between them cannot be read any more",
        facts.slot_name,
        position.end_lsn,
        confirmed.bytes_since(position.end_lsn)
    );
    Error::new(Kind::Gap, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{Partial, SnapshotProgress};

    fn slot(confirmed: u64) -> SlotState {
        SlotState {
            plugin: Some("pgoutput".into()),
            slot_type: "logical".into(),
            database: Some("shop".into()),
            active: false,
            active_pid: None,
            holder: None,
            restart_lsn: Some(Lsn(1)),
            confirmed_flush_lsn: Some(Lsn(confirmed)),
            wal_status: Some("reserved".into()),
            safe_wal_size: None,
            invalidation_reason: None,
            two_phase: false,
            failover: false,
            retained_bytes: None,
        }
    }

    fn position(end: u64) -> Position {
        Position {
            system_id: 7,
            timeline: 2,
            slot: "headwater_shop".into(),
            end_lsn: Lsn(end),
            last_commit_end_lsn: Some(Lsn(end - 1)),
            partial: Some(Partial { commit_lsn: Lsn(end + 5), ordinal: 9 }),
            snapshot: None,
        }
    }

    fn facts<'a>(checkpoint: Option<&'a Position>, slot: Option<&'a SlotState>) -> Facts<'a> {
        Facts {
            slot_name: "headwater_shop",
            database: "shop",
            system_id: 7,
            timeline: 2,
            switch_lsn: None,
            checkpoint,
            slot,
            on_gap: OnGap::Stop,
            snapshot: SnapshotMode::Never,
        }
    }

    fn kind(facts: &Facts<'_>) -> Kind {
        reconcile(facts).unwrap_err().kind()
    }

    fn gap_accepted(facts: &Facts<'_>) -> Plan {
        reconcile(&Facts { on_gap: OnGap::Continue, ..*facts }).unwrap()
    }

    #[test]
    fn a_first_start_creates_the_slot() {
        assert_eq!(reconcile(&facts(None, None)).unwrap(), Plan::Create { drop: false, gap: None });
    }

    #[test]
    fn a_slot_without_checkpoint_is_taken_where_it_is() {
        let plan = reconcile(&facts(None, Some(&slot(50)))).unwrap();
        let resume = Resume { end_lsn: Lsn(50), partial: None, last_commit_end_lsn: None };
        assert_eq!(plan, Plan::Start { lsn: Lsn(50), resume, gap: None });
    }

    #[test]
    fn the_checkpoint_rules_when_the_slot_is_not_ahead() {
        for confirmed in [10, 60] {
            let plan = reconcile(&facts(Some(&position(60)), Some(&slot(confirmed)))).unwrap();
            let partial = Some((Lsn(65), 9));
            let resume = Resume { end_lsn: Lsn(60), partial, last_commit_end_lsn: Some(Lsn(59)) };
            assert_eq!(plan, Plan::Start { lsn: Lsn(60), resume, gap: None });
        }
    }

    #[test]
    fn a_slot_ahead_of_the_checkpoint_is_a_gap() {
        let (position, slot) = (position(60), slot(61));
        assert_eq!(kind(&facts(Some(&position), Some(&slot))), Kind::Gap);
        match gap_accepted(&facts(Some(&position), Some(&slot))) {
            Plan::Start {
                lsn: Lsn(61),
                resume: Resume { end_lsn: Lsn(61), partial: None, .. },
                gap: Some(gap),
            } => {
                assert!(gap.contains("1 bytes of log"), "{gap}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_slot_with_a_checkpoint_is_a_gap() {
        let position = position(60);
        assert_eq!(kind(&facts(Some(&position), None)), Kind::SlotMissing);
        assert!(matches!(
            gap_accepted(&facts(Some(&position), None)),
            Plan::Create { drop: false, gap: Some(_) }
        ));
    }

    #[test]
    fn an_invalidated_slot_is_a_gap_with_or_without_checkpoint() {
        let lost = SlotState { invalidation_reason: Some("wal_removed".into()), ..slot(50) };
        let position = position(60);
        for checkpoint in [None, Some(&position)] {
            assert_eq!(kind(&facts(checkpoint, Some(&lost))), Kind::SlotInvalidated);
            let plan = gap_accepted(&facts(checkpoint, Some(&lost)));
            assert!(matches!(plan, Plan::Create { drop: true, gap: Some(_) }), "{plan:?}");
        }
    }

    #[test]
    fn another_cluster_or_an_older_timeline_is_not_ours() {
        let (position, slot) = (position(60), slot(10));
        let base = || facts(Some(&position), Some(&slot));
        assert_eq!(kind(&Facts { system_id: 8, ..base() }), Kind::SystemChanged);
        assert_eq!(kind(&Facts { timeline: 1, ..base() }), Kind::SystemChanged);
        assert_eq!(kind(&Facts { timeline: 3, switch_lsn: Some(Lsn(59)), ..base() }), Kind::SystemChanged);
        assert!(reconcile(&Facts { timeline: 3, switch_lsn: Some(Lsn(60)), ..base() }).is_ok());
        let plan = gap_accepted(&Facts { system_id: 8, ..base() });
        assert!(matches!(plan, Plan::Start { lsn: Lsn(10), gap: Some(_), .. }), "{plan:?}");
    }

    #[test]
    fn a_slot_of_others_is_never_taken() {
        let physical = SlotState { plugin: None, slot_type: "physical".into(), database: None, ..slot(5) };
        let other_plugin = SlotState { plugin: Some("wal2json".into()), ..slot(5) };
        let other_database = SlotState { database: Some("crm".into()), ..slot(5) };
        for slot in [physical, other_plugin, other_database] {
            for on_gap in [OnGap::Stop, OnGap::Continue] {
                assert_eq!(kind(&Facts { on_gap, ..facts(None, Some(&slot)) }), Kind::SlotMismatch);
            }
        }
    }

    #[test]
    fn a_busy_slot_says_who_holds_it() {
        let holder = crate::source::slot::Holder {
            pid: 4711,
            client_addr: Some("10.0.0.9".into()),
            application_name: Some("headwater/other".into()),
            backend_start: None,
        };
        let busy = SlotState { active: true, active_pid: Some(4711), holder: Some(holder), ..slot(5) };
        let error = reconcile(&facts(None, Some(&busy))).unwrap_err();
        assert_eq!(error.kind(), Kind::SlotBusy);
        for part in ["4711", "10.0.0.9", "headwater/other"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    /// A position that a snapshot stored.
    fn unfinished(owns_slot: bool) -> Position {
        let progress = SnapshotProgress { owns_slot, ..SnapshotProgress::default() };
        Position { snapshot: Some(progress), ..position(60) }
    }

    fn plan(mode: SnapshotMode, checkpoint: Option<&Position>, slot: Option<&SlotState>) -> Plan {
        reconcile(&Facts { snapshot: mode, ..facts(checkpoint, slot) }).unwrap()
    }

    /// The slot of the plan, and whether there is a reason to be told.
    fn planned(
        mode: SnapshotMode,
        checkpoint: Option<&Position>,
        slot: Option<&SlotState>,
    ) -> (SnapshotSlot, bool) {
        match plan(mode, checkpoint, slot) {
            Plan::Snapshot(SnapshotPlan { slot, reason }) => (slot, reason.is_some()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_tables_are_read_when_there_is_no_checkpoint() {
        use SnapshotMode::{Initial, Never, WhenNeeded};
        let existing = slot(50);
        for mode in [Initial, WhenNeeded] {
            assert_eq!(planned(mode, None, None), (SnapshotSlot::Create { drop: false }, false));
            let kept = (SnapshotSlot::Existing { lsn: Lsn(50) }, false);
            assert_eq!(planned(mode, None, Some(&existing)), kept);
            let position = position(60);
            assert!(matches!(plan(mode, Some(&position), Some(&existing)), Plan::Start { lsn: Lsn(60), .. }));
        }
        assert!(matches!(plan(Never, None, None), Plan::Create { drop: false, gap: None }));
    }

    #[test]
    fn an_interrupted_snapshot_starts_over_with_a_slot_of_its_own() {
        use SnapshotMode::{Initial, Never};
        let (existing, own, others) = (slot(50), unfinished(true), unfinished(false));
        assert_eq!(planned(Initial, Some(&own), None), (SnapshotSlot::Create { drop: false }, true));
        assert_eq!(
            planned(Initial, Some(&own), Some(&existing)),
            (SnapshotSlot::Create { drop: true }, true)
        );
        let kept = (SnapshotSlot::Existing { lsn: Lsn(50) }, true);
        assert_eq!(planned(Initial, Some(&others), Some(&existing)), kept);
        let renamed = Position { slot: "another".into(), ..unfinished(true) };
        assert_eq!(planned(Initial, Some(&renamed), Some(&existing)), kept);
        let lost = SlotState { invalidation_reason: Some("wal_removed".into()), ..slot(50) };
        assert_eq!(planned(Initial, Some(&own), Some(&lost)), (SnapshotSlot::Create { drop: true }, true));
        // Who wants none any more goes on where the slot is.
        assert!(matches!(plan(Never, Some(&own), Some(&existing)), Plan::Start { lsn: Lsn(50), .. }));
    }

    #[test]
    fn only_reads_once_and_takes_no_slot() {
        use SnapshotMode::{Initial, Only};
        let (existing, streamed) = (slot(50), position(60));
        assert_eq!(planned(Only, None, None), (SnapshotSlot::None, false));
        assert_eq!(planned(Only, Some(&unfinished(false)), Some(&existing)), (SnapshotSlot::None, true));
        assert!(matches!(plan(Only, Some(&streamed), Some(&existing)), Plan::Nothing(_)));
        let progress = SnapshotProgress { completed: true, ..SnapshotProgress::default() };
        let done = Position { snapshot: Some(progress), ..position(60) };
        assert!(matches!(plan(Only, Some(&done), None), Plan::Nothing(_)));
        assert_eq!(planned(Initial, Some(&done), None), (SnapshotSlot::Create { drop: false }, false));
    }

    #[test]
    fn always_reads_beside_what_is_captured_and_goes_on_where_that_was() {
        let (position, slot) = (position(60), slot(50));
        let resume =
            Resume { end_lsn: Lsn(60), partial: Some((Lsn(65), 9)), last_commit_end_lsn: Some(Lsn(59)) };
        let kept = SnapshotSlot::Kept { lsn: Lsn(60), resume };
        assert_eq!(planned(SnapshotMode::Always, Some(&position), Some(&slot)), (kept, false));
        // Without a checkpoint it is the first.
        assert_eq!(planned(SnapshotMode::Always, None, None), (SnapshotSlot::Create { drop: false }, false));
        let again = (SnapshotSlot::Create { drop: true }, true);
        assert_eq!(planned(SnapshotMode::Always, Some(&unfinished(true)), Some(&slot)), again);
    }

    #[test]
    fn what_is_lost_is_read_again_when_needed() {
        what_is_lost_is_read_again(SnapshotMode::WhenNeeded);
        what_is_lost_is_read_again(SnapshotMode::Always);
    }

    fn what_is_lost_is_read_again(mode: SnapshotMode) {
        use SnapshotMode::Initial;
        let (position, ahead) = (position(60), slot(61));
        let lost = SlotState { invalidation_reason: Some("wal_removed".into()), ..slot(50) };
        let again = |drop| (SnapshotSlot::Create { drop }, true);
        assert_eq!(planned(mode, Some(&position), None), again(false));
        assert_eq!(planned(mode, Some(&position), Some(&ahead)), again(true));
        assert_eq!(planned(mode, Some(&position), Some(&lost)), again(true));
        assert_eq!(planned(mode, None, Some(&lost)), again(true));
        let initial = Facts { snapshot: Initial, ..facts(Some(&position), Some(&ahead)) };
        assert_eq!(kind(&initial), Kind::Gap);
        // Others' slots are left alone all the same.
        let foreign = SlotState { plugin: Some("wal2json".into()), ..slot(5) };
        let foreign = Facts { snapshot: mode, ..facts(Some(&position), Some(&foreign)) };
        assert_eq!(kind(&foreign), Kind::SlotMismatch);
    }
}
