//! What a start asks of the servers. Times are for docs/benchmarks.md; here it is counted, which a busy machine cannot move.

use crate::support::{DEADLINE, Daemon, Db, Kafka, Postgres, wait_until};

/// A start with many tables is as many questions as one with few, or a thousand tables would be a minute over a slow line.
#[test]
fn nothing_is_asked_per_table() {
    // Brokers of one's own: the proxy is theirs.
    let (server, kafka) = (Postgres::start(18, &[]), Kafka::start());
    let proxy = kafka.proxy();
    let [few, many] = [2, 300].map(|tables| {
        let db = server.database("start");
        create_tables(&db, tables);
        // Topics, publication, slot and checkpoint are there from the second start on.
        Daemon::builder(&db, &kafka).start().terminate();
        let (asked, accepted) = (statements(&server, &db), proxy.accepted());
        let mut daemon = Daemon::builder(&db, &kafka).brokers(proxy.address()).start();
        let page = daemon.metrics();
        for step in ["log_in", "publication", "stream", "kafka_connect", "kafka_take_over", "checkpoint"] {
            let took = page.get("headwater_start_step_seconds", &[("step", step)]);
            assert!(took.is_some_and(|took| took > 0.0), "{step}: {took:?}");
        }
        assert!(page.value("headwater_start_seconds") > 0.0);
        assert!(daemon.log().contains(&format!("\"tables\":{tables}")), "{}", daemon.log());
        let connections = proxy.accepted() - accepted;
        // By now all that the start asked is logged.
        assert_eq!(daemon.terminate().code(), Some(0));
        (statements(&server, &db) - asked, connections)
    });
    // The slot is looked at now and then, and a client may connect once more after it has learned of the broker.
    for (statements, connections) in [few, many] {
        assert!((5..=15).contains(&statements), "{statements} statements");
        assert!((3..=12).contains(&connections), "{connections} connections to brokers");
    }
}

/// A standby waits for hours: it must need nothing of the brokers meanwhile, and must not touch the publication.
#[test]
fn who_waits_for_the_slot_leaves_the_brokers_alone() {
    let (db, kafka) = (Postgres::shared(18).database("start"), Kafka::shared());
    create_tables(&db, 1);
    let mut first = Daemon::builder(&db, kafka).start();
    db.exec("create table another (id int primary key)");
    let mut second = Daemon::builder(&db, kafka).brokers("127.0.0.1:1").allow_log("slot_busy").spawn();
    wait_until(DEADLINE, "second that waits", || {
        let state = second.get("/metrics").ok();
        state.is_some_and(|page| page.body.contains("state=\"waiting_for_slot\"} 1"))
    });
    assert!(!second.log().contains("Kafka"), "{}", second.log());
    let published = "select count(*) from pg_publication_tables";
    assert_eq!(db.value(published), "1", "published by one that waits");
    assert_eq!(second.terminate().code(), Some(0));
    assert_eq!(first.terminate().code(), Some(0));
}

fn create_tables(db: &Db, tables: u32) {
    db.exec(&format!(
        "do $$ begin for i in 1..{tables} loop
         execute format('create table t_%s (id bigint primary key, v text, at timestamptz)', i); end loop; end $$;
         alter database {} set log_statement = 'all'",
        db.name()
    ));
}

/// What the daemon of this database has asked on its ordinary connections.
fn statements(server: &Postgres, db: &Db) -> usize {
    let of_the_daemon = format!("] headwater/{} LOG:", db.name());
    let is_one = |line: &&str| line.contains(&of_the_daemon) && line.contains("execute");
    server.log().lines().filter(is_one).count()
}
