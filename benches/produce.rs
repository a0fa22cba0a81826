//! What it costs to hand records to librdkafka: `cargo bench --bench produce`, against a real broker.
//!
//! `produce` by topic name, to a topic handle held for it, and in batches; over 1, 50 and 500 topics; then, to one topic,
//! compression, `linger.ms` and `batch.size`. Each row sends the same records, as Debezium's envelope with Headwater's seven
//! headers, and waits until all are acknowledged. Rows alternate in rounds, of which the first is for the broker to warm up;
//! medians are printed. CPU time is that of this process, librdkafka's threads included.
#![allow(unsafe_code, reason = "the calls that are compared are librdkafka's own")]
#![allow(clippy::print_stdout, clippy::panic, reason = "a command that prints a table, or fails")]

use std::ffi::{CString, c_void};
use std::ptr;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::bindings::rd_kafka_vtype_t as VType;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer as _};

#[path = "../tests/support/mod.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "the tests' servers: what fails ends the benchmark"
)]
mod support;

use support::Kafka;

/// How a record is handed over.
#[derive(Clone, Copy, Debug)]
enum Method {
    Name,
    Handle,
    /// `rd_kafka_produce_batch`, which takes no headers, a hundred records of one topic at a time.
    Batch,
}

#[derive(Clone, Copy)]
struct Case {
    method: Method,
    topics: usize,
    /// Records in a row for the same topic.
    run: u32,
    headers: bool,
    property: Option<(&'static str, &'static str)>,
}

fn main() {
    headwater::allocator::tune();
    let kafka = Kafka::start_with(&["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"]);
    let number =
        |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (records, rounds) = (number("RECORDS", 200_000), number("ROUNDS", 3));
    let (begun, made) = (cpu_seconds(), (0..records).map(|number| value(number).len()).sum::<usize>());
    let making = (cpu_seconds() - begun) / f64::from(records) * 1e6;
    println!(
        "{records} records a row, {} bytes each; making one takes {making:.2} µs, which is left out; medians of {rounds} rounds\n",
        made / records as usize
    );
    let cases = cases();
    let names: Vec<String> = (0..500).map(|index| format!("produce.{index}")).collect();
    for name in &names {
        kafka.create_topic(name, 1, &[]);
    }
    let mut measured = vec![Vec::new(); cases.len()];
    for round in 0..=rounds {
        for (case, measured) in cases.iter().zip(&mut measured) {
            let figures = run(&kafka, case, names.get(..case.topics).unwrap_or(&names), records);
            if round > 0 {
                measured.push(figures);
            }
        }
    }
    println!("| call | topics | in a row | headers | property | µs of CPU a record | records/s |");
    println!("| --- | ---: | ---: | ---: | --- | ---: | ---: |");
    for (case, measured) in cases.iter().zip(&measured) {
        let Case { method, topics, run, headers, property } = case;
        let property = property.map_or_else(String::new, |(key, value)| format!("`{key}={value}`"));
        let headers = if *headers { 7 } else { 0 };
        let cpu = median(measured.iter().map(|(cpu, _)| cpu - making).collect());
        let rate = median(measured.iter().map(|(_, rate)| *rate).collect());
        println!("| {method:?} | {topics} | {run} | {headers} | {property} | {cpu:.2} | {rate:.0} |");
    }
}

