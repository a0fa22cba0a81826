//! The two threads beside the one that writes. One serves librdkafka's events, without which a commit never ends; the
//! other waits for commits, which take some ten milliseconds and minutes while brokers are away. Closing goes the same
//! way, so that neither an outage nor an open transaction can hold up the end of the process.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{Span, debug, warn};

use super::producer::Producer;
use super::progress::Progress;
use crate::error::{Error, Kind, Result};

/// A producer with its threads. Dropping it closes the producer, or leaves it to close by itself when that takes long.
pub(super) struct Service {
    // Before `threads`: the last to hold the producer is the thread that closes it.
    producer: Producer,
    threads: Threads,
}

struct Threads {
    work: Option<Sender<Work>>,
    closed: Receiver<()>,
    progress: Arc<Progress>,
}

enum Work {
    Commit,
    /// librdkafka takes no more records into this transaction: end it and say so.
    GiveUp,
}

impl Service {
    pub(super) fn start(producer: Producer, progress: Arc<Progress>) -> Result<Self> {
        let failed =
            |error| Error::new(Kind::Internal, "no thread").with_source(error).context("start Kafka sink");
        let events = {
            let (producer, progress) = (producer.clone(), Arc::clone(&progress));
            let span = Span::current();
            let serve = move || span.in_scope(|| serve_events(&producer, &progress));
            thread::Builder::new().name("kafka-events".into()).spawn(serve).map_err(failed)?
        };
        let (work, queue) = channel();
        let (close, closed) = channel();
        let commits = Commits { producer: producer.clone(), progress: Arc::clone(&progress), events, close };
        let span = Span::current();
        thread::Builder::new()
            .name("kafka-commits".into())
            .spawn(move || span.in_scope(|| commits.run(&queue)))
            .map_err(failed)?;
        Ok(Self { producer, threads: Threads { work: Some(work), closed, progress } })
    }

    pub(super) fn producer(&self) -> &Producer {
        &self.producer
    }

    pub(super) fn progress(&self) -> &Progress {
        &self.threads.progress
    }

    pub(super) fn commit(&self) {
        self.hand_over(Work::Commit);
    }

    pub(super) fn give_up(&self) {
        self.hand_over(Work::GiveUp);
    }

    /// Asks to be woken when the queue has room again.
    pub(super) fn starve(&self) {
        if !self.threads.progress.starved.swap(true, Ordering::SeqCst) {
            self.producer.interrupt();
        }
    }

    fn hand_over(&self, work: Work) {
        if self.threads.work.as_ref().is_none_or(|queue| queue.send(work).is_err()) {
            self.progress().fail(Error::new(Kind::Internal, "the thread that commits has ended"));
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.progress.closing.store(true, Ordering::SeqCst);
        self.work = None;
        // Nothing is ever sent: the other end goes when all is closed.
        if self.closed.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            debug!("the Kafka producer is left to close by itself");
        }
    }
}

fn serve_events(producer: &Producer, progress: &Progress) {
    let watch = producer.watch().clone();
    let mut waiting = None;
    // The thread that commits ends this one, as closing needs events served until the end.
    while !producer.watch().is_closed() {
        let starved = progress.starved.load(Ordering::SeqCst);
        producer.serve(if starved { STARVED_POLL } else { IDLE_POLL }, |report| progress.report(report));
        if starved {
            let now = producer.queued();
            let (since, before) = *waiting.get_or_insert_with(|| (Instant::now(), now));
            // A queue that was emptied before we looked does not shrink any more: the time ends that wait.
            if now < before || since.elapsed() >= STARVED_LIMIT {
                waiting = None;
                progress.starved.store(false, Ordering::SeqCst);
                progress.wake.ring();
            }
        }
        if watch.take_fatal() {
            progress.fail(progress.fatal(producer));
        }
        if watch.is_suspect() && !progress.closing.load(Ordering::SeqCst) {
            if producer.probe(PROBE_TIMEOUT) { watch.answered() } else { watch.unanswered() }
        }
    }
}

struct Commits {
    producer: Producer,
    progress: Arc<Progress>,
    events: JoinHandle<()>,
    /// Dropped at the end: the other end then knows.
    close: Sender<()>,
}

impl Commits {
    fn run(self, queue: &Receiver<Work>) {
        while let Ok(work) = queue.recv() {
            match work {
                Work::Commit => self.commit(),
                Work::GiveUp => self.give_up(),
            }
        }
        self.close();
    }

    fn commit(&self) {
        loop {
            let asked = Instant::now();
            match self.producer.commit_transaction(COMMIT_SLICE) {
                Ok(()) => {
                    *self.progress.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    self.progress.commits.fetch_add(1, Ordering::SeqCst);
                    return self.progress.wake.ring();
                }
                Err(failure) if failure.retriable && !self.progress.closing.load(Ordering::SeqCst) => {
                    debug!(code = ?failure.code, "a Kafka commit takes longer");
                    if asked.elapsed() < COMMIT_SLICE / 2 {
                        thread::sleep(RETRY_PAUSE);
                    }
                }
                Err(failure) => {
                    if failure.abortable {
                        self.abort(ABORT_TIMEOUT);
                    }
                    let error = self.progress.transaction_error(&self.producer, &failure);
                    return self.progress.fail(error.context("commit Kafka transaction"));
                }
            }
        }
    }

    fn give_up(&self) {
        self.abort(ABORT_TIMEOUT);
        if !self.progress.has_failed() {
            self.progress.fail(Error::new(Kind::SinkAbortable, "the transaction takes no more records"));
        }
    }

    fn abort(&self, timeout: Duration) {
        match self.producer.abort_transaction(timeout) {
            Ok(()) => *self.progress.opened.lock().unwrap_or_else(PoisonError::into_inner) = None,
            Err(failure) => debug!(failure.text, "the transaction is left for the next producer to abort"),
        }
    }

    fn close(self) {
        let open = self.progress.opened.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if open && self.producer.watch().is_connected() && self.producer.fatal_error().is_none() {
            self.abort(CLOSE_ABORT_TIMEOUT);
        }
        self.producer.purge();
        self.producer.watch().close();
        self.producer.interrupt();
        if self.events.join().is_err() {
            warn!("the thread that serves Kafka events has ended early");
        }
        drop(self.producer);
        drop(self.close);
    }
}

/// A wait for events that nothing interrupts; they end it at once.
const IDLE_POLL: Duration = Duration::from_millis(100);
/// While the writing thread waits for room: no event says that records were sent.
const STARVED_POLL: Duration = Duration::from_millis(2);
const STARVED_LIMIT: Duration = Duration::from_millis(20);
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// A commit that takes longer is resumed; between two slices the thread sees that it should end.
const COMMIT_SLICE: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_millis(20);
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_ABORT_TIMEOUT: Duration = Duration::from_secs(2);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(4);
