//! Records into Kafka, exactly once or at least once. The thread that writes only copies records into librdkafka's queue;
//! commits and acknowledgements come from the threads of [`Service`] and are seen by `poll`. With exactly once a Kafka
//! transaction begins with the first record and ends with the checkpoint in it; otherwise each batch is a number that
//! comes back with every record's report.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::acks::Acks;
use super::client::Watch;
use super::cluster::connect_soon;
use super::context::ContextHeaders;
use super::interest::Interest;
use super::producer::{Headers, Message, Produced, Producer, Topic};
use super::progress::{Progress, refused};
use super::service::Service;
use super::spread::Spread;
use super::topics::{Purpose, Topics};
use super::wake::Wake;
use super::{BatchId, CheckpointMode, CheckpointRecord, InFlight, Sink, settings};
use crate::config::{Config, Delivery};
use crate::encode::{Record, Records};
use crate::error::{Error, Kind, Result};
use crate::event::TopicId;

/// The Kafka sink.
pub struct KafkaSink {
    // Before `service`: topic handles must go before the client they belong to.
    topics: Vec<Option<Target>>,
    checkpoint_topic: Target,
    service: Service,
    registry: Topics,
    context: ContextHeaders,
    mode: Mode,
    capacity: InFlight,
    spread: Spread,
    /// Of the batch that is open.
    open: InFlight,
    /// Closed batches whose checkpoint found the queue full.
    deferred: VecDeque<(BatchId, CheckpointRecord)>,
    /// Batches that were empty.
    empty: VecDeque<BatchId>,
}

struct Target {
    topic: Topic,
    name: String,
}

enum Mode {
    ExactlyOnce(Transaction),
    AtLeastOnce(Batches),
}

enum Transaction {
    None { commits: u64 },
    Open { commits: u64 },
    Committing { batch: BatchId, commits: u64 },
    Broken,
}

#[derive(Default)]
struct Batches {
    /// Number of the open batch in [`Acks`].
    number: u64,
    closed: VecDeque<Closed>,
    in_flight: InFlight,
}

struct Closed {
    number: u64,
    batch: BatchId,
    content: InFlight,
}

/// A producer that brokers have answered, and that has not touched anything yet: the first half of a [`KafkaSink`], for
/// those who have something to do meanwhile.
pub struct Connected {
    service: Service,
    interest: Interest,
    queue_bytes: u64,
}

impl Connected {
    /// Connects; blocks up to [`OPEN_TIMEOUT`]. See [`KafkaSink::open`].
    pub(crate) fn new(config: &Config, queue_bytes: u64, wake: Wake, interest: &Interest) -> Result<Self> {
        let exactly_once = config.kafka.delivery == Delivery::ExactlyOnce;
        let mut settings = settings::producer(config, queue_bytes)?;
        connect_soon(&mut settings);
        let producer = Producer::new(&settings, Watch::default())?;
        let progress = Arc::new(Progress::new(wake, exactly_once, settings::transaction_timeout(config)));
        let service = Service::start(producer, progress)?;
        // Also before a take-over: librdkafka waits for 500 ms when it has no connection to ask for the coordinator on. The
        // second answer comes from the broker itself, and not from the bootstrap address, which is let go of.
        for _ in 0..if exactly_once { 2 } else { 1 } {
            wait_for_broker(service.producer(), interest)?;
        }
        service.producer().watch().answered();
        Ok(Self { service, interest: interest.clone(), queue_bytes })
    }

    /// With exactly once, fences every other producer of the transactional id and ends what it left open: read the
    /// checkpoint after it.
    pub(crate) fn take_over(self, config: &Config) -> Result<Self> {
        if config.kafka.delivery == Delivery::ExactlyOnce {
            init_transactions(self.service.producer(), config, &self.interest)?;
        }
        Ok(self)
    }
}

