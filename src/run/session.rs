//! One session, on one thread: the stream of one connection into one sink, until it fails or is told to stop.
//!
//! `run` is the diagram. Each turn learns what became durable, reports to the server, hands records over, seals, reads,
//! and waits for the socket, the sink or a timer. Nothing in it blocks but the wait, so the server hears from us on time
//! whatever the sink does; when the sink falls behind, the buffer fills and reading stops, and nothing else does.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::checkpoint::{Partial, Position};
use crate::error::{Error, Kind, Result};
use crate::event::TopicId;
use crate::lsn::{Lsn, UnixMicros};
use crate::run::control::Control;
use crate::run::describe::Describe;
use crate::run::fallback::Fallback;
use crate::run::feedback::{Feedback, Report};
use crate::run::group::Moment;
use crate::run::heartbeat::Heartbeat;
use crate::run::pace::Pace;
use crate::run::publish::{Progress, Publisher};
use crate::run::streamed::{Read, Streamed, Taken};
use crate::run::telemetry::Telemetry;
use crate::run::translate::{At, Now, Step, Translator};
use crate::source::Sql;
use crate::source::frame::Frame;
use crate::source::{Fill, ReplicationStream, Status};

/// How a session ended without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Told to stop; everything encoded is durable and the checkpoint is written.
    Drained,
    /// Told to stop; the time for draining ran out. The next start goes on at the last checkpoint.
    DrainTimedOut,
    /// All that was asked for is done: the tables were read, and nothing is to be streamed.
    Finished,
    /// Transactions in progress could not be kept: the next session has them sent whole. What was encoded is durable, unless
    /// that took longer than draining may.
    FellBack,
}

/// What a session is made of.
pub(crate) struct Parts {
    pub stream: ReplicationStream,
    /// Transactions in progress.
    pub streamed: Streamed,
    /// Told when those cannot be kept.
    pub fallback: Arc<Fallback>,
    pub translator: Translator,
    pub describe: Box<dyn Describe + Send>,
    pub publisher: Publisher,
    pub feedback: Feedback,
    pub telemetry: Telemetry,
    /// None: no heartbeats.
    pub heartbeat: Option<Heartbeat>,
    pub control: Arc<Control>,
    /// Where the stream starts.
    pub position: Position,
    pub drain_timeout: Duration,
    /// The ordinary connection of the session.
    pub sql: Arc<Sql>,
}

/// A running session.
pub(crate) struct Session {
    parts: Parts,
    pace: Pace,
    /// End of the last transaction, or of the log when nothing is open.
    end_lsn: Lsn,
    last_commit_end_lsn: Option<Lsn>,
    registered_topics: usize,
    /// The server's clock, as it last told.
    sent: UnixMicros,
    /// The socket had nothing more.
    quiet: bool,
    /// The server asked for a reply and waits for the log to be confirmed.
    asked: bool,
    draining_since: Option<Instant>,
    /// When the ordinary connection was first seen closed.
    sql_ended: Option<Instant>,
}

impl Session {
    /// Ready to run.
    pub(crate) fn new(parts: Parts) -> Self {
        let registered_topics = parts.translator.router().len();
        Self {
            pace: Pace::default(),
            end_lsn: parts.position.end_lsn,
            last_commit_end_lsn: parts.position.last_commit_end_lsn,
            registered_topics,
            sent: UnixMicros(0),
            quiet: false,
            asked: false,
            draining_since: None,
            sql_ended: None,
            parts,
        }
    }

    /// Runs until told to stop.
    ///
    /// # Errors
    /// Whatever fails in the stream, the translation or the sink. What was not checkpointed comes again.
    pub(crate) fn run(mut self) -> Result<Ended> {
        loop {
            let (now, clock) = (Instant::now(), wall_clock());
            self.learn(now, clock)?;
            self.report(now, clock)?;
            self.server_is_there(now)?;
            self.beat(now, clock);
            self.hand_over(now)?;
            self.seal(now, clock)?;
            if let Some(ended) = self.drained(now) {
                return self.finish(ended, clock);
            }
            let boundary = !self.parts.translator.assembler().is_open();
            let open = self.draining_since.is_none() && !self.parts.publisher.holds(now, boundary);
            if !open {
                self.parts.feedback.heard(now);
            }
            let more = open && self.read(now, clock)?;
            let Parts { telemetry, publisher, streamed, feedback, .. } = &mut self.parts;
            telemetry.turn((publisher, streamed), feedback, clock);
            if !more {
                self.wait(now, open)?;
            }
        }
    }

