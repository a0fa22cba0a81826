//! The only place that opens sockets to PostgreSQL, two for each pipeline and a few more for as long as a snapshot takes.
//!
//! The **replication connection** is a client of our own, synchronous, for the one thread that reads the stream:
//! [`Connection::open`] logs in, [`Connection::identify_system`] says which cluster this is, [`Connection::start`] makes
//! it a [`ReplicationStream`]; that one gives [`frame::Frame`]s out of a reused buffer and sends status updates. It
//! decides nothing: when to read and what to confirm is the pipeline's business.
//!
//! A **snapshot** is read on connections of that client as well, as many as are asked for: [`SnapshotReader`] gives the rows of
//! COPY. What is read is worked out in [`snapshot`].
//!
//! **Ordinary SQL** ([`Sql`]) is asynchronous, on tokio-postgres: [`system`], [`slot`], [`publication`], [`identity`] and [`catalog`]
//! read, and where allowed change, what their names say; [`check`] reports all that stands in the way.
//!
//! The order that matters: first [`publication::ensure`], then [`Connection::create_slot`], for a slot that is older than its
//! publication does not see it; then the stream. Both connections use the same TLS settings, log-in and pinned session.

mod auth;
mod binding;
pub mod catalog;
pub mod check;
mod commands;
mod connection;
mod copy;
mod deadline;
mod dial;
#[cfg(test)]
mod fixture;
pub mod frame;
pub mod identity;
mod inbox;
pub mod publication;
mod quote;
mod server_message;
pub mod slot;
pub mod snapshot;
mod sql;
mod stream;
pub mod system;
mod tls;
mod tls_stream;
mod verify;
mod version;
mod wire;

pub use commands::{CreatedSlot, Identity, NewSlot, SlotSnapshot};
pub use connection::{Connection, Rows};
pub use copy::{Copied, SnapshotReader, wait_for_any};
pub use inbox::Fill;
pub use sql::Sql;
pub use stream::{Ready, ReplicationStream, Status, StreamOptions};
pub use version::ServerVersion;

#[cfg(test)]
mod tests;