impl KafkaSink {
    /// Connects. With exactly once this fences every other producer of the transactional id and ends what it left open,
    /// so read the checkpoint after it. Blocks up to [`OPEN_TIMEOUT`]. `queue_bytes` is the memory that records may take
    /// in librdkafka; `wake` rings whenever `poll` or `write` may have something new to say.
    pub fn open(config: &Config, queue_bytes: u64, wake: Wake) -> Result<Self> {
        let connected = Connected::new(config, queue_bytes, wake, &Interest::default())?.take_over(config)?;
        Topics::new(config)?.ensure(&[&config.checkpoint.topic], Purpose::Checkpoint)?;
        Self::new(connected, config)
    }

    /// After [`Connected::take_over`], when the checkpoint topic is there: a producer that asks for an absent one would make
    /// brokers create it in their own way.
    pub(crate) fn new(connected: Connected, config: &Config) -> Result<Self> {
        let exactly_once = config.kafka.delivery == Delivery::ExactlyOnce;
        let Connected { service, queue_bytes, .. } = connected;
        let registry = Topics::new(config)?;
        let name = config.checkpoint.topic.clone();
        let checkpoint_topic = Target { topic: service.producer().topic(&name)?, name };
        let capacity = settings::capacity(config, queue_bytes);
        Ok(Self {
            topics: Vec::new(),
            checkpoint_topic,
            service,
            registry,
            context: ContextHeaders::new(&config.name),
            mode: if exactly_once {
                Mode::ExactlyOnce(Transaction::None { commits: 0 })
            } else {
                Mode::AtLeastOnce(Batches::default())
            },
            capacity,
            spread: Spread::new(capacity.records),
            open: InFlight::default(),
            deferred: VecDeque::new(),
            empty: VecDeque::new(),
        })
    }

    /// Makes sure that all these topics exist, in one request; [`Sink::register_topic`] then finds them.
    pub fn prepare(&mut self, names: &[&str]) -> Result<()> {
        self.registry.ensure(names, Purpose::Events)
    }

    /// Makes a topic known that [`KafkaSink::prepare`] has seen; does not ask the cluster again.
    pub fn register_prepared(&mut self, topic: TopicId, name: &str) -> Result<()> {
        let index = topic.0 as usize;
        if self.topics.len() <= index {
            self.topics.resize_with(index + 1, || None);
        }
        let target = Target { topic: self.service.producer().topic(name)?, name: name.to_owned() };
        if let Some(place) = self.topics.get_mut(index) {
            *place = Some(target);
        }
        Ok(())
    }

    /// Whether a broker answered last time.
    pub fn connected(&self) -> Arc<AtomicBool> {
        self.service.producer().watch().connected()
    }

    /// Whether records are taken now; begins a transaction if need be.
    fn ready(&mut self) -> Result<bool> {
        if !self.deferred.is_empty() {
            return Ok(false);
        }
        match &mut self.mode {
            Mode::ExactlyOnce(Transaction::Open { .. }) => Ok(true),
            Mode::ExactlyOnce(transaction @ Transaction::None { .. }) => {
                let Transaction::None { commits } = *transaction else { return Ok(false) };
                let (producer, progress) = (self.service.producer(), self.service.progress());
                producer.begin_transaction().map_err(|failure| {
                    progress.transaction_error(producer, &failure).context("begin Kafka transaction")
                })?;
                *progress.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                *transaction = Transaction::Open { commits };
                Ok(true)
            }
            Mode::ExactlyOnce(_) => Ok(false),
            Mode::AtLeastOnce(batches) => Ok((batches.closed.len() as u64) < Acks::SLOTS - 1),
        }
    }

    /// The number that the reports of the open batch carry.
    fn number(&self) -> usize {
        match &self.mode {
            Mode::ExactlyOnce(_) => 0,
            Mode::AtLeastOnce(batches) => usize::try_from(batches.number).unwrap_or(0),
        }
    }

    /// Whether librdkafka took a record; not when its queue is full or the transaction has failed.
    fn judge(&mut self, produced: Produced, target: Option<TopicId>, bytes: usize) -> Result<bool> {
        match produced {
            Produced::Taken => {
                self.open.records += 1;
                self.open.bytes += bytes as u64;
                Ok(true)
            }
            Produced::QueueFull => {
                self.service.starve();
                Ok(false)
            }
            Produced::Refused(code) => self.judge_refusal(code, target, bytes),
        }
    }

