//! A safe skin over the calls of librdkafka that the `rdkafka` crate makes too slow.
//! Measured: the crate looks a topic up by name under a lock for each record and allocates for its name; its
//! `commit_transaction` and `flush` wait in slices of 100 ms. Here records go to topic handles, and a commit returns when
//! it is done, because another thread serves the events.

#![allow(
    unsafe_code,
    reason = "librdkafka's topic handles and transaction calls have no safe binding that is fast enough"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext as _;
use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_vtype_t as VType;
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::types::{RDKafkaRespErr, RDKafkaType};

use super::client::Watch;
use super::fault::from_kafka;
use crate::error::{Error, Kind, Result};

/// A producer; clones are the same one, and the last one to go closes it.
#[derive(Clone)]
pub(super) struct Producer(Arc<Native>);

struct Native {
    client: Client<Watch>,
    queue: *mut sys::rd_kafka_queue_t,
}

/// A topic of a producer, found once.
pub(super) struct Topic {
    native: *mut sys::rd_kafka_topic_t,
    producer: Producer,
}

/// Headers of one record that is not produced yet.
pub(super) struct Headers(*mut sys::rd_kafka_headers_t);

/// What a record is made of; `batch` comes back with its report.
pub(super) struct Message<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    /// Chosen by the key if none.
    pub(super) partition: Option<i32>,
    pub(super) batch: usize,
}

/// What became of a record handed to librdkafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Produced {
    Taken,
    QueueFull,
    Refused(Code),
}

/// The fate of one record.
pub(super) struct Report<'a> {
    pub(super) batch: usize,
    pub(super) failure: Option<Code>,
    pub(super) topic: &'a CStr,
    /// Of key and value.
    pub(super) bytes: usize,
}

/// What a transaction call answered.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) text: String,
    pub(super) fatal: bool,
    pub(super) retriable: bool,
    pub(super) abortable: bool,
}

// SAFETY: librdkafka's objects may be used from any thread at any time ("librdkafka is completely thread safe",
// INTRODUCTION.md); the queue is only ever polled and yielded.
unsafe impl Send for Native {}
// SAFETY: as above.
unsafe impl Sync for Native {}
// SAFETY: a topic handle is reference-counted inside librdkafka and may be used from any thread.
unsafe impl Send for Topic {}

impl Producer {
    /// Creates the client. Nothing is sent yet but the first connection.
    pub(super) fn new(settings: &ClientConfig, watch: Watch) -> Result<Self> {
        let failed = |error: KafkaError| from_kafka(&error, Kind::Config).context("create Kafka producer");
        let native = settings.create_native_config().map_err(failed)?;
        let events = sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR;
        // SAFETY: `native` owns a valid configuration for the length of the call.
        unsafe { sys::rd_kafka_conf_set_events(native.ptr(), events) };
        let client = Client::new(settings, native, RDKafkaType::RD_KAFKA_PRODUCER, watch).map_err(failed)?;
        // SAFETY: the client is valid; the reference to its main queue is given back in `Native::drop`, before the client.
        let queue = unsafe { sys::rd_kafka_queue_get_main(client.native_ptr()) };
        Ok(Self(Arc::new(Native { client, queue })))
    }

    pub(super) fn watch(&self) -> &Watch {
        self.0.client.context()
    }

    /// The error that ended this producer for good.
    pub(super) fn fatal_error(&self) -> Option<(Code, String)> {
        self.0.client.fatal_error()
    }

    /// Finds a topic, whether it exists or not.
    pub(super) fn topic(&self, name: &str) -> Result<Topic> {
        let bad = || Error::new(Kind::Topic, format!("topic {name:?} has no legal name"));
        let text = CString::new(name).map_err(|_| bad())?;
        // SAFETY: client and text are valid; a null configuration stands for the client's own.
        let native = unsafe { sys::rd_kafka_topic_new(self.native(), text.as_ptr(), ptr::null_mut()) };
        if native.is_null() { Err(bad()) } else { Ok(Topic { native, producer: self.clone() }) }
    }

