//! The server's own state: version, settings that decide whether logical replication works, encoding, role. The system
//! identifier is not here: without privileges only the replication connection tells it
//! ([`Connection::identify_system`](super::Connection::identify_system)).

use crate::error::Result;

use super::sql::{Sql, value};
use super::version::ServerVersion;

/// What [`inspect`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    pub version: ServerVersion,
    pub database: String,
    /// `server_encoding` of the database, for example `UTF8` or `SQL_ASCII`.
    pub encoding: String,
    pub in_recovery: bool,
    pub wal_level: String,
    pub max_replication_slots: i64,
    pub max_wal_senders: i64,
    /// Bytes; none for unlimited, and before 13.
    pub max_slot_wal_keep_size: Option<i64>,
    pub slots_in_use: i64,
    pub wal_senders_in_use: i64,
    pub role: Role,
}

/// What the user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub name: String,
    pub superuser: bool,
    pub replication: bool,
    /// CREATE on the database, for a publication.
    pub may_create: bool,
}

/// Reads everything in one query.
pub async fn inspect(sql: &Sql) -> Result<System> {
    let rows = sql.query(QUERY, &[]).await.map_err(|error| error.context("inspect system"))?;
    let Some(row) = rows.first() else {
        return Err(crate::error::Error::new(crate::error::Kind::Internal, "a query of one row gave none"));
    };
    let keep_mib: Option<i64> = value(row, 6)?;
    Ok(System {
        version: sql.version(),
        database: value(row, 0)?,
        encoding: value(row, 1)?,
        in_recovery: value(row, 2)?,
        wal_level: value(row, 3)?,
        max_replication_slots: value(row, 4)?,
        max_wal_senders: value(row, 5)?,
        max_slot_wal_keep_size: keep_mib.filter(|mib| *mib >= 0).map(|mib| mib.saturating_mul(1024 * 1024)),
        slots_in_use: value(row, 7)?,
        wal_senders_in_use: value(row, 8)?,
        role: Role {
            name: value(row, 9)?,
            superuser: value(row, 10)?,
            replication: value(row, 11)?,
            may_create: value(row, 12)?,
        },
    })
}

/// `pg_settings` holds `max_slot_wal_keep_size` in MB; it has no row for it before 13.
const QUERY: &str = "
SELECT current_database()::text, current_setting('server_encoding'), pg_is_in_recovery(),
       current_setting('wal_level'), current_setting('max_replication_slots')::int8,
       current_setting('max_wal_senders')::int8,
       (SELECT setting::int8 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       (SELECT count(*) FROM pg_replication_slots),
       (SELECT count(*) FROM pg_stat_replication),
       r.rolname::text, r.rolsuper, r.rolreplication,
       has_database_privilege(current_database(), 'CREATE')
FROM pg_roles r WHERE r.rolname = current_user";
