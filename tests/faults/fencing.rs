//! Two daemons of one name: one works, the other waits for its end and takes over.

use std::time::{Duration, Instant};

use super::verify::Truth;
use super::{await_events, daemon, reader, restarts, workload};
use crate::support::{DEADLINE, Kafka, Postgres, wait_for, wait_until};

#[test]
fn the_second_waits_for_the_slot_and_takes_over() {
    let (db, kafka) = (Postgres::shared(18).database("faults"), Kafka::shared());
    workload::prepare(&db);
    let mut first = daemon(&db, kafka).start();
    let mut second = daemon(&db, kafka).spawn();
    let load = workload::begin(&db, 2, 40_000, 0.9);
    wait_until(DEADLINE, "attempts of the second", || restarts(&second) >= 3);
    let page = second.metrics();
    assert_eq!(page.get("headwater_state", &[("state", "waiting_for_slot")]), Some(1.0), "{}", second.log());
    assert_eq!(second.get("/healthz").unwrap().status, 200);
    assert_eq!(second.get("/readyz").unwrap().status, 503);
    let holder = db.value("select active_pid from pg_replication_slots where database = current_database()");
    let waits = wait_for(DEADLINE, "line that names the holder", || {
        second.log().lines().find(|line| line.contains("slot_busy")).map(str::to_owned)
    });
    for part in [format!("process {holder}"), format!("headwater/{}", db.name()), "127.0.0.1".to_owned()] {
        assert!(waits.contains(&part), "{part} in {waits}");
    }
    await_events(&first, 5_000);
    assert_eq!(restarts(&first), 0, "the first was fenced");
    first.kill();
    let killed = Instant::now();
    second.wait_ready();
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    load.finish();
    Truth::read(&db).exactly_once(&mut reader(&db, kafka));
    assert_eq!(second.terminate().code(), Some(0));
}
