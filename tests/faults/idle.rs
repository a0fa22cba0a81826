//! A captured database where nothing happens costs its server nothing.

use std::time::{Duration, Instant};

use super::{counter, daemon, reader, restarts, server, slot, workload};
use crate::support::{DEADLINE, Kafka, Postgres, Shutdown, wait_until};

/// The server keeps its log for the slowest slot, whatever database it is of.
#[test]
fn the_slot_of_an_idle_database_follows_its_busy_neighbour() {
    let (server, kafka) = (Postgres::shared(18), Kafka::shared());
    let (db, neighbour) = (server.database("faults"), server.database("faults"));
    workload::prepare(&db);
    neighbour.exec("create table t (v text)");
    let mut daemon = daemon(&db, kafka).set("checkpoint.interval", "300ms").start();
    for _ in 0..3 {
        neighbour.exec("insert into t select repeat('x', 1000) from generate_series(1, 1000)");
        let busy = neighbour.current_lsn();
        let reached = format!(
            "select confirmed_flush_lsn >= '{busy}' from pg_replication_slots where slot_name = '{}'",
            slot(&db)
        );
        wait_until(DEADLINE, "slot that follows", || db.value(&reached) == "t");
    }
    assert_eq!(reader(&db, kafka).read_to_end().len(), 0);
    assert_eq!(
        db.value(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        ),
        "4"
    );
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// The server ends a session that it has not heard of for `wal_sender_timeout`.
#[test]
fn an_idle_session_is_kept() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    workload::prepare(&db);
    let mut daemon =
        daemon(&db, kafka).set("source.wal_sender_timeout", "3s").set("source.status_interval", "1s").start();
    let walsender = format!("select active_pid from pg_replication_slots where slot_name = '{}'", slot(&db));
    let pid = db.value(&walsender);
    wait_until(DEADLINE, "status updates", || counter(&daemon, "headwater_status_updates_total") >= 6);
    // After half of it without a word from the server we ask for one.
    wait_until(DEADLINE, "keepalives", || counter(&daemon, "headwater_keepalives_total") >= 3);
    assert_eq!(db.value(&walsender), pid);
    assert_eq!(restarts(&daemon), 0);
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// The server asks for an answer, and shuts down when it says that all is flushed: the checkpoint is written at once.
#[test]
fn a_fast_shutdown_of_an_idle_server_is_fast() {
    let (server, kafka) = (server(), Kafka::shared());
    let db = server.database("faults");
    workload::prepare(&db);
    let mut daemon = daemon(&db, kafka).set("checkpoint.interval", "60s").start();
    db.exec("create table not_captured_yet (id int primary key)");
    let asked = Instant::now();
    server.stop(Shutdown::Fast);
    let took = asked.elapsed();
    server.resume();
    daemon.wait_ready();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(daemon.terminate().code(), Some(0));
}