fn cases() -> Vec<Case> {
    let usual = Case { method: Method::Handle, topics: 1, run: 1, headers: true, property: None };
    let mut all = Vec::new();
    for topics in [1, 50, 500] {
        for headers in [true, false] {
            all.extend([Method::Name, Method::Handle].map(|method| Case {
                method,
                topics,
                headers,
                ..usual
            }));
        }
        all.push(Case { method: Method::Handle, topics, headers: false, run: BATCH, ..usual });
        all.push(Case { method: Method::Batch, topics, headers: false, run: BATCH, ..usual });
    }
    let properties = [
        ("compression.type", "none"),
        ("compression.type", "lz4"),
        ("compression.type", "zstd"),
        ("compression.type", "snappy"),
        ("linger.ms", "0"),
        ("linger.ms", "1"),
        ("linger.ms", "5"),
        ("linger.ms", "20"),
        ("linger.ms", "100"),
        ("batch.size", "65536"),
        ("batch.size", "262144"),
        ("batch.size", "1000000"),
        ("batch.size", "4000000"),
    ];
    all.extend(properties.map(|property| Case { property: Some(property), ..usual }));
    all
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// CPU µs per record and records per second.
fn run(kafka: &Kafka, case: &Case, names: &[String], records: u32) -> (f64, f64) {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", kafka.brokers())
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        // As Headwater fills its queue with 64 MiB: see `sink::spread`.
        .set("queue.buffering.max.messages", if case.topics < 100 { "4000" } else { "12000" })
        .set("queue.buffering.max.kbytes", "12288")
        .set("delivery.report.only.error", "true");
    if let Some((key, value)) = case.property {
        settings.set(key, value);
    }
    let producer: BaseProducer = settings.create().expect("a producer");
    let native = producer.client().native_ptr();
    let texts: Vec<CString> = names.iter().map(|name| CString::new(name.as_str()).expect("no NUL")).collect();
    // SAFETY: client and names are valid; the handles are destroyed below.
    let handles: Vec<_> = texts
        .iter()
        .map(|text| unsafe { sys::rd_kafka_topic_new(native, text.as_ptr(), ptr::null_mut()) })
        .collect();
    let target = Target { producer: &producer, texts: &texts, handles: &handles, headers: case.headers };
    // Connected, and every topic's leader known, before the clock runs.
    for index in 0..case.topics {
        target.one(Method::Handle, index, 0);
    }
    producer.flush(Duration::from_secs(60)).expect("the broker answers");
    let (cpu, begun) = (cpu_seconds(), Instant::now());
    if matches!(case.method, Method::Batch) {
        for number in (0..records).step_by(BATCH as usize) {
            target.batch(((number / BATCH) as usize * 7919) % case.topics, number);
        }
    } else {
        for number in 0..records {
            target.one(case.method, ((number / case.run) as usize * 7919) % case.topics, number);
        }
    }
    producer.flush(Duration::from_secs(120)).expect("all acknowledged");
    let spent = (cpu_seconds() - cpu) / f64::from(records) * 1e6;
    let rate = f64::from(records) / begun.elapsed().as_secs_f64();
    for handle in handles {
        // SAFETY: made above, used no more.
        unsafe { sys::rd_kafka_topic_destroy(handle) };
    }
    (spent, rate)
}

struct Target<'a> {
    producer: &'a BaseProducer<DefaultProducerContext>,
    texts: &'a [CString],
    handles: &'a [*mut sys::rd_kafka_topic_t],
    headers: bool,
}

