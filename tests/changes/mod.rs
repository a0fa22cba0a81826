//! What becomes of changes, from SQL to what a consumer of the topics reads, on real servers.

mod bounds;
mod crud;
mod ddl;
mod delivery;
mod encodings;
mod heartbeats;
mod lines;
mod messages;
mod metadata;
mod samples;
mod selection;
mod streamed;
mod text;
mod toast;
mod topics;
mod transactions;
mod values;
mod versions;

use serde_json::Value;

use crate::support::daemon::Builder;
use crate::support::{ConsumedRecord, Consumer, Daemon, Db, Kafka, Postgres};

/// A database, a daemon and a reader of its topics. The daemon goes first: it would miss the database.
struct Pipeline {
    daemon: Daemon,
    consumer: Consumer,
    db: Db,
}

impl Pipeline {
    /// A streaming daemon on PostgreSQL 18, after `setup`.
    #[track_caller]
    fn start(setup: &str) -> Self {
        Self::with(setup, |builder| builder)
    }

    #[track_caller]
    fn with(setup: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(Postgres::shared(18), setup, configure)
    }

    #[track_caller]
    fn on(server: &Postgres, setup: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        Self::over(server.database("changes"), setup, configure)
    }

    #[track_caller]
    fn over(db: Db, setup: &str, configure: impl FnOnce(Builder) -> Builder) -> Self {
        db.exec(setup);
        let kafka = Kafka::shared();
        let builder = Daemon::builder(&db, kafka).set("checkpoint.interval", "1ms");
        let daemon = configure(builder).start();
        Self { daemon, consumer: kafka.consumer(&format!("{}.", db.name())), db }
    }

    /// The records of all topics since the last call, up to what the database has done by now.
    #[track_caller]
    fn records(&mut self) -> Vec<ConsumedRecord> {
        self.db.wait_confirmed(&self.slot());
        self.consumer.read_to_end();
        self.consumer.drain()
    }

    /// [`Pipeline::records`] of the table `public.t`.
    #[track_caller]
    fn events(&mut self) -> Vec<ConsumedRecord> {
        let topic = self.topic("t");
        self.records().into_iter().filter(|record| record.topic == topic).collect()
    }

    /// `op`, `before` and `after` of [`Pipeline::events`], without tombstones.
    #[track_caller]
    fn changes(&mut self) -> Vec<(String, Value, Value)> {
        let events = self.events().into_iter().filter(|record| !record.is_tombstone());
        events
            .map(|record| (record.op(), record.json()["before"].take(), record.json()["after"].take()))
            .collect()
    }

    /// `after` of [`Pipeline::events`].
    #[track_caller]
    fn rows(&mut self) -> Vec<Value> {
        self.changes().into_iter().map(|(_, _, after)| after).collect()
    }

    fn topic(&self, table: &str) -> String {
        format!("{}.public.{table}", self.db.name())
    }

    fn slot(&self) -> String {
        format!("headwater_{}", self.db.name())
    }

    /// Ends the daemon in good order, runs `meanwhile`, and starts it again.
    #[track_caller]
    fn while_stopped(&mut self, meanwhile: impl FnOnce(&Db)) {
        assert!(self.daemon.terminate().success());
        meanwhile(&self.db);
        self.daemon.resume();
        self.daemon.wait_ready();
    }
}

/// The parts of `headwater.id`: commit LSN and ordinal.
fn id(record: &ConsumedRecord) -> (u64, u64) {
    let parts: Vec<u64> =
        record.header("headwater.id").unwrap().split(':').map(|part| part.parse().unwrap()).collect();
    assert_eq!(parts.len(), 3);
    (parts[1], parts[2])
}
