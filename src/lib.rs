//! Headwater: change data capture from PostgreSQL to Kafka.
//!
//! ```text
//! source ──bytes──▶ decode ──messages──▶ event ──events──▶ encode ──records──▶ sink ──acks──▶ checkpoint
//!    ▲                                                                                           │
//!    └───────────────────────────── confirmed flush LSN ◀────────────────────────────────────────┘
//! ```
//!
//! A stage knows only the stages before it, whose values it receives; `run` alone knows them all. `decode`, `event`,
//! `encode` and the ledger in `checkpoint` are pure: bytes and time in, values out.

pub mod allocator;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod decode;
pub mod encode;
pub mod error;
pub mod event;
pub mod flat;
pub mod import;
pub mod lsn;
pub mod masks;
pub mod modes;
pub mod observe;
pub mod obstacle;
pub mod run;
pub mod sink;
pub mod source;
pub mod spool;