impl Target<'_> {
    /// Until the queue takes it.
    fn one(&self, method: Method, topic: usize, number: u32) {
        let (key, value) = (format!("{{\"id\":{number}}}"), value(number));
        let native = self.producer.client().native_ptr();
        loop {
            let headers = if self.headers { headers(number) } else { ptr::null_mut() };
            let name = matches!(method, Method::Name);
            // SAFETY: tags and arguments as rd_kafka_producev documents them; key and value are copied; the headers
            // pass to librdkafka if it takes the record and are destroyed below if not.
            let code = unsafe {
                sys::rd_kafka_producev(
                    native,
                    if name { VType::RD_KAFKA_VTYPE_TOPIC } else { VType::RD_KAFKA_VTYPE_RKT },
                    if name {
                        self.texts[topic].as_ptr().cast::<c_void>()
                    } else {
                        self.handles[topic].cast::<c_void>()
                    },
                    VType::RD_KAFKA_VTYPE_MSGFLAGS,
                    sys::RD_KAFKA_MSG_F_COPY,
                    VType::RD_KAFKA_VTYPE_VALUE,
                    value.as_ptr().cast::<c_void>(),
                    value.len(),
                    VType::RD_KAFKA_VTYPE_KEY,
                    key.as_ptr().cast::<c_void>(),
                    key.len(),
                    VType::RD_KAFKA_VTYPE_HEADERS,
                    headers,
                    VType::RD_KAFKA_VTYPE_END,
                )
            };
            match code {
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => return,
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL => {
                    if !headers.is_null() {
                        // SAFETY: not taken, so still ours.
                        unsafe { sys::rd_kafka_headers_destroy(headers) };
                    }
                    self.producer.poll(Duration::from_millis(1));
                }
                code => panic!("not taken: {code:?}"),
            }
        }
    }

    /// A batch for one topic.
    fn batch(&self, topic: usize, first: u32) {
        let parts: Vec<(String, String)> =
            (0..BATCH).map(|index| (format!("{{\"id\":{}}}", first + index), value(first + index))).collect();
        let mut messages: Vec<sys::rd_kafka_message_t> = parts
            .iter()
            .map(|(key, value)| {
                // SAFETY: a struct of numbers and pointers, for which zero is a value.
                let mut message: sys::rd_kafka_message_t = unsafe { std::mem::zeroed() };
                message.payload = value.as_ptr().cast_mut().cast::<c_void>();
                message.len = value.len();
                message.key = key.as_ptr().cast_mut().cast::<c_void>();
                message.key_len = key.len();
                message
            })
            .collect();
        let mut rest = &mut messages[..];
        while !rest.is_empty() {
            // SAFETY: the handle is valid and the messages outlive the call, which copies them.
            unsafe {
                sys::rd_kafka_produce_batch(
                    self.handles[topic],
                    -1,
                    sys::RD_KAFKA_MSG_F_COPY,
                    rest.as_mut_ptr(),
                    i32::try_from(rest.len()).expect("a hundred"),
                );
            }
            let refused = rest
                .iter()
                .position(|message| message.err != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
            let Some(refused) = refused else { return };
            rest = &mut rest[refused..];
            self.producer.poll(Duration::from_millis(1));
        }
    }
}

/// A record of Debezium's envelope, as long and as compressible as one of pgbench's.
fn value(number: u32) -> String {
    let balance = number.wrapping_mul(2_654_435_761);
    format!(
        "{{\"before\":null,\"after\":{{\"aid\":{number},\"bid\":{},\"abalance\":{balance},\"filler\":\"{:84}\"}},\
         \"source\":{{\"version\":\"0.1.0\",\"connector\":\"postgresql\",\"name\":\"shop\",\"ts_ms\":17952517{number:05},\
         \"snapshot\":\"false\",\"db\":\"postgres\",\"sequence\":\"[\\\"247{number:05}\\\",\\\"247{balance}\\\"]\",\
         \"ts_us\":17952517{number:08},\"ts_ns\":17952517{number:011},\"schema\":\"public\",\"table\":\"pgbench_accounts\",\
         \"txId\":{number},\"lsn\":247{balance},\"xmin\":null,\"origin\":null,\"origin_lsn\":null}},\"transaction\":{{\
         \"id\":\"{number}:247{balance}\",\"total_order\":1,\"data_collection_order\":1}},\"op\":\"u\",\
         \"ts_ms\":17952517{number:05},\"ts_us\":17952517{number:08},\"ts_ns\":17952517{number:011}}}",
        number % 100,
        ""
    )
}

fn headers(number: u32) -> *mut sys::rd_kafka_headers_t {
    // SAFETY: allocates; both parts of each header are valid for the lengths given, and copied.
    unsafe {
        let headers = sys::rd_kafka_headers_new(8);
        for (name, value) in [
            ("__debezium.context.connectorLogicalName", "shop".to_owned()),
            ("__debezium.context.taskId", "0".to_owned()),
            ("__debezium.context.connectorName", "postgresql".to_owned()),
            ("__debezium.context.runId", "01a1fd57-3b29-7240-ab70-9924d770f56b".to_owned()),
            ("headwater.id", format!("7710547373362620714:247{number:05}:1")),
            ("headwater.txid", number.to_string()),
            ("headwater.lsn", format!("247{number:05}")),
        ] {
            sys::rd_kafka_header_add(
                headers,
                name.as_ptr().cast(),
                isize::try_from(name.len()).expect("short"),
                value.as_ptr().cast(),
                isize::try_from(value.len()).expect("short"),
            );
        }
        headers
    }
}

/// CPU time of this process in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
    ticks / 100.0
}

const BATCH: u32 = 100;
