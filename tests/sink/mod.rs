//! The Kafka sink and the checkpoint store against a real broker, without the stages before them.

use std::time::{Duration, Instant};

use headwater::checkpoint::{Position, store};
use headwater::config::{self, Config};
use headwater::encode::Records;
use headwater::error::{Kind, Policy, Result};
use headwater::event::TopicId;
use headwater::lsn::Lsn;
use headwater::sink::{BatchId, CheckpointRecord, KafkaSink, Sink as _, Wake, check};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::support::kafka::{ALICE, MALLORY};
use crate::support::{DEADLINE, Kafka, unique, wait_until};

#[test]
fn records_and_checkpoint_are_committed_as_one() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    let (mut sink, wake) = open(&config);
    assert_eq!(store::read(&config).unwrap(), None);
    assert_eq!(sink.write(&records(3), 0).unwrap(), 3);
    let mut reader = kafka.uncommitted_consumer(&config.name);
    reader.take(3);
    assert_eq!(kafka.consumer(&config.name).drain().len(), 0, "nothing is visible before the commit");
    sink.commit(BatchId(1), Some(checkpoint(&config, 7))).unwrap();
    assert_eq!(durable(&mut sink, &wake).unwrap(), BatchId(1));
    let mut reader = kafka.consumer(&config.name);
    let record = &reader.take(3)[0];
    let names: Vec<_> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
    let context = |name: &str| format!("__debezium.context.{name}");
    assert_eq!(names, ["connectorLogicalName", "taskId", "connectorName", "runId"].map(context));
    assert_eq!(record.header("__debezium.context.connectorLogicalName"), Some(config.name.as_str()));
    assert_eq!(store::read(&config).unwrap(), Some(position(7)));
}

#[test]
fn a_newer_instance_fences_the_older() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    let (mut old, wake) = open(&config);
    old.write(&records(2), 0).unwrap();
    kafka.uncommitted_consumer(&config.name).take(2);
    let (mut new, new_wake) = open(&config);
    let error = match old.commit(BatchId(1), Some(checkpoint(&config, 1))) {
        Ok(()) => durable(&mut old, &wake).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), Kind::SinkFenced, "{error}");
    assert_eq!(store::read(&config).unwrap(), None);
    new.write(&records(1), 0).unwrap();
    new.commit(BatchId(1), Some(checkpoint(&config, 2))).unwrap();
    durable(&mut new, &new_wake).unwrap();
    assert_eq!(kafka.consumer(&config.name).take(1).len(), 1);
    assert_eq!(store::read(&config).unwrap(), Some(position(2)));
}

#[test]
fn a_transaction_that_the_broker_gave_up_is_no_rival() {
    let kafka = Kafka::shared();
    let timeout = [("kafka.properties.\"transaction.timeout.ms\"", "1000")];
    let config = config(&kafka.brokers(), &timeout);
    let (mut sink, wake) = open(&config);
    sink.write(&records(2), 0).unwrap();
    kafka.uncommitted_consumer(&config.name).take(2);
    let neighbour: BaseProducer = kafka.client_config().create().unwrap();
    neighbour.send(BaseRecord::to(&topic(&config)).key("after").payload("{}")).unwrap();
    neighbour.flush(DEADLINE).unwrap();
    // It becomes visible when the broker has aborted the transaction before it.
    assert_eq!(kafka.consumer(&config.name).take(1)[0].key.as_deref(), Some(&b"after"[..]));
    let error = match sink.commit(BatchId(1), Some(checkpoint(&config, 1))) {
        Ok(()) => durable(&mut sink, &wake).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind().policy(), Policy::Retry, "{error:?}");
    drop(sink);
    let (mut sink, wake) = open(&config);
    sink.write(&records(2), 0).unwrap();
    sink.commit(BatchId(1), Some(checkpoint(&config, 1))).unwrap();
    assert_eq!(durable(&mut sink, &wake).unwrap(), BatchId(1));
    assert_eq!(kafka.consumer(&config.name).take(3).len(), 3);
}

#[test]
fn settings_that_do_not_fit_are_reported() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    let name = topic(&config);
    kafka.create_topic(&name, 1, &[("max.message.bytes", "1000")]);
    kafka.create_topic(&config.checkpoint.topic, 2, &[("cleanup.policy", "delete")]);
    for topic in [&name, &config.checkpoint.topic] {
        wait_until(DEADLINE, "topic", || !kafka.topics(topic).is_empty());
    }
    let obstacles = check::preflight(&config, &[&name]);
    let seen: Vec<_> = obstacles.iter().map(|obstacle| (obstacle.what.as_str(), obstacle.fatal)).collect();
    let checkpoint = format!("topic {}", config.checkpoint.topic);
    let events = format!("topic {name}");
    assert_eq!(seen, [(checkpoint.as_str(), false), (events.as_str(), false)], "{obstacles:?}");
}