    /// What became durable moves the confirmed position.
    fn learn(&mut self, now: Instant, clock: Now) -> Result<()> {
        let Parts { publisher, feedback, telemetry, heartbeat, .. } = &mut self.parts;
        publisher.poll(now, |progress| match progress {
            Progress::Published(commit_time) => telemetry.published(commit_time, clock),
            Progress::Durable(end_lsn, took) => {
                telemetry.durable(end_lsn, took);
                if let Some(heartbeat) = heartbeat {
                    heartbeat.durable();
                }
            }
            Progress::Stored(position) => {
                feedback.confirm(position.end_lsn);
                telemetry.stored(&position);
            }
        })
    }

    fn report(&mut self, now: Instant, clock: Now) -> Result<()> {
        if let Some(report) = self.parts.feedback.due(now) {
            self.parts.stream.send_status(&status(report, clock))?;
            self.parts.telemetry.status_update();
        }
        Ok(())
    }

    /// A peer can be gone without a word, behind a middlebox that keeps the connection. And a server that shuts down ends
    /// ordinary sessions, and then waits for us to confirm its whole log, which we may not be able to: we let go of it.
    fn server_is_there(&mut self, now: Instant) -> Result<()> {
        if self.draining_since.is_some() {
            return Ok(());
        }
        let gone = |why| Err(Error::new(Kind::SourceUnreachable, why).context("read replication stream"));
        if self.parts.feedback.is_alone(now) {
            return gone("the server is silent although it was asked for a sign of life");
        }
        if !self.parts.sql.is_closed() {
            return Ok(());
        }
        let since = *self.sql_ended.get_or_insert(now);
        if now.saturating_duration_since(since) < SQL_GRACE {
            return Ok(());
        }
        gone("the server has ended the SQL connection (it is probably shutting down)")
    }

    /// Writes a heartbeat, if one is due: between transactions, into the batch that is open, which becomes durable with its
    /// checkpoint like any other.
    fn beat(&mut self, now: Instant, clock: Now) {
        if !self.may_beat(now) {
            return;
        }
        let Parts { heartbeat: Some(heartbeat), translator, publisher, telemetry, .. } = &mut self.parts
        else {
            return;
        };
        if heartbeat.is_due(now) {
            let before = publisher.records().byte_len();
            translator.heartbeat(heartbeat.topic(), clock, publisher.records());
            let bytes = publisher.records().byte_len() - before;
            publisher.added(bytes, now);
            heartbeat.written(now, publisher.sealed_batches());
            telemetry.heartbeat();
        }
    }

    fn may_beat(&self, now: Instant) -> bool {
        let Parts { heartbeat, translator, publisher, .. } = &self.parts;
        heartbeat.is_some()
            && self.draining_since.is_none()
            && !translator.assembler().is_open()
            && !publisher.holds(now, true)
    }

    fn hand_over(&mut self, now: Instant) -> Result<()> {
        // Who drains waits for everything.
        let quiet = self.quiet || self.draining_since.is_some();
        let moment = Moment { quiet, ..self.moment(now) };
        self.parts.publisher.hand_over(moment)
    }

    fn moment(&self, now: Instant) -> Moment {
        let boundary = !self.parts.translator.assembler().is_open();
        Moment { now, boundary, quiet: self.quiet }
    }

    fn seal(&mut self, now: Instant, clock: Now) -> Result<()> {
        let moment = self.moment(now);
        let draining = self.draining_since.is_some();
        let position = self.position();
        let publisher = &mut self.parts.publisher;
        if draining {
            return publisher.seal_last(|| position, now, clock);
        }
        publisher.seal(moment, || position.clone(), clock)?;
        if moment.boundary {
            publisher.store_idle(position, (now, std::mem::take(&mut self.asked)), clock)?;
        }
        Ok(())
    }

    /// Reads once and translates what is complete. False when there was nothing.
    fn read(&mut self, now: Instant, clock: Now) -> Result<bool> {
        if self.translate(now, clock)? {
            return Ok(true);
        }
        if let Some(pause) = self.pace.pause(Instant::now()) {
            std::thread::sleep(pause);
        }
        match self.parts.stream.fill()? {
            Fill::Bytes { read, .. } => {
                self.quiet = false;
                self.parts.feedback.heard(now);
                self.pace.read(read, Instant::now());
                self.parts.telemetry.received_bytes(read);
                self.translate(now, clock)?;
                Ok(true)
            }
            Fill::WouldBlock => {
                // A flow that a small socket buffer cuts into pieces is no reason to end a batch.
                if self.pace.dry(Instant::now()) {
                    return Ok(true);
                }
                Ok(!std::mem::replace(&mut self.quiet, true))
            }
            Fill::Closed => Err(self.parts.stream.closed()),
        }
    }

