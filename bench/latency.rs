//! L1: how late a committed row reaches a reader. Single-row transactions are written at a fixed rate, each with the time it
//! was due; an independent consumer takes the time when it sees it. A late writer is late too: the clock starts when the
//! row was due, so that a pause of the machine is not left out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::backlog::PUBLICATION;
use crate::cost::{Cost, Watched};
use crate::ground::Ground;
use crate::headwater::Headwater;
use crate::support::{Db, Kafka, runtime, unique};

/// Milliseconds from due to seen.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) contender: String,
    pub(crate) settings: String,
    pub(crate) per_second: u32,
    pub(crate) rows: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p90_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) p999_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) process: Cost,
}

/// Every live contender at one rate, each on its own database.
pub(crate) fn measure(ground: &Ground, arguments: &Arguments, per_second: u32) -> Result<Vec<Latency>> {
    let seconds = if arguments.quick { 5 } else { 30 };
    let mut all = Vec::new();
    for contender in arguments.live_contenders() {
        let latency = one(ground, &contender, per_second, seconds, arguments)?;
        println!(
            "L1 {per_second}/s: {}: p50 {:.1} ms, p99 {:.1} ms",
            latency.contender, latency.p50_ms, latency.p99_ms
        );
        all.push(latency);
    }
    Ok(all)
}

fn one(
    ground: &Ground,
    contender: &Headwater,
    per_second: u32,
    seconds: u32,
    arguments: &Arguments,
) -> Result<Latency> {
    let db = ground.postgres.database("latency");
    db.exec("create table live (id bigint primary key, due_us bigint, note text)");
    db.exec(&format!("create publication {PUBLICATION} for tables in schema public"));
    let name = unique("latency");
    let mut daemon = contender.builder(ground, db.name(), &name, &name).start();
    let mut process = Watched::from_now(daemon.id());
    let topic = format!("{name}.public.live");
    let reader = reader(&ground.kafka, &topic)?;
    let warm_up = per_second * WARM_UP_SECONDS;
    let total = warm_up + per_second * seconds;
    let stop = AtomicBool::new(false);
    let mut micros = thread::scope(|scope| -> Result<Vec<u64>> {
        let seen = scope.spawn(|| read(&reader, total as usize, &stop));
        let written = write(&db, per_second, total);
        if written.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        let seen = seen.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        written.map(|()| seen)
    })?;
    process.look();
    ensure!(daemon.terminate().success(), "headwater failed:\n{}", daemon.log());
    ground.kafka.delete_topic(&topic);
    let mut micros = micros.split_off(warm_up as usize);
    micros.sort_unstable();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index and a number of milliseconds, for people"
    )]
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    Ok(Latency {
        contender: contender.name(),
        settings: arguments.overrides().to_string(),
        per_second,
        rows: micros.len(),
        p50_ms: at(0.5),
        p90_ms: at(0.9),
        p99_ms: at(0.99),
        p999_ms: at(0.999),
        max_ms: at(1.0),
        process: process.cost(),
    })
}

/// Writes `total` rows at the rate, over several connections so that none has to wait for the one before.
fn write(db: &Db, per_second: u32, total: u32) -> Result<()> {
    let sessions: Vec<_> = (0..CONNECTIONS).map(|_| db.connect()).collect();
    let start = Instant::now() + Duration::from_millis(100);
    let start_micros = now_micros() + 100_000;
    runtime().block_on(async {
        let mut writers = Vec::new();
        for (first, session) in (0..CONNECTIONS).zip(&sessions) {
            writers.push(async move {
                let client = session.client();
                let insert =
                    client.prepare("insert into live values ($1, $2, 'a row of a live stream')").await?;
                for number in (first..total).step_by(CONNECTIONS as usize) {
                    let due = Duration::from_micros(u64::from(number) * 1_000_000 / u64::from(per_second));
                    tokio::time::sleep_until((start + due).into()).await;
                    let due_us = i64::try_from(start_micros + u64::try_from(due.as_micros())?)?;
                    client.execute(&insert, &[&i64::from(number), &due_us]).await?;
                }
                anyhow::Ok(())
            });
        }
        let mut pending: Vec<_> = writers.into_iter().map(Box::pin).collect();
        let mut result = Ok(());
        std::future::poll_fn(|context| {
            pending.retain_mut(|writer| match writer.as_mut().poll(context) {
                std::task::Poll::Ready(Err(error)) => {
                    result = Err(error);
                    false
                }
                std::task::Poll::Ready(Ok(())) => false,
                std::task::Poll::Pending => true,
            });
            if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        result
    })
}

/// Microseconds from due to seen, in the order of the rows.
fn read(reader: &BaseConsumer, total: usize, stop: &AtomicBool) -> Result<Vec<u64>> {
    let mut late = Vec::with_capacity(total);
    let mut last = Instant::now();
    while late.len() < total && !stop.load(Ordering::Relaxed) {
        let Some(message) = reader.poll(Duration::from_millis(100)) else {
            ensure!(last.elapsed() < Duration::from_secs(30), "only {} of {total} rows came", late.len());
            continue;
        };
        let message = message?;
        let seen = now_micros();
        let due = due_micros(message.payload().unwrap_or_default()).context("a record without due_us")?;
        late.push(seen.saturating_sub(due));
        last = Instant::now();
    }
    Ok(late)
}

/// `"due_us":1700000000000000` of the row after the change, without parsing all of it.
fn due_micros(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let (_, after) = text.split_once("\"due_us\":")?;
    let end = after.find(|character: char| !character.is_ascii_digit())?;
    after[..end].parse().ok()
}

fn reader(kafka: &Kafka, topic: &str) -> Result<BaseConsumer> {
    let mut config = kafka.client_config();
    config
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.min.bytes", "1")
        .set("fetch.queue.backoff.ms", "1");
    let reader: BaseConsumer = config.create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning)?;
    reader.assign(&list)?;
    Ok(reader)
}

fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

const CONNECTIONS: u32 = 4;
const WARM_UP_SECONDS: u32 = 2;
