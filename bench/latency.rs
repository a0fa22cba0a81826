//! L1: how late a committed row reaches a reader. Single-row transactions are written at a fixed rate, each with the time it
//! was due; an independent consumer takes the time when it sees it. A late writer is late too: the clock starts when the
//! row was due, so that a pause of the machine is not left out; how much of it is the writer's own is measured beside it.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use crate::backlog::PUBLICATION;
use crate::contender::{Contender, Job};
use crate::cost::{Cost, Watched};
use crate::drain::{count_decoded, mebibytes, streaming_to};
use crate::equality::{Counted, Truth};
use crate::ground::Ground;
use crate::support::{Db, Kafka, unique};
use crate::topics;
use crate::writer::{Stream, Written, now_micros};

/// One contender at one rate in one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) contender: String,
    pub(crate) settings: String,
    pub(crate) per_second: u32,
    /// Counted from 1.
    pub(crate) round: usize,
    /// Rows that were measured: all that were written after the warm-up.
    pub(crate) rows: usize,
    /// From due to seen by the consumer.
    pub(crate) seen: Percentiles,
    /// From due to the answer to the writer's commit, which is part of the former.
    pub(crate) committed: Percentiles,
    /// Of the contender while rows were written, with the warm-up.
    pub(crate) process: Cost,
    pub(crate) walsender: Cost,
    pub(crate) broker: Cost,
    pub(crate) counted: Counted,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// Runs `contender` on a database of its own.
pub(crate) fn measure(
    ground: &Ground,
    contender: &dyn Contender,
    round: usize,
    stream: Stream,
) -> Result<Latency> {
    let db = ground.postgres.database("latency");
    db.exec("create table live (id bigint primary key, due_us bigint, note text)");
    db.exec(&format!("create publication {PUBLICATION} for tables in schema public"));
    let (slot, prefix) = (unique("latency"), unique("latency"));
    db.exec(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    let topic = format!("{prefix}.public.live");
    ground.kafka.create_topic(&topic, 1, &[]);
    let job = Job { database: db.name(), slot: &slot, prefix: &prefix, backlog: None };
    let running = contender.start(ground, &job)?;
    let mut walsender = Watched::from_birth(streaming_to(&db, &slot));
    let (mut process, mut broker) = (Watched::from_now(running.id()), Watched::from_now(ground.kafka.id()));
    let (seen, written) = write_and_read(&db, &ground.kafka, &topic, stream)?;
    for watched in [&mut process, &mut walsender, &mut broker] {
        watched.look();
    }
    let mut counted = Counted::default();
    running.finish(&mut counted)?;
    count_decoded(&db, &slot, &mut counted)?;
    topics::count_and_delete(&ground.kafka, &prefix, &mut counted)?;
    let rows = u64::from(stream.rows());
    Truth { inserts: rows, transactions: rows, ..Truth::default() }.check(contender, &counted)?;
    let warm_up = stream.warm_up_rows() as usize;
    Ok(Latency {
        contender: contender.name(),
        settings: contender.settings(),
        per_second: stream.per_second,
        round,
        rows: seen.len() - warm_up,
        seen: Percentiles::of(&seen[warm_up..]),
        committed: Percentiles::of(&written.late_micros[warm_up..]),
        process: process.cost(),
        walsender: walsender.cost(),
        broker: broker.cost(),
        counted,
    })
}

/// Microseconds from due to seen for each row, and what the writer took of them.
fn write_and_read(db: &Db, kafka: &Kafka, topic: &str, stream: Stream) -> Result<(Vec<u64>, Written)> {
    let reader = reader(kafka, topic)?;
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| read(&reader, stream.rows()));
        let written = stream.write(db);
        let seen = seen.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
        Ok((seen?, written?))
    })
}

/// Takes the time of the first record of every row; a repeated one is no news.
fn read(reader: &BaseConsumer, rows: u32) -> Result<Vec<u64>> {
    let mut late = vec![None; rows as usize];
    let mut missing = rows;
    let mut last = Instant::now();
    while missing > 0 {
        let Some(message) = reader.poll(Duration::from_millis(100)) else {
            ensure!(last.elapsed() < PATIENCE, "{missing} of {rows} rows have not come");
            continue;
        };
        let message = message?;
        let seen = now_micros();
        let value = message.payload().unwrap_or_default();
        let (row, due) = row_and_due(value).context("a record without id and due_us")?;
        let place = late.get_mut(usize::try_from(row)?).context("a row that nobody wrote")?;
        if place.is_none() {
            *place = Some(seen.saturating_sub(due));
            missing -= 1;
        }
        last = Instant::now();
    }
    Ok(late.into_iter().flatten().collect())
}

/// `"id":17,"due_us":1700000000000000` of the row after the change, without parsing all of it.
fn row_and_due(value: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, after) = text.split_once("\"after\":{\"id\":")?;
    let (row, after) = after.split_once(",\"due_us\":")?;
    let (due, _) = after.split_once(',')?;
    Some((row.parse().ok()?, due.parse().ok()?))
}

/// Answers come as soon as there is a record, and the reader never waits by itself.
fn reader(kafka: &Kafka, topic: &str) -> Result<BaseConsumer> {
    let mut config = kafka.client_config();
    config
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.min.bytes", "1")
        .set("fetch.queue.backoff.ms", "1")
        .set("socket.nagle.disable", "true");
    let reader: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    reader.assign(&list)?;
    Ok(reader)
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { contender, rows, seen, committed, .. } = self;
        let cpu = [&self.process, &self.walsender, &self.broker].map(Cost::cpu_seconds);
        write!(
            f,
            "{contender}: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms of {rows} rows; the writer's part p50 \
             {:.1} ms, p99 {:.1} ms; CPU s: {:.2}, walsender {:.2}, broker {:.2}; peak {:.1} MiB",
            seen.p50,
            seen.p90,
            seen.p99,
            seen.max,
            committed.p50,
            committed.p99,
            cpu[0],
            cpu[1],
            cpu[2],
            mebibytes(self.process.peak_rss_bytes)
        )
    }
}

impl Percentiles {
    fn of(micros: &[u64]) -> Self {
        let mut sorted = micros.to_vec();
        sorted.sort_unstable();
        // The smallest value that this share of all is not above.
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index and a number of milliseconds, for people"
        )]
        let at = |share: f64| {
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).map_or(f64::NAN, |micros| *micros as f64 / 1000.0)
        };
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
