//! Topics as they are created, and the partition of a key.

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::Pipeline;
use crate::support::{Kafka, runtime};

#[test]
fn topics_are_created_as_the_configuration_says() {
    let mut pipeline = Pipeline::with("create table t (id int primary key)", |builder| {
        builder
            .set("topics.partitions", 3)
            .set("topics.settings", toml::toml! { "cleanup.policy" = "compact" "retention.ms" = 604_800_000 })
            .set("topics.pattern", "{name}.cdc-{table}")
    });
    pipeline.db.exec("insert into t values (1)");
    let topic = format!("{}.cdc-t", pipeline.db.name());
    assert!(pipeline.records().iter().any(|record| record.topic == topic));
    assert!(Kafka::shared().topics(&topic).contains(&(topic.clone(), 3)));
    assert_eq!(setting(&topic, "cleanup.policy"), "compact");
    assert_eq!(setting(&topic, "retention.ms"), "604800000");
}

#[test]
fn a_topic_that_exists_stays_as_it_is() {
    let db_topic = |name: &str| format!("{name}.public.t");
    let mut pipeline =
        Pipeline::with("create table t (id int primary key)", |builder| builder.set("topics.partitions", 3));
    // A second table's topic, made by somebody else before its first event.
    let topic = format!("{}.public.made", pipeline.db.name());
    Kafka::shared().create_topic(&topic, 2, &[]);
    pipeline.while_stopped(|db| db.exec("create table made (id int primary key)"));
    pipeline.db.exec("insert into made values (1); insert into t values (1)");
    assert!(pipeline.records().iter().any(|record| record.topic == topic));
    assert_eq!(Kafka::shared().topics(&topic), [(topic.clone(), 2)]);
    let other = db_topic(pipeline.db.name());
    assert_eq!(Kafka::shared().topics(&other), [(other.clone(), 3)]);
}

#[test]
fn keys_land_where_java_producers_put_them() {
    // From the tests of Kafka's own client.
    for (key, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ] {
        assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
    }
    let mut pipeline =
        Pipeline::with("create table t (id text primary key)", |builder| builder.set("topics.partitions", 7));
    pipeline.db.exec("insert into t select 'key ' || i from generate_series(1, 200) i");
    let events = pipeline.events();
    assert_eq!(events.len(), 200);
    for record in events {
        let hash = murmur2(record.key.as_deref().unwrap());
        assert_eq!(record.partition, (hash & i32::MAX) % 7);
    }
}

fn setting(topic: &str, name: &str) -> String {
    let admin: AdminClient<DefaultClientContext> = Kafka::shared().client_config().create().unwrap();
    let (wanted, options) = ([ResourceSpecifier::Topic(topic)], AdminOptions::new());
    let answer = admin.describe_configs(&wanted, &options);
    let resource = runtime().block_on(answer).unwrap().remove(0).unwrap();
    resource.get(name).and_then(|entry| entry.value.clone()).unwrap()
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ u32::try_from(data.len()).unwrap();
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    for (index, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * index);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    (hash ^ (hash >> 15)).cast_signed()
}
