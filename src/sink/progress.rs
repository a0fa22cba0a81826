//! What the threads around a producer know together: what is committed or acknowledged, what failed first, and whether the
//! writing thread waits for room. The first failure wins, for it is the cause of the others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

use super::acks::Acks;
use super::fault::kind_of;
use super::producer::{Failure, Producer, Report};
use super::wake::Wake;
use crate::error::{Error, Kind, Result};

pub(super) struct Progress {
    pub(super) acks: Acks,
    /// Transactions committed since the start.
    pub(super) commits: AtomicU64,
    /// The writing thread found the queue full; it is woken when records have left it.
    pub(super) starved: AtomicBool,
    /// The sink is being closed.
    pub(super) closing: AtomicBool,
    /// When the open transaction began.
    pub(super) opened: Mutex<Option<Instant>>,
    pub(super) wake: Wake,
    transactional: bool,
    transaction_timeout: Duration,
    failed: AtomicBool,
    failure: Mutex<Option<Error>>,
}

impl Progress {
    pub(super) fn new(wake: Wake, transactional: bool, transaction_timeout: Duration) -> Self {
        Self {
            acks: Acks::new(),
            commits: AtomicU64::new(0),
            starved: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            opened: Mutex::new(None),
            wake,
            transactional,
            transaction_timeout,
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    /// Keeps the first failure and wakes the writing thread.
    pub(super) fn fail(&self, error: Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() && !self.failed.load(Ordering::SeqCst) {
            *failure = Some(error);
        }
        drop(failure);
        self.failed.store(true, Ordering::SeqCst);
        self.wake.ring();
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// The first failure, once; after that only that there was one.
    pub(super) fn check(&self) -> Result<()> {
        if !self.has_failed() {
            return Ok(());
        }
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        Err(failure.unwrap_or_else(|| Error::new(Kind::SinkFatal, "the producer has failed before")))
    }

    /// One delivery report.
    pub(super) fn report(&self, report: &Report<'_>) {
        match report.failure {
            None if self.transactional => {}
            None => {
                if self.acks.acknowledge(report.batch as u64, 1) {
                    self.wake.ring();
                }
            }
            // Ours: the transaction is being aborted, or the sink closed.
            Some(Code::PurgeQueue | Code::PurgeInflight) => {}
            Some(code) => {
                let topic = report.topic.to_string_lossy();
                self.fail(refused(code, &topic, report.bytes, self.other()));
            }
        }
    }

    /// A failed transaction call as an error.
    pub(super) fn transaction_error(&self, producer: &Producer, failure: &Failure) -> Error {
        if failure.fatal || failure.code == Code::Fatal {
            return self.fatal(producer);
        }
        let kind = match kind_of(failure.code, Kind::SinkAbortable) {
            // An epoch that librdkafka can repair by itself; a real rival makes it fatal.
            Kind::SinkFenced => Kind::SinkAbortable,
            kind if failure.abortable || failure.retriable => kind,
            Kind::SinkAbortable => Kind::SinkFatal,
            kind => kind,
        };
        Error::new(kind, failure.text.clone())
    }

    /// The error that ended the producer.
    pub(super) fn fatal(&self, producer: &Producer) -> Error {
        let Some((code, text)) = producer.fatal_error() else {
            return Error::new(Kind::SinkFatal, "the producer cannot go on");
        };
        let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = fatal_kind(code, opened.map(|since| since.elapsed()), self.transaction_timeout);
        Error::new(kind, text)
    }

    pub(super) fn other(&self) -> Kind {
        if self.transactional { Kind::SinkAbortable } else { Kind::SinkFatal }
    }
}

/// The coordinator fences a producer whose transaction outlived its timeout with the very code for a rival: after an outage
/// that long a new producer may try again. A real rival fences that one in turn, within its first transaction.
fn fatal_kind(code: Code, open_for: Option<Duration>, timeout: Duration) -> Kind {
    match kind_of(code, Kind::SinkFatal) {
        Kind::SinkFenced if open_for.is_some_and(|open_for| open_for >= timeout) => Kind::SinkFatal,
        kind => kind,
    }
}

/// A record that librdkafka or a broker did not take.
pub(super) fn refused(code: Code, topic: &str, bytes: usize, other: Kind) -> Error {
    let kind = kind_of(code, other);
    let error =
        Error::new(kind, format!("a record of {bytes} bytes for topic {topic:?} was refused: {code}"));
    match kind {
        Kind::RecordTooLarge => error.with_hint(format!(
            "raise max.message.bytes of topic {topic:?} and kafka.properties.\"message.max.bytes\" above {bytes}, or exclude the column"
        )),
        Kind::SinkPrivilege => error.with_hint(format!("grant the user Write on topic {topic:?}")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_no_rival() {
        let timeout = Duration::from_secs(60);
        assert_eq!(fatal_kind(Code::Fenced, Some(Duration::from_secs(1)), timeout), Kind::SinkFenced);
        assert_eq!(fatal_kind(Code::Fenced, None, timeout), Kind::SinkFenced);
        assert_eq!(fatal_kind(Code::Fenced, Some(timeout), timeout), Kind::SinkFatal);
    }

    #[test]
    fn the_first_failure_is_told_once() {
        let progress = Progress::new(Wake::new().unwrap(), true, Duration::ZERO);
        progress.check().unwrap();
        progress.fail(refused(Code::MessageSizeTooLarge, "shop.public.t", 9_000_000, Kind::SinkAbortable));
        progress.fail(Error::new(Kind::SinkAbortable, "consequence"));
        let error = progress.check().unwrap_err();
        assert_eq!(error.kind(), Kind::RecordTooLarge);
        assert!(error.to_string().contains("shop.public.t") && error.hint().contains("9000000"));
        assert_eq!(progress.check().unwrap_err().kind(), Kind::SinkFatal);
        assert!(progress.wake.silence());
    }
}
