//! One database over two slots, in groups of tables.

use std::collections::BTreeMap;

use super::{pipeline, several};
use crate::support::{ConsumedRecord, DEADLINE, Daemon, Kafka, Postgres, Session, wait_until};

const KEYS: i64 = 5;

/// Each transaction takes a step with a key of each of three tables.
fn step(session: &Session, number: i64) {
    let id = number % KEYS;
    session.exec(&format!(
        "begin; update a set v = v + 1 where id = {id}; update b set v = v + 1 where id = {id};
         update c set v = v + 1 where id = {id}; commit"
    ));
}

/// The values of each key of each table, in the order in which a reader of the topics gets them.
fn values(records: &[ConsumedRecord]) -> BTreeMap<(String, i64), Vec<i64>> {
    let mut values: BTreeMap<(String, i64), Vec<i64>> = BTreeMap::new();
    for record in records {
        let event = record.json();
        let number = |name: &str| event["after"][name].as_i64().unwrap();
        let key = (event["source"]["table"].as_str().unwrap().to_owned(), number("id"));
        values.entry(key).or_default().push(number("v"));
    }
    values
}

fn events(daemon: &Daemon) -> f64 {
    daemon
        .get("/metrics")
        .map_or(0.0, |_| daemon.metrics().get("headwater_events_total", &[]).unwrap_or_default())
}

#[test]
fn every_row_arrives_once_and_in_order_over_both() {
    let (db, kafka) = (Postgres::shared(18).database("groups"), Kafka::shared());
    for table in ["a", "b", "c"] {
        db.exec(&format!(
            "create table {table} (id int primary key, v bigint not null);
             insert into {table} select n, 0 from generate_series(0, {KEYS} - 1) n"
        ));
    }
    let topics = format!("topics.pattern = \"{}.{{schema}}.{{table}}\"", db.name());
    let names = ["one", "rest"].map(|group| format!("{}_{group}", db.name()));
    let groups = [
        pipeline(&db, &names[0], &format!("source.tables = [\"public.a\"]\n{topics}")),
        pipeline(
            &db,
            &names[1],
            &format!("source.tables = [\"public.*\"]\nsource.exclude_tables = [\"public.a\"]\n{topics}"),
        ),
    ];
    let mut daemon = several(kafka, &groups).start();
    let published =
        "select string_agg(pubname || ' ' || tablename, ', ' order by tablename) from pg_publication_tables";
    let expected = format!("headwater_{0} a, headwater_{1} b, headwater_{1} c", names[0], names[1]);
    assert_eq!(db.value(published), expected);

    let session = db.connect();
    let mut steps = 0..;
    let mut take = |count: usize| steps.by_ref().take(count).for_each(|number| step(&session, number));
    take(500);
    wait_until(DEADLINE, "first events", || events(&daemon) > 100.0);
    daemon.restart();
    take(500);
    wait_until(DEADLINE, "events after the crash", || events(&daemon) > 100.0);
    assert!(daemon.terminate().success(), "both drain: {}", daemon.log());
    take(500);
    daemon.resume();
    daemon.wait_ready();
    for name in &names {
        db.wait_confirmed(&format!("headwater_{name}"));
    }

    let mut consumer = kafka.consumer(&format!("{}.public.", db.name()));
    let each = 1500 / KEYS;
    let found = values(consumer.read_to_end());
    assert_eq!(found.len(), 3 * usize::try_from(KEYS).unwrap());
    for (key, values) in found {
        assert_eq!(values, (1..=each).collect::<Vec<_>>(), "{key:?}");
    }
    // One source transaction is two, as readers see it.
    let records = consumer.records();
    let of_last = records.iter().rev().map(|record| record.json()["transaction"].clone()).take(1);
    for transaction in of_last {
        let parts: Vec<_> = records
            .iter()
            .map(ConsumedRecord::json)
            .filter(|event| {
                event["transaction"]["id"].as_str().map(txid) == transaction["id"].as_str().map(txid)
            })
            .collect();
        let mut orders: Vec<_> = parts
            .iter()
            .map(|event| {
                (
                    event["source"]["table"].as_str().unwrap(),
                    event["transaction"]["total_order"].as_i64().unwrap(),
                )
            })
            .collect();
        orders.sort_unstable();
        assert_eq!(orders, [("a", 1), ("b", 1), ("c", 2)]);
    }
    for name in &names {
        let mut bounds = kafka.consumer(&format!("{name}.transaction"));
        let ends = bounds.read_to_end().iter().filter(|record| record.json()["status"] == "END").count();
        assert_eq!(ends, 1500, "{name}");
    }
    assert!(daemon.terminate().success());
}

/// The number of the source transaction in `transaction.id`.
fn txid(id: &str) -> &str {
    id.split(':').next().unwrap()
}
