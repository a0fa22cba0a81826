//! Both ways of delivery write the same records, under the same ids.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Pipeline;
use crate::support::{ConsumedRecord, Daemon, Kafka};

#[test]
fn at_least_once_writes_what_exactly_once_writes() {
    let mut once = Pipeline::start("create table t (id int primary key, v text); create table u (id int)");
    let name = format!("{}-least", once.db.name());
    let _least = Daemon::builder(&once.db, Kafka::shared())
        .set("name", name.as_str())
        .set("checkpoint.interval", "1ms")
        .set("kafka.delivery", "at_least_once")
        .start();
    for batch in 0..10 {
        once.db.exec(&format!(
            "insert into t select i, 'v' from generate_series({batch} * 10, {batch} * 10 + 9) i;
             insert into u values ({batch}); update t set v = 'w' where id % 3 = 0; update t set id = -id - 1 where id = {batch} * 10;
             delete from t where id = {batch} * 10 + 1"
        ));
    }
    once.db.wait_confirmed(&format!("headwater_{}", name.replace('-', "_")));
    let mut consumer = Kafka::shared().consumer(&format!("{name}."));
    let least = by_id(consumer.read_to_end(), &name);
    let once = by_id(&once.records(), once.db.name());
    assert!(once.len() > 200);
    assert_eq!(least, once);
}

type Content = (String, Value, Value);

/// What must be the same, by `headwater.id`.
fn by_id(records: &[ConsumedRecord], name: &str) -> BTreeMap<String, Content> {
    let content = |record: &ConsumedRecord| {
        let mut value = record.json();
        if let Some(value) = value.as_object_mut() {
            // The name of the pipeline and its clock.
            value.retain(|field, _| !field.starts_with("ts_"));
            value.get_mut("source").map(|source| source["name"].take());
        }
        (record.topic.replace(name, ""), record.key_json(), value)
    };
    let by_id: BTreeMap<_, _> = records
        .iter()
        .map(|record| (record.header("headwater.id").unwrap().to_owned(), content(record)))
        .collect();
    assert_eq!(by_id.len(), records.len(), "no id comes twice");
    by_id
}