#[test]
fn a_broker_that_comes_back_loses_nothing() {
    let kafka = Kafka::start();
    for delivery in ["exactly_once", "at_least_once"] {
        let config = config(&kafka.brokers(), &[("kafka.delivery", delivery)]);
        let (mut sink, wake) = open(&config);
        sink.write(&records(50), 0).unwrap();
        kafka.kill();
        sink.write(&records(50), 0).unwrap();
        let exactly_once = delivery == "exactly_once";
        sink.commit(BatchId(1), exactly_once.then(|| checkpoint(&config, 1))).unwrap();
        kafka.resume_stopped();
        assert_eq!(durable(&mut sink, &wake).unwrap(), BatchId(1));
        assert_eq!(kafka.consumer(&config.name).take(100).len(), 100);
    }
}

#[test]
fn a_record_too_large_for_the_topic_is_named() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[("topics.settings.\"max.message.bytes\"", "100")]);
    let (mut sink, wake) = open(&config);
    sink.write(&records(1000), 0).unwrap();
    let error = match sink.commit(BatchId(1), Some(checkpoint(&config, 1))) {
        Ok(()) => durable(&mut sink, &wake).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.kind(), Kind::RecordTooLarge);
    assert!(error.to_string().contains(&topic(&config)), "{error}");
}

#[test]
fn the_checkpoint_is_found_behind_a_busy_neighbour() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    let (mut sink, wake) = open(&config);
    sink.commit(BatchId(1), Some(checkpoint(&config, 5))).unwrap();
    durable(&mut sink, &wake).unwrap();
    let neighbour: BaseProducer = kafka.client_config().create().unwrap();
    for number in 0..5000 {
        let record = BaseRecord::to(&config.checkpoint.topic).key("neighbour").payload("{}");
        neighbour.send(record).unwrap_or_else(|(error, _)| panic!("record {number}: {error}"));
    }
    neighbour.flush(DEADLINE).unwrap();
    assert_eq!(store::read(&config).unwrap(), Some(position(5)));
}

#[test]
fn a_neighbours_open_transaction_is_waited_for() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    let (mut sink, wake) = open(&config);
    let neighbour: BaseProducer =
        kafka.client_config().set("transactional.id", unique("neighbour")).create().unwrap();
    neighbour.init_transactions(DEADLINE).unwrap();
    neighbour.begin_transaction().unwrap();
    neighbour.send(BaseRecord::to(&config.checkpoint.topic).key("neighbour").payload("{}")).unwrap();
    neighbour.flush(DEADLINE).unwrap();
    sink.commit(BatchId(1), Some(checkpoint(&config, 9))).unwrap();
    durable(&mut sink, &wake).unwrap();
    let (reading, read) = std::sync::mpsc::channel();
    let reader = config.clone();
    std::thread::spawn(move || reading.send(store::read(&reader)));
    assert!(read.recv_timeout(Duration::from_millis(500)).is_err(), "read past an open transaction");
    neighbour.commit_transaction(DEADLINE).unwrap();
    assert_eq!(read.recv_timeout(DEADLINE).unwrap().unwrap(), Some(position(9)));
}

#[test]
fn what_is_no_checkpoint_is_located() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    let (mut sink, wake) = open(&config);
    let nonsense = CheckpointRecord { key: config.name.clone(), value: b"nonsense".to_vec() };
    sink.commit(BatchId(1), Some(nonsense)).unwrap();
    durable(&mut sink, &wake).unwrap();
    let error = store::read(&config).unwrap_err();
    assert_eq!(error.kind(), Kind::Checkpoint);
    assert!(error.to_string().contains("offset"), "{error}");
}

#[test]
fn five_hundred_topics_are_created_at_once() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[("topics.partitions", "2")]);
    let (mut sink, _wake) = open(&config);
    let names: Vec<_> = (0..500).map(|number| format!("{}.many.t{number}", config.name)).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let began = Instant::now();
    sink.prepare(&names).unwrap();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let topics = kafka.topics(&format!("{}.many", config.name));
    assert_eq!((topics.len(), topics[0].1), (500, 2));
}

#[test]
fn a_topic_that_may_not_be_created_is_named() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[("topics.create", "false")]);
    let mut sink = KafkaSink::open(&config, QUEUE_BYTES, Wake::new().unwrap()).unwrap();
    let error = sink.register_topic(TopicId(0), "absent").unwrap_err();
    assert_eq!(error.kind(), Kind::Topic);
    assert!(error.hint().contains("absent"));
}