    /// Copies a record into the queue. Never blocks.
    pub(super) fn produce(&self, topic: &Topic, message: &Message<'_>, headers: Option<Headers>) -> Produced {
        debug_assert!(Arc::ptr_eq(&self.0, &topic.producer.0));
        let (key, key_len) = part(message.key);
        let (value, value_len) = part(message.value);
        let native_headers = headers.as_ref().map_or(ptr::null_mut(), |headers| headers.0);
        // SAFETY: the topic handle is of this client. Each tag is followed by arguments of the types that
        // rd_kafka_producev documents for it. Key and value outlive the call, which copies them (F_COPY). The headers
        // pass to librdkafka when the call succeeds and stay ours when it fails.
        let code = unsafe {
            sys::rd_kafka_producev(
                self.native(),
                VType::RD_KAFKA_VTYPE_RKT,
                topic.native,
                VType::RD_KAFKA_VTYPE_PARTITION,
                message.partition.unwrap_or(BY_KEY),
                VType::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                VType::RD_KAFKA_VTYPE_VALUE,
                value,
                value_len,
                VType::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                VType::RD_KAFKA_VTYPE_OPAQUE,
                message.batch as *mut c_void,
                VType::RD_KAFKA_VTYPE_HEADERS,
                native_headers,
                VType::RD_KAFKA_VTYPE_END,
            )
        };
        match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                std::mem::forget(headers);
                Produced::Taken
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL => Produced::QueueFull,
            code => Produced::Refused(code.into()),
        }
    }

    /// Waits for one event and handles it: delivery reports go to `report`, errors and log lines to the [`Watch`].
    pub(super) fn serve(&self, timeout: Duration, mut report: impl FnMut(&Report<'_>)) {
        // SAFETY: the queue lives as long as the client.
        let event = unsafe { sys::rd_kafka_queue_poll(self.0.queue, millis(timeout)) };
        if event.is_null() {
            return;
        }
        // SAFETY: `event` is valid until it is destroyed at the end, and only read by the accessors of its own type;
        // the texts and messages that they return belong to the event and are not kept.
        unsafe {
            match sys::rd_kafka_event_type(event) {
                sys::RD_KAFKA_EVENT_DR => loop {
                    let message = sys::rd_kafka_event_message_next(event);
                    let Some(message) = message.as_ref() else { break };
                    let failed = message.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
                    report(&Report {
                        batch: message._private as usize,
                        failure: failed.then(|| message.err.into()),
                        topic: CStr::from_ptr(sys::rd_kafka_topic_name(message.rkt)),
                        bytes: message.len + message.key_len,
                    });
                },
                sys::RD_KAFKA_EVENT_ERROR => {
                    let code = sys::rd_kafka_event_error(event);
                    let text = text(sys::rd_kafka_event_error_string(event));
                    self.watch().error(KafkaError::Global(code.into()), &text);
                }
                sys::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut line, mut level) = (ptr::null(), ptr::null(), 0);
                    if sys::rd_kafka_event_log(event, &raw mut facility, &raw mut line, &raw mut level) == 0 {
                        self.watch().log(log_level(level), &text(facility), &text(line));
                    }
                }
                _ => {}
            }
            sys::rd_kafka_event_destroy(event);
        }
    }

    /// Makes a [`Producer::serve`] that waits return.
    pub(super) fn interrupt(&self) {
        // SAFETY: the queue lives as long as the client.
        unsafe { sys::rd_kafka_queue_yield(self.0.queue) };
    }

    /// Whether a broker answers a request for metadata.
    pub(super) fn probe(&self, timeout: Duration) -> bool {
        let mut metadata = ptr::null();
        // SAFETY: the client is valid; no topic is named; what is answered is destroyed once.
        unsafe {
            let code =
                sys::rd_kafka_metadata(self.native(), 0, ptr::null_mut(), &raw mut metadata, millis(timeout));
            if !metadata.is_null() {
                sys::rd_kafka_metadata_destroy(metadata);
            }
            code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    /// Records in the queue, under way, or reported and not yet served.
    pub(super) fn queued(&self) -> usize {
        // SAFETY: the client is valid.
        usize::try_from(unsafe { sys::rd_kafka_outq_len(self.native()) }).unwrap_or(0)
    }

    /// Gives up all records that are not acknowledged.
    pub(super) fn purge(&self) {
        let all = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is valid. The answer only says whether the flags are legal.
        let _ = unsafe { sys::rd_kafka_purge(self.native(), all) };
    }

    /// Fences other producers of the transactional id and ends what they left open.
    pub(super) fn init_transactions(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: the client is valid; the answer is an error of ours to destroy, or null.
        unsafe { answer(sys::rd_kafka_init_transactions(self.native(), millis(timeout))) }
    }

    pub(super) fn begin_transaction(&self) -> Result<(), Failure> {
        // SAFETY: as in `init_transactions`.
        unsafe { answer(sys::rd_kafka_begin_transaction(self.native())) }
    }

    /// Waits until all records are acknowledged and the transaction is committed. A retriable failure (the time was up)
    /// is resumed by calling again.
    pub(super) fn commit_transaction(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: as in `init_transactions`.
        unsafe { answer(sys::rd_kafka_commit_transaction(self.native(), millis(timeout))) }
    }

    pub(super) fn abort_transaction(&self, timeout: Duration) -> Result<(), Failure> {
        // SAFETY: as in `init_transactions`.
        unsafe { answer(sys::rd_kafka_abort_transaction(self.native(), millis(timeout))) }
    }

    fn native(&self) -> *mut sys::rd_kafka_t {
        self.0.client.native_ptr()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: the reference taken in `Producer::new`, given back once; the client is destroyed after this.
        unsafe { sys::rd_kafka_queue_destroy(self.queue) };
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the reference taken in `Producer::topic`, given back once; `producer` keeps the client until after.
        unsafe { sys::rd_kafka_topic_destroy(self.native) };
    }
}

impl Headers {
    /// Room for `count` headers; more may be added.
    pub(super) fn with_capacity(count: usize) -> Self {
        // SAFETY: allocates, and aborts when it cannot.
        Self(unsafe { sys::rd_kafka_headers_new(count) })
    }

    pub(super) fn add(&mut self, name: &[u8], value: Option<&[u8]>) {
        let (value, value_len) = part(value);
        // SAFETY: both parts are valid for the lengths given, which are never the -1 that stands for "up to the NUL",
        // and are copied; a value may be null.
        unsafe {
            sys::rd_kafka_header_add(
                self.0,
                name.as_ptr().cast::<c_char>(),
                length(name),
                value,
                isize::try_from(value_len).unwrap_or(isize::MAX),
            );
        }
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: ours, as librdkafka did not take them (`produce` forgets those that it took).
        unsafe { sys::rd_kafka_headers_destroy(self.0) };
    }
}

/// Null is an absent key or value; an empty one has an address.
fn part(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast::<c_void>(), bytes.len()))
}

/// A slice is never longer than `isize::MAX`.
fn length(bytes: &[u8]) -> isize {
    isize::try_from(bytes.len()).unwrap_or(isize::MAX)
}

fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// # Safety
/// `error` is null or an error that the caller owns; it is destroyed here.
unsafe fn answer(error: *mut sys::rd_kafka_error_t) -> Result<(), Failure> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, and valid until destroyed in the last line.
    unsafe {
        let failure = Failure {
            code: sys::rd_kafka_error_code(error).into(),
            text: text(sys::rd_kafka_error_string(error)),
            fatal: sys::rd_kafka_error_is_fatal(error) != 0,
            retriable: sys::rd_kafka_error_is_retriable(error) != 0,
            abortable: sys::rd_kafka_error_txn_requires_abort(error) != 0,
        };
        sys::rd_kafka_error_destroy(error);
        Err(failure)
    }
}

/// # Safety
/// `text` is null or a C string that outlives the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, as the caller promises a C string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}

/// syslog(3) levels.
fn log_level(level: c_int) -> RDKafkaLogLevel {
    match level {
        i32::MIN..=3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}

/// `RD_KAFKA_PARTITION_UA`: the partitioner decides.
const BY_KEY: i32 = -1;