    /// Translates what is there, of a transaction that was kept or complete frames, up to one chunk, or up to the end of a
    /// transaction when a seal is due. Returns whether it stopped before that ran out.
    fn translate(&mut self, now: Instant, clock: Now) -> Result<bool> {
        let before = self.parts.publisher.records().byte_len();
        let enough = before + CHUNK_BYTES;
        let replayed = self.parts.streamed.is_replaying() && self.replay(enough, now, clock)?;
        let stopped = replayed || self.frames(enough, now, clock)?;
        let Parts { publisher, telemetry, translator, .. } = &mut self.parts;
        let bytes = publisher.records().byte_len() - before;
        publisher.added(bytes, now);
        telemetry.translated(translator);
        self.register_topics()?;
        Ok(stopped)
    }

    /// Translates frames until there are `enough` records.
    fn frames(&mut self, enough: usize, now: Instant, clock: Now) -> Result<bool> {
        loop {
            let Parts { stream, streamed, translator, describe, publisher, feedback, telemetry, .. } =
                &mut self.parts;
            let Some(frame) = stream.next_frame()? else { return Ok(false) };
            match frame {
                Frame::XLogData { start, sent, body, .. } => {
                    feedback.received(start);
                    self.sent = sent;
                    let step = match streamed.take(start, body)? {
                        Taken::Not => {
                            let at = At { lsn: start, now: clock, order: streamed.order() };
                            translator.message(at, body, &mut **describe, publisher.records())?
                        }
                        Taken::Kept => continue,
                        Taken::Passed { end_lsn } => {
                            feedback.received(end_lsn);
                            self.end_lsn = self.end_lsn.max(end_lsn);
                            continue;
                        }
                        Taken::Committed(commit) => {
                            translator.begin(&commit);
                            // Reading it back may take a buffer as large.
                            stream.shrink();
                            return Ok(true);
                        }
                        Taken::Failed => {
                            self.fall_back(now);
                            return Ok(true);
                        }
                    };
                    if self.stepped(step, now) || self.parts.publisher.records().byte_len() >= enough {
                        return Ok(true);
                    }
                }
                Frame::Keepalive { wal_end, reply_requested, .. } => {
                    feedback.received(wal_end);
                    telemetry.keepalive(wal_end);
                    // Transactions that are streamed and still in progress do not matter: they commit after this.
                    if !translator.assembler().is_open() {
                        self.end_lsn = self.end_lsn.max(wal_end);
                    }
                    if reply_requested {
                        feedback.asked();
                        self.asked = true;
                    }
                }
                Frame::Other { .. } => {}
            }
        }
    }

