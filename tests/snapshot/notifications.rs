//! What `topics.notification` tells of snapshots that end and of those that do not. What each record looks like is compared with
//! Debezium's in `golden::notifications*`.

use super::*;

/// `type`, and `status` where there is one, of each notification.
#[track_caller]
fn told(db: &Db, kafka: &Kafka) -> Vec<String> {
    let topic = format!("{}.notes", db.name());
    let mut consumer = kafka.consumer(&topic);
    let records = consumer.read_to_end();
    let told = records.iter().map(|record| {
        assert_eq!((record.key_json()["id"].clone(), &record.topic), (record.json()["id"].clone(), &topic));
        let value = record.json();
        let status = value["additional_data"]["status"].as_str().unwrap_or_default();
        format!("{} {status}", value["type"].as_str().unwrap()).trim_end().to_owned()
    });
    told.collect()
}

const BEGUN: [&str; 3] = ["STARTED", "DATA_COLLECTIONS_RESOLVED", "IN_PROGRESS"];
const ENDED: [&str; 2] = ["TABLE_SCAN_COMPLETED SUCCEEDED", "COMPLETED"];

#[test]
fn an_interruption_and_a_start_without_a_snapshot_are_told() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec(
        "create table t (id int primary key, v text);
         insert into t select n, repeat('headwater ', 30) from generate_series(1, 60000) n",
    );
    let builder = daemon(&db, kafka).set("topics.notification", "{name}.notes");
    let mut daemon = builder.allow_log("taking another snapshot").spawn();
    daemon.wait_metric("headwater_snapshot_rows_total", |rows| rows > 2_000.0);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
    let first: Vec<&str> = BEGUN.into_iter().chain(["ABORTED"]).collect();
    assert_eq!(told(&db, kafka), first);
    daemon.resume();
    daemon.wait_ready();
    let second: Vec<&str> = first.into_iter().chain(BEGUN).chain(ENDED).collect();
    assert_eq!(told(&db, kafka), second);
    assert_eq!(daemon.terminate().code(), Some(0));
    daemon.resume();
    daemon.wait_ready();
    db.exec("insert into t values (0, 'streamed')");
    db.wait_confirmed(&slot(&db));
    let third: Vec<&str> = second.into_iter().chain(["SKIPPED"]).collect();
    assert_eq!(told(&db, kafka), third);
}

#[test]
fn a_table_that_the_database_refuses_is_told_without_transactions_too() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec(
        "create table t (id int primary key, v text); insert into t values (1, 'one');
         create table divisor (n int); insert into divisor values (0)",
    );
    let statement = "select id / (select n from divisor) as id, v from t";
    let overrides = toml::Table::from_iter([("public.t".to_owned(), statement.into())]);
    let mut daemon = daemon(&db, kafka)
        .set("kafka.delivery", "at_least_once")
        .set("source.tables", vec!["public.t"])
        .set("snapshot.select_statement_overrides", overrides)
        .set("topics.notification", "{name}.notes")
        .allow_log("division by zero")
        .allow_log("taking another snapshot")
        .spawn();
    daemon.wait_metric("headwater_errors_total", |errors| errors >= 1.0);
    db.exec("update divisor set n = 1");
    daemon.wait_ready();
    let told = told(&db, kafka);
    let refused: Vec<&str> =
        BEGUN.into_iter().chain(["TABLE_SCAN_COMPLETED SQL_EXCEPTION", "ABORTED"]).collect();
    assert_eq!(told[..5], refused);
    let read: Vec<&str> = BEGUN.into_iter().chain(ENDED).collect();
    assert_eq!(told[told.len() - 5..], read);
    assert_eq!(markers(records(&db, &mut reader(&db, kafka)).iter()), ["last"]);
}

#[test]
fn who_has_nothing_left_to_read_says_so() {
    let (db, kafka) = (Postgres::shared(18).database("snapshot"), Kafka::shared());
    db.exec("create table t (id int primary key); insert into t values (1)");
    let builder = daemon(&db, kafka).set("snapshot.mode", "only").set("topics.notification", "{name}.notes");
    let mut daemon = builder.spawn();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
    let once: Vec<&str> = BEGUN.into_iter().chain(ENDED).collect();
    assert_eq!(told(&db, kafka), once);
    daemon.resume();
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0), "{}", daemon.log());
    assert_eq!(told(&db, kafka), once.into_iter().chain(["SKIPPED"]).collect::<Vec<_>>());
}
