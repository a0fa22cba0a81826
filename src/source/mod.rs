//! The only place that opens sockets to PostgreSQL: the replication stream on a client of our own, ordinary SQL on
//! tokio-postgres.

pub mod catalog;