    #[cold]
    fn judge_refusal(
        &mut self,
        code: rdkafka::error::RDKafkaErrorCode,
        target: Option<TopicId>,
        bytes: usize,
    ) -> Result<bool> {
        use rdkafka::error::RDKafkaErrorCode as Code;
        let (producer, progress) = (self.service.producer(), self.service.progress());
        progress.check()?;
        match code {
            Code::Fatal => Err(progress.fatal(producer).context("write to Kafka")),
            Code::State if matches!(self.mode, Mode::ExactlyOnce(_)) => {
                // The cause is on its way as the report of a record; ending the transaction brings it about.
                self.mode = Mode::ExactlyOnce(Transaction::Broken);
                self.service.give_up();
                Ok(false)
            }
            code => {
                let target = target.map_or(Some(&self.checkpoint_topic), |topic| {
                    self.topics.get(topic.0 as usize).and_then(Option::as_ref)
                });
                let name = target.map_or("", |target| target.name.as_str());
                Err(refused(code, name, bytes, progress.other()).context("write to Kafka"))
            }
        }
    }

    fn produce(&self, record: &Record<'_>, number: usize) -> Result<Produced> {
        let Some(target) = self.topics.get(record.topic.0 as usize).and_then(Option::as_ref) else {
            return Err(Error::new(Kind::Internal, format!("topic {} is not registered", record.topic.0)));
        };
        let message = Message { key: record.key, value: record.value, partition: None, batch: number };
        Ok(self.service.producer().produce(&target.topic, &message, self.headers(record)))
    }

    fn headers(&self, record: &Record<'_>) -> Option<Headers> {
        if !record.context && record.headers().next().is_none() {
            return None;
        }
        let mut headers = Headers::with_capacity(USUAL_HEADERS);
        self.context.for_each(record, |name, value| headers.add(name, value));
        Some(headers)
    }

    /// Puts a checkpoint behind the batch and closes both; false when the queue is full.
    fn close_with(&mut self, batch: BatchId, checkpoint: &CheckpointRecord) -> Result<bool> {
        if !self.ready_for_checkpoint()? {
            return Ok(false);
        }
        let message = Message {
            key: Some(checkpoint.key.as_bytes()),
            value: Some(&checkpoint.value),
            // The one that is read at the start, even if the topic was made with more.
            partition: Some(0),
            batch: self.number(),
        };
        let produced = self.service.producer().produce(&self.checkpoint_topic.topic, &message, None);
        let taken = self.judge(produced, None, checkpoint.key.len() + checkpoint.value.len())?;
        if taken {
            self.close(batch);
        }
        Ok(taken)
    }

    fn ready_for_checkpoint(&mut self) -> Result<bool> {
        let deferred = std::mem::take(&mut self.deferred);
        let ready = self.ready();
        self.deferred = deferred;
        ready
    }

    fn close(&mut self, batch: BatchId) {
        let content = std::mem::take(&mut self.open);
        match &mut self.mode {
            Mode::ExactlyOnce(transaction) => {
                if let Transaction::Open { commits } = *transaction {
                    *transaction = Transaction::Committing { batch, commits };
                    self.open = content;
                    self.service.commit();
                }
            }
            Mode::AtLeastOnce(batches) => {
                let number = batches.number;
                batches.number += 1;
                batches.in_flight.bytes += content.bytes;
                batches.in_flight.records += content.records;
                batches.closed.push_back(Closed { number, batch, content });
                if self.service.progress().acks.close(number, content.records) {
                    self.service.progress().wake.ring();
                }
            }
        }
    }

    fn is_committing(&self) -> bool {
        matches!(self.mode, Mode::ExactlyOnce(Transaction::Committing { .. }))
    }
}

impl Sink for KafkaSink {
    fn checkpoint_mode(&self) -> CheckpointMode {
        match self.mode {
            Mode::ExactlyOnce(_) => CheckpointMode::WithBatch,
            Mode::AtLeastOnce(_) => CheckpointMode::AfterBatch,
        }
    }

    fn register_topic(&mut self, topic: TopicId, name: &str) -> Result<()> {
        self.registry.ensure(&[name], Purpose::Events)?;
        self.register_prepared(topic, name)
    }

