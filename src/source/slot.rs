//! The replication slot as `pg_replication_slots` shows it, over the columns of each version: who holds it, how much
//! log it retains, whether the server has given up on it. Creating it here, by a function, obeys `statement_timeout`,
//! so that a long transaction in the database delays us and cannot hang us.

use crate::error::{Error, Kind, Result};
use crate::lsn::Lsn;

use super::sql::{Sql, value};
use super::version::ServerVersion;

/// A slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// None for a physical slot.
    pub plugin: Option<String>,
    /// `logical` or `physical`.
    pub slot_type: String,
    pub database: Option<String>,
    pub active: bool,
    pub active_pid: Option<i32>,
    /// Who streams from it; fields that this user may not see are none.
    pub holder: Option<Holder>,
    pub restart_lsn: Option<Lsn>,
    pub confirmed_flush_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`; from 13.
    pub wal_status: Option<String>,
    /// Bytes that may still be written before the slot is in danger; none without `max_slot_wal_keep_size`, from 13.
    pub safe_wal_size: Option<i64>,
    /// Why the slot is of no more use: the server's word from 17, `wal_removed` for `lost` before.
    pub invalidation_reason: Option<String>,
    pub two_phase: bool,
    pub failover: bool,
    /// Bytes of log from `restart_lsn` to the end.
    pub retained_bytes: Option<i64>,
}

/// The session that holds a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: i32,
    pub client_addr: Option<String>,
    pub application_name: Option<String>,
    /// As text, in UTC.
    pub backend_start: Option<String>,
}

impl SlotState {
    /// Whether a stream of `database` can begin: an error of the kind that says why not.
    ///
    /// # Errors
    /// [`Kind::SlotMismatch`], [`Kind::SlotInvalidated`] or [`Kind::SlotBusy`].
    pub fn usable(&self, name: &str, database: &str) -> Result<()> {
        if self.plugin.as_deref() != Some(PLUGIN) {
            let plugin = self.plugin.as_deref().unwrap_or("none, it is physical");
            let detail = format!("slot {name:?} has the output plugin {plugin}; {PLUGIN} is needed");
            return Err(Error::new(Kind::SlotMismatch, detail));
        }
        if let Some(other) = self.database.as_deref().filter(|other| *other != database) {
            let detail = format!("slot {name:?} is of database {other:?}, not of {database:?}");
            return Err(Error::new(Kind::SlotMismatch, detail));
        }
        if let Some(reason) = &self.invalidation_reason {
            let detail =
                format!("slot {name:?} was invalidated by the server ({reason}): its changes are lost");
            return Err(Error::new(Kind::SlotInvalidated, detail));
        }
        match &self.holder {
            Some(holder) => Err(Error::new(Kind::SlotBusy, format!("slot {name:?} is held by {holder}"))),
            None => Ok(()),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.pid)?;
        if let Some(application) = self.application_name.as_deref().filter(|name| !name.is_empty()) {
            write!(f, ", application {application:?}")?;
        }
        if let Some(address) = &self.client_addr {
            write!(f, ", from {address}")?;
        }
        if let Some(since) = &self.backend_start {
            write!(f, ", since {since}")?;
        }
        Ok(())
    }
}

/// Drops the slot `name`.
pub async fn drop(sql: &Sql, name: &str) -> Result<()> {
    sql.query("SELECT pg_drop_replication_slot($1)", &[&name]).await.map(|_| ())
}

/// The slot `name`, none when there is none.
pub async fn inspect(sql: &Sql, name: &str) -> Result<Option<SlotState>> {
    let rows = sql.query(&inspect_query(sql.version()), &[&name]).await;
    let rows = rows.map_err(|error| error.context("read slot state"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let lsn = |column| -> Result<Option<Lsn>> {
        let text: Option<String> = value(row, column)?;
        Ok(text.and_then(|text| text.parse().ok()))
    };
    let active_pid: Option<i32> = value(row, 4)?;
    let holder = match active_pid {
        Some(pid) => Some(Holder {
            pid,
            client_addr: value(row, 5)?,
            application_name: value(row, 6)?,
            backend_start: value(row, 7)?,
        }),
        None => None,
    };
    let wal_status: Option<String> = value(row, 10)?;
    let reason: Option<String> = value(row, 12)?;
    let lost = || (wal_status.as_deref() == Some("lost")).then(|| "wal_removed".to_owned());
    Ok(Some(SlotState {
        plugin: value(row, 0)?,
        slot_type: value(row, 1)?,
        database: value(row, 2)?,
        active: value(row, 3)?,
        active_pid,
        holder,
        restart_lsn: lsn(8)?,
        confirmed_flush_lsn: lsn(9)?,
        invalidation_reason: reason.or_else(lost),
        wal_status,
        safe_wal_size: value(row, 11)?,
        two_phase: value(row, 13)?,
        failover: value(row, 14)?,
        retained_bytes: value(row, 15)?,
    }))
}

fn inspect_query(version: ServerVersion) -> String {
    let from = |major, column: &'static str, before: &'static str| {
        if version.at_least(major) { column } else { before }
    };
    let wal_status = from(13, "s.wal_status", "NULL::text");
    let safe_wal_size = from(13, "s.safe_wal_size", "NULL::int8");
    let conflicting = from(16, "CASE WHEN s.conflicting THEN 'conflicting' END", "NULL::text");
    let reason = from(17, "s.invalidation_reason", conflicting);
    let two_phase = from(14, "s.two_phase", "false");
    let failover = from(17, "s.failover", "false");
    format!(
        "SELECT s.plugin::text, s.slot_type, s.database::text, s.active, s.active_pid,
                host(a.client_addr), a.application_name, a.backend_start::text,
                s.restart_lsn::text, s.confirmed_flush_lsn::text,
                {wal_status}, {safe_wal_size}, {reason}, {two_phase}, {failover},
                pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                     ELSE pg_current_wal_lsn() END, s.restart_lsn)::int8
         FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
         WHERE s.slot_name = $1::text::name"
    )
}

/// The only output plugin used: it is part of every server.
pub const PLUGIN: &str = "pgoutput";

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> SlotState {
        SlotState {
            plugin: Some("pgoutput".into()),
            slot_type: "logical".into(),
            database: Some("shop".into()),
            active: false,
            active_pid: None,
            holder: None,
            restart_lsn: None,
            confirmed_flush_lsn: None,
            wal_status: None,
            safe_wal_size: None,
            invalidation_reason: None,
            two_phase: false,
            failover: false,
            retained_bytes: None,
        }
    }

    fn kind(state: &SlotState) -> Option<Kind> {
        state.usable("s", "shop").err().map(|error| error.kind())
    }

    #[test]
    fn says_why_it_cannot_be_used() {
        assert_eq!(kind(&state()), None);
        assert_eq!(kind(&SlotState { plugin: None, ..state() }), Some(Kind::SlotMismatch));
        assert_eq!(kind(&SlotState { plugin: Some("wal2json".into()), ..state() }), Some(Kind::SlotMismatch));
        assert_eq!(kind(&SlotState { database: Some("other".into()), ..state() }), Some(Kind::SlotMismatch));
        let lost = SlotState { invalidation_reason: Some("wal_removed".into()), ..state() };
        assert_eq!(kind(&lost), Some(Kind::SlotInvalidated));
    }

    #[test]
    fn says_who_holds_it() {
        let holder = Holder {
            pid: 12,
            client_addr: Some("10.0.0.7".into()),
            application_name: Some("headwater/shop".into()),
            backend_start: None,
        };
        let error = SlotState { holder: Some(holder), ..state() }.usable("s", "shop").unwrap_err();
        assert_eq!(error.kind(), Kind::SlotBusy);
        assert_eq!(
            error.to_string(),
            "slot \"s\" is held by process 12, application \"headwater/shop\", from 10.0.0.7"
        );
    }
}
