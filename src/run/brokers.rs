//! The Kafka half of a start, on threads of its own, so that neither server is waited for while the other is asked. It
//! connects at once, which touches nothing, and then waits for the word that the PostgreSQL half has found the slot free:
//! only then topics are created, another producer is fenced, and, after that, the checkpoint is read.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tracing::Span;

use crate::checkpoint::Position;
use crate::checkpoint::store::Reader;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::event::TopicId;
use crate::run::steps::Steps;
use crate::sink::{Connected, Interest, KafkaSink, Purpose, Topics, Wake};

/// What is under way. Dropping it ends it.
pub(crate) struct Brokers {
    go: Sender<Vec<(TopicId, String)>>,
    outcome: Receiver<Result<Opened>>,
    interest: Interest,
}

/// What came of it.
pub(crate) struct Opened {
    pub sink: KafkaSink,
    pub checkpoint: Option<Position>,
    pub steps: Steps,
}

impl Brokers {
    /// Begins to connect. `queue_bytes` and `bell` as for [`KafkaSink::open`].
    pub(crate) fn connect(config: &Arc<Config>, queue_bytes: u64, bell: Wake) -> Result<Self> {
        let interest = Interest::default();
        let ((go, names), (done, outcome)) = (channel(), channel());
        let (config, wanted, span) = (Arc::clone(config), interest.clone(), Span::current());
        thread::Builder::new()
            .name("headwater-kafka".into())
            .spawn(move || {
                let _of_the_session = span.enter();
                // Nobody listens when the other half has failed.
                let _ = done.send(open(&config, (queue_bytes, bell), &wanted, &names));
            })
            .map_err(|error| {
                Error::new(Kind::Internal, "no thread to connect to Kafka").with_source(error)
            })?;
        Ok(Self { go, outcome, interest })
    }

    /// The slot is free: takes over and prepares these topics.
    pub(crate) fn take_over(&self, names: Vec<(TopicId, String)>) {
        // A thread that has failed already says so in `opened`.
        let _ = self.go.send(names);
    }

    /// Waits for the end of it.
    pub(crate) fn opened(self) -> Result<Opened> {
        self.outcome.recv().unwrap_or_else(|_| Err(panicked()))
    }
}

impl Drop for Brokers {
    fn drop(&mut self) {
        self.interest.lose();
    }
}

fn open(
    config: &Config,
    (queue_bytes, bell): (u64, Wake),
    interest: &Interest,
    names: &Receiver<Vec<(TopicId, String)>>,
) -> Result<Opened> {
    let mut steps = Steps::begin();
    let (connected, reader) =
        both(|| Connected::new(config, queue_bytes, bell, interest), || Reader::connect(config, interest))?;
    steps.done("kafka_connect");
    let Ok(names) = names.recv() else {
        reader.leave();
        return Err(Error::new(Kind::Internal, "the PostgreSQL half of the start has ended"));
    };
    steps.waited();
    let (connected, ()) = both(|| connected.take_over(config), || prepare(config, &reader, &names))?;
    steps.done("kafka_take_over");
    let mut sink = KafkaSink::new(connected, config)?;
    for (topic, name) in &names {
        sink.register_prepared(*topic, name)?;
    }
    steps.done("kafka_topics");
    let checkpoint = reader.read(config)?;
    reader.leave();
    steps.done("checkpoint");
    Ok(Opened { sink, checkpoint, steps })
}

fn prepare(config: &Config, reader: &Reader, names: &[(TopicId, String)]) -> Result<()> {
    let topics = Topics::new(config)?;
    topics.ensure_on(reader.cluster(), &[&config.checkpoint.topic], Purpose::Checkpoint)?;
    let names: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    topics.ensure_on(reader.cluster(), &names, Purpose::Events)
}

/// Runs both at once; the first one's failure is told first.
fn both<A: Send, B: Send>(
    first: impl FnOnce() -> Result<A> + Send,
    second: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    let span = Span::current();
    thread::scope(|scope| {
        let first = scope.spawn(|| span.in_scope(first));
        let second = span.in_scope(second);
        Ok((first.join().unwrap_or_else(|_| Err(panicked()))?, second?))
    })
}

fn panicked() -> Error {
    Error::new(Kind::Internal, "a thread that connects to Kafka panicked; see the log above")
}