#[test]
fn a_wrong_password_is_told_soon() {
    let kafka = Kafka::secured();
    let began = Instant::now();
    let config = config(&kafka.sasl_brokers(), &sasl((ALICE.0, "wrong")));
    let error = KafkaSink::open(&config, QUEUE_BYTES, Wake::new().unwrap()).err().unwrap();
    assert_eq!(error.kind(), Kind::SinkAuth, "{error}");
    assert!(!error.to_string().contains("wrong"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let obstacles = check::preflight(&config, &[]);
    assert!(obstacles.iter().any(|obstacle| obstacle.fatal), "{obstacles:?}");
}

#[test]
fn missing_rights_are_named() {
    let kafka = Kafka::secured();
    let allowed = config(&kafka.sasl_brokers(), &sasl(ALICE));
    assert_eq!(check::preflight(&allowed, &[&topic(&allowed)]), []);
    let denied = config(&kafka.sasl_brokers(), &sasl(MALLORY));
    let error = KafkaSink::open(&denied, QUEUE_BYTES, Wake::new().unwrap()).err().unwrap();
    assert_eq!(error.kind(), Kind::SinkPrivilege, "{error}");
    assert!(error.hint().contains(&denied.kafka.transactional_id), "{}", error.hint());
    let obstacles = check::preflight(&denied, &[]);
    assert!(
        obstacles.iter().any(|obstacle| obstacle.fatal && obstacle.repair.contains("grant")),
        "{obstacles:?}"
    );
}

#[test]
fn the_check_finds_nothing_wrong_and_creates_nothing() {
    let kafka = Kafka::shared();
    let config = config(&kafka.brokers(), &[]);
    assert_eq!(check::preflight(&config, &[&topic(&config)]), []);
    assert_eq!(kafka.topics(&config.name), []);
}

const QUEUE_BYTES: u64 = 16 * 1024 * 1024;

fn config(brokers: &str, overrides: &[(&str, &str)]) -> Config {
    let name = unique("sink");
    let mut settings = vec![
        ("name".to_owned(), name.clone()),
        ("source.user".to_owned(), "nobody".to_owned()),
        ("kafka.brokers".to_owned(), brokers.to_owned()),
        ("checkpoint.topic".to_owned(), format!("checkpoints_{name}")),
    ];
    settings.extend(overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let options = config::LoadOptions { overrides: settings, ..config::LoadOptions::default() };
    config::load(&options).unwrap().pipelines.remove(0)
}

fn sasl((user, password): (&'static str, &'static str)) -> [(&'static str, &'static str); 4] {
    [
        ("kafka.properties.\"security.protocol\"", "sasl_plaintext"),
        ("kafka.properties.\"sasl.mechanism\"", "SCRAM-SHA-256"),
        ("kafka.properties.\"sasl.username\"", user),
        ("kafka.properties.\"sasl.password\"", password),
    ]
}

fn topic(config: &Config) -> String {
    format!("{}.public.t", config.name)
}

fn open(config: &Config) -> (KafkaSink, Wake) {
    let wake = Wake::new().unwrap();
    let mut sink = KafkaSink::open(config, QUEUE_BYTES, wake.clone()).unwrap();
    sink.register_topic(TopicId(0), &topic(config)).unwrap();
    (sink, wake)
}

fn records(count: usize) -> Records {
    let mut records = Records::default();
    for number in 0..count {
        let start = records.byte_len();
        records.buffer().extend_from_slice(format!("{{\"id\":{number}}}").as_bytes());
        let end = records.byte_len();
        records.push(TopicId(0), true, Some(start..end), Some(start..end), end..end);
    }
    records
}

fn position(lsn: u64) -> Position {
    Position {
        system_id: 1,
        timeline: 1,
        slot: "s".into(),
        end_lsn: Lsn(lsn),
        last_commit_end_lsn: None,
        partial: None,
        snapshot: None,
    }
}

fn checkpoint(config: &Config, lsn: u64) -> CheckpointRecord {
    CheckpointRecord { key: config.name.clone(), value: position(lsn).to_json(0) }
}

/// The next batch that is durable, or the failure.
fn durable(sink: &mut KafkaSink, wake: &Wake) -> Result<BatchId> {
    let mut batches = Vec::new();
    loop {
        sink.poll(&mut |batch| batches.push(batch))?;
        if let Some(batch) = batches.pop() {
            return Ok(batch);
        }
        let timeout = Timespec { tv_sec: 60, tv_nsec: 0 };
        let rung = poll(&mut [PollFd::new(wake, PollFlags::IN)], Some(&timeout)).unwrap();
        assert!(rung > 0, "nothing happened in a minute");
        wake.silence();
    }
}