    fn write(&mut self, records: &Records, from: usize) -> Result<usize> {
        self.service.progress().check()?;
        if from >= records.len() || !self.ready()? {
            return Ok(from);
        }
        let number = self.number();
        let mut next = from;
        let mut room = self.spread.limit().saturating_sub(self.service.producer().queued() as u64);
        while let Some(record) = records.get(next) {
            if room == 0 {
                self.service.starve();
                break;
            }
            room -= 1;
            let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            let produced = self.produce(&record, number)?;
            if !self.judge(produced, Some(record.topic), bytes)? {
                break;
            }
            self.spread.add(record.topic);
            next += 1;
        }
        Ok(next)
    }

    fn commit(&mut self, batch: BatchId, checkpoint: Option<CheckpointRecord>) -> Result<()> {
        self.service.progress().check()?;
        if self.is_committing() {
            return Err(Error::new(Kind::Internal, "a batch was closed while another is being committed"));
        }
        match checkpoint {
            Some(checkpoint) => {
                if !self.deferred.is_empty() || !self.close_with(batch, &checkpoint)? {
                    self.deferred.push_back((batch, checkpoint));
                }
            }
            None if self.open.records == 0 => {
                self.empty.push_back(batch);
                self.service.progress().wake.ring();
            }
            None => self.close(batch),
        }
        Ok(())
    }

    fn poll(&mut self, durable: &mut dyn FnMut(BatchId)) -> Result<()> {
        self.service.progress().check()?;
        self.empty.drain(..).for_each(&mut *durable);
        while let Some((batch, checkpoint)) = self.deferred.pop_front() {
            if self.is_committing() || !self.close_with(batch, &checkpoint)? {
                self.deferred.push_front((batch, checkpoint));
                break;
            }
        }
        let progress = self.service.progress();
        match &mut self.mode {
            Mode::ExactlyOnce(transaction) => {
                if let Transaction::Committing { batch, commits } = *transaction {
                    let committed = progress.commits.load(Ordering::SeqCst);
                    assert!(committed <= commits + 1, "a commit that nobody asked for");
                    if committed == commits + 1 {
                        *transaction = Transaction::None { commits: committed };
                        self.open = InFlight::default();
                        durable(batch);
                    }
                }
            }
            Mode::AtLeastOnce(batches) => batches.retire(&progress.acks, durable),
        }
        Ok(())
    }

    fn capacity(&self) -> InFlight {
        self.capacity
    }

    fn in_flight(&self) -> InFlight {
        let closed = match &self.mode {
            Mode::ExactlyOnce(_) => InFlight::default(),
            Mode::AtLeastOnce(batches) => batches.in_flight,
        };
        InFlight { bytes: self.open.bytes + closed.bytes, records: self.open.records + closed.records }
    }
}

impl Batches {
    fn retire(&mut self, acks: &Acks, durable: &mut dyn FnMut(BatchId)) {
        while let Some(first) = self.closed.front() {
            if !acks.is_complete(first.number) {
                return;
            }
            acks.retire(first.number);
            self.in_flight.bytes -= first.content.bytes;
            self.in_flight.records -= first.content.records;
            durable(first.batch);
            self.closed.pop_front();
        }
    }
}

fn init_transactions(producer: &Producer, config: &Config, interest: &Interest) -> Result<()> {
    let id = &config.kafka.transactional_id;
    let begun = Instant::now();
    loop {
        let Err(failure) = producer.init_transactions(OPEN_SLICE) else { return Ok(()) };
        let error = if failure.retriable {
            match waited_enough(producer, begun, interest) {
                Some(error) => error,
                None => continue,
            }
        } else {
            let code = producer.fatal_error().map_or(failure.code, |(code, _)| code);
            Error::new(super::fault::kind_of(code, Kind::SinkFatal), failure.text)
        };
        let error = match error.kind() {
            Kind::SinkPrivilege => error.with_hint(format!("grant the user Write and Describe on transactional id {id:?}")),
            Kind::Config => error.with_hint(
                "lower kafka.properties.\"transaction.timeout.ms\" to at most the brokers' transaction.max.timeout.ms",
            ),
            _ => error,
        };
        return Err(error.context(format!("take over transactional id {id:?}")));
    }
}