    /// Translates the committed transaction that was kept, until there are `enough` records or as many bytes were read.
    fn replay(&mut self, enough: usize, now: Instant, clock: Now) -> Result<bool> {
        // The server may well have spoken: nobody listens meanwhile.
        self.parts.feedback.heard(now);
        let mut bytes = 0;
        while bytes < CHUNK_BYTES && self.parts.publisher.records().byte_len() < enough {
            let Parts { streamed, translator, describe, publisher, .. } = &mut self.parts;
            match streamed.read() {
                Read::Message { lsn, order, body } => {
                    bytes += body.len();
                    let at = At { lsn, now: clock, order };
                    translator.message(at, body, &mut **describe, publisher.records())?;
                }
                Read::End(commit) => {
                    let step = translator.commit(&commit, &mut **describe, publisher.records())?;
                    return Ok(self.stepped(step, now));
                }
                Read::Failed => {
                    self.fall_back(now);
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    /// What a message meant for the position. Returns whether to seal first.
    fn stepped(&mut self, step: Step, now: Instant) -> bool {
        let Parts { publisher, feedback, telemetry, .. } = &mut self.parts;
        let end_lsn = match step {
            Step::Inside => return false,
            Step::Message { end_lsn } => end_lsn,
            Step::Committed { end_lsn, commit_time, published } => {
                telemetry.committed();
                if published {
                    publisher.committed(commit_time, self.sent);
                }
                end_lsn
            }
        };
        self.end_lsn = self.end_lsn.max(end_lsn);
        self.last_commit_end_lsn = Some(end_lsn);
        feedback.received(end_lsn);
        publisher.wants_seal(now)
    }

    /// Transactions in progress cannot be kept any more: nothing is read from here on, and the session ends when what was
    /// encoded is durable, so that nothing comes twice.
    fn fall_back(&mut self, now: Instant) {
        let Parts { streamed, fallback, telemetry, .. } = &mut self.parts;
        if let Some(why) = streamed.broken() {
            tracing::warn!(%why, "transactions in progress are sent at their commit from now on");
            telemetry.fell_back(why);
            fallback.begin(now);
        }
        self.draining_since.get_or_insert(now);
    }

    /// Topics of relations that were met just now, before a record for them is handed over.
    fn register_topics(&mut self) -> Result<()> {
        let Parts { translator, publisher, .. } = &mut self.parts;
        let fresh: Vec<(TopicId, &str)> = translator.router().names_from(self.registered_topics).collect();
        for (topic, name) in &fresh {
            publisher.sink().register_topic(*topic, name)?;
        }
        self.registered_topics += fresh.len();
        Ok(())
    }

    fn position(&self) -> Position {
        let base = &self.parts.position;
        Position {
            system_id: base.system_id,
            timeline: base.timeline,
            slot: base.slot.clone(),
            end_lsn: self.end_lsn,
            last_commit_end_lsn: self.last_commit_end_lsn,
            partial: self
                .parts
                .translator
                .assembler()
                .partial()
                .map(|(commit_lsn, ordinal)| Partial { commit_lsn, ordinal }),
            snapshot: None,
        }
    }

    /// Whether the session is to end now.
    fn drained(&mut self, now: Instant) -> Option<Ended> {
        let (drained, late) = if self.parts.control.is_stopping() {
            (Ended::Drained, Ended::DrainTimedOut)
        } else if self.parts.streamed.broken().is_some() {
            (Ended::FellBack, Ended::FellBack)
        } else {
            return None;
        };
        let since = *self.draining_since.get_or_insert(now);
        if self.parts.publisher.is_settled() {
            return Some(drained);
        }
        (now.saturating_duration_since(since) >= self.parts.drain_timeout).then_some(late)
    }

    /// The last status carries the last checkpoint, so that the slot does not hold log that nobody needs.
    fn finish(mut self, ended: Ended, clock: Now) -> Result<Ended> {
        let report = self.parts.feedback.last();
        self.parts.stream.send_status(&status(report, clock))?;
        self.parts.stream.stop();
        Ok(ended)
    }

    /// Sleeps until the socket, the sink or a timer has something.
    fn wait(&mut self, now: Instant, reading: bool) -> Result<()> {
        let may_beat = self.may_beat(now);
        let Parts { stream, publisher, feedback, control, heartbeat, .. } = &mut self.parts;
        let mut timeout = feedback.wait(now).min(LONGEST_WAIT);
        if let Some(wait) = heartbeat.as_ref().filter(|_| may_beat).and_then(|beat| beat.wait(now)) {
            timeout = timeout.min(wait.max(SHORTEST_WAIT));
        }
        if let Some(wait) = publisher.wait(now) {
            timeout = timeout.min(wait.max(SHORTEST_WAIT));
        }
        if let Some(retry) = publisher.retry() {
            timeout = timeout.min(retry);
        }
        let ready = stream
            .wait(control.wake(), reading, timeout)
            .map_err(|error| Error::new(Kind::Internal, "poll failed").with_source(error))?;
        control.woken();
        // Without interest in its bytes the socket only wakes us when it is broken.
        if ready.socket && !reading { Err(stream.closed()) } else { Ok(()) }
    }
}

/// Encoded bytes after which the sink gets its turn: enough to be worth it, little enough to keep the brokers busy.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;
/// A timer that nothing asked for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// `poll` counts in milliseconds; less would spin.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What is under way when the server begins to shut down has this long to get to its end.
const SQL_GRACE: Duration = Duration::from_secs(3);

pub(super) fn wall_clock() -> Now {
    Now(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn status(report: Report, clock: Now) -> Status {
    let Report { written, flushed, ask } = report;
    Status { written, flushed, applied: flushed, now: clock.micros(), reply: ask }
}