fn wait_for_broker(producer: &Producer, interest: &Interest) -> Result<()> {
    let begun = Instant::now();
    while !producer.probe(OPEN_SLICE) {
        if let Some(error) = waited_enough(producer, begun, interest) {
            return Err(error.context("connect to Kafka"));
        }
    }
    Ok(())
}

/// Why no broker has answered since `begun`, once that is known well enough. Broken connections are told early, so that
/// whoever wrote a wrong address sees it soon; a broker that is only slow is given more time.
fn waited_enough(producer: &Producer, begun: Instant, interest: &Interest) -> Option<Error> {
    let limit = if producer.watch().last_error().is_some() { CONNECT_TIMEOUT } else { OPEN_TIMEOUT };
    let known = producer.watch().unreachable(OPEN_TIMEOUT);
    (known.kind() == Kind::SinkAuth || begun.elapsed() >= limit || interest.is_lost()).then_some(known)
}

const USUAL_HEADERS: usize = 8;
/// How long [`KafkaSink::open`] waits for a broker.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// The same while connections fail.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const OPEN_SLICE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use rdkafka::bindings::rd_kafka_resp_err_t as Code;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use rdkafka::types::RDKafkaApiKey;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;
    use crate::sink::sample;

    type Cluster = MockCluster<'static, DefaultProducerContext>;

    /// A broker with the topics already there, as the mock knows no CreateTopics.
    fn cluster(delivery: Delivery) -> (Cluster, Config) {
        let cluster = MockCluster::new(1).unwrap();
        let mut config = sample::config(&cluster.bootstrap_servers());
        config.kafka.delivery = delivery;
        for topic in [config.checkpoint.topic.as_str(), TOPIC] {
            cluster.create_topic(topic, 1, 1).unwrap();
        }
        (cluster, config)
    }

    fn open(config: &Config) -> (KafkaSink, Wake) {
        let wake = Wake::new().unwrap();
        let mut sink = KafkaSink::open(config, 16 * 1024 * 1024, wake.clone()).unwrap();
        sink.register_topic(TopicId(0), TOPIC).unwrap();
        (sink, wake)
    }

    fn checkpoint() -> CheckpointRecord {
        CheckpointRecord { key: "shop".into(), value: b"{}".to_vec() }
    }

    /// The next batch that is durable, or the failure.
    fn next(sink: &mut KafkaSink, wake: &Wake) -> Result<BatchId> {
        let mut batches = Vec::new();
        loop {
            sink.poll(&mut |batch| batches.push(batch))?;
            if let Some(batch) = batches.pop() {
                return Ok(batch);
            }
            let timeout = Timespec { tv_sec: 30, tv_nsec: 0 };
            let rung = poll(&mut [PollFd::new(wake, PollFlags::IN)], Some(&timeout)).unwrap();
            assert!(rung > 0, "nothing happened in 30 s");
            wake.silence();
        }
    }

    #[test]
    fn a_batch_is_durable_once() {
        for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
            let (_cluster, config) = cluster(delivery);
            let (mut sink, wake) = open(&config);
            let records = sample::records(true, &[("headwater.id", "1:2:3")], b"{}");
            let with_batch = sink.checkpoint_mode() == CheckpointMode::WithBatch;
            for batch in (1..4).map(BatchId) {
                assert_eq!(sink.write(&records, 0).unwrap(), 1);
                assert_eq!(sink.in_flight().records, 1);
                sink.commit(batch, with_batch.then(checkpoint)).unwrap();
                assert_eq!(next(&mut sink, &wake).unwrap(), batch);
                assert_eq!(sink.in_flight(), InFlight::default());
            }
            sink.commit(BatchId(4), Some(checkpoint())).unwrap();
            assert_eq!(next(&mut sink, &wake).unwrap(), BatchId(4));
            sink.commit(BatchId(5), None).unwrap();
            assert_eq!(next(&mut sink, &wake).unwrap(), BatchId(5));
        }
    }

    #[test]
    fn takes_nothing_while_committing() {
        let (cluster, config) = cluster(Delivery::ExactlyOnce);
        let (mut sink, wake) = open(&config);
        let records = sample::records(true, &[], b"{}");
        assert_eq!(sink.write(&records, 0).unwrap(), 1);
        cluster.broker_round_trip_time(1, Duration::from_millis(200)).unwrap();
        sink.commit(BatchId(0), Some(checkpoint())).unwrap();
        assert_eq!(sink.write(&records, 0).unwrap(), 0);
        assert_eq!(next(&mut sink, &wake).unwrap(), BatchId(0));
        assert_eq!(sink.write(&records, 0).unwrap(), 1);
    }

    #[test]
    fn a_failed_commit_says_what_cures() {
        for (code, kind) in [
            (Code::RD_KAFKA_RESP_ERR_PRODUCER_FENCED, Kind::SinkFenced),
            (Code::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Kind::SinkPrivilege),
            (Code::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, Kind::SinkAbortable),
        ] {
            let (cluster, config) = cluster(Delivery::ExactlyOnce);
            let (mut sink, wake) = open(&config);
            sink.write(&sample::records(false, &[], b"{}"), 0).unwrap();
            cluster.request_errors(RDKafkaApiKey::EndTxn, &[code]);
            sink.commit(BatchId(0), Some(checkpoint())).unwrap();
            let error = next(&mut sink, &wake).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
    }

    #[test]
    fn a_refused_record_names_its_topic() {
        for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
            let (cluster, config) = cluster(delivery);
            let (mut sink, wake) = open(&config);
            let refusal = [Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
            cluster.request_errors(RDKafkaApiKey::Produce, &refusal);
            sink.write(&sample::records(false, &[], b"{}"), 0).unwrap();
            // The failure may be known already.
            let error = match sink.commit(BatchId(0), None) {
                Ok(()) => next(&mut sink, &wake).unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(error.kind(), Kind::SinkPrivilege, "{error}");
            assert!(error.to_string().contains(TOPIC), "{error}");
        }
    }

    #[test]
    fn a_record_beyond_the_limit_is_refused_at_once() {
        let (_cluster, mut config) = cluster(Delivery::AtLeastOnce);
        config.kafka.properties.insert("message.max.bytes".into(), "2000".into());
        let (mut sink, _wake) = open(&config);
        let error = sink.write(&sample::records(false, &[], &[b'1'; 3000]), 0).unwrap_err();
        assert_eq!(error.kind(), Kind::RecordTooLarge);
        assert!(error.to_string().contains(TOPIC) && error.to_string().contains("3008"), "{error}");
    }

    #[test]
    fn a_full_queue_is_no_failure() {
        for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
            let (cluster, config) = cluster(delivery);
            let (mut sink, wake) = open(&config);
            cluster.broker_down(1).unwrap();
            let mut records = Records::default();
            (0..20_000).for_each(|_| sample::push(&mut records, false, &[], b"{}"));
            let taken = sink.write(&records, 0).unwrap();
            assert!(taken > 0 && taken < records.len(), "{taken}");
            assert_eq!(sink.write(&records, taken).unwrap(), taken);
            sink.commit(BatchId(0), Some(checkpoint())).unwrap();
            cluster.broker_up(1).unwrap();
            assert_eq!(next(&mut sink, &wake).unwrap(), BatchId(0));
            // Room is made when the reports of what was committed are served, which another thread does.
            let began = Instant::now();
            while sink.write(&records, taken).unwrap() == taken {
                assert!(began.elapsed() < Duration::from_secs(10), "no room");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn ends_soon_when_brokers_are_gone() {
        let (cluster, config) = cluster(Delivery::ExactlyOnce);
        let (mut sink, _wake) = open(&config);
        sink.write(&sample::records(false, &[], b"{}"), 0).unwrap();
        cluster.broker_down(1).unwrap();
        sink.commit(BatchId(0), Some(checkpoint())).unwrap();
        let began = Instant::now();
        drop(sink);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    const TOPIC: &str = "shop.public.t";
}
