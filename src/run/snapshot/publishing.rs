//! The publisher while a snapshot is taken: the same turns as those of a session, without a stream. Every row is a boundary, as
//! what was published in part starts over anyway.

use std::time::Instant;

use crate::checkpoint::Position;
use crate::error::{Error, Kind, Result};
use crate::run::control::Control;
use crate::run::group::Moment;
use crate::run::publish::{Progress, Publisher};
use crate::run::session::{LONGEST_WAIT, SHORTEST_WAIT, wall_clock};
use crate::run::telemetry::Telemetry;
use crate::source::{SnapshotReader, wait_for_any};

/// The publisher, and what is told of it.
pub(super) struct Publishing<'a> {
    publisher: Publisher,
    telemetry: Telemetry,
    control: &'a Control,
    /// The last position that became durable.
    stored: Option<Position>,
}

impl<'a> Publishing<'a> {
    pub(super) fn new(mut publisher: Publisher, telemetry: Telemetry, control: &'a Control) -> Self {
        // Nobody waits for a single row.
        publisher.set_behind(true);
        Self { publisher, telemetry, control, stored: None }
    }

    pub(super) fn publisher(&mut self) -> &mut Publisher {
        &mut self.publisher
    }

    /// For the stream.
    pub(super) fn into_publisher(mut self) -> Publisher {
        self.publisher.set_behind(false);
        self.publisher
    }

    /// Somebody said stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.control.is_stopping()
    }

    /// Learns what became durable, hands over, and seals: what is due, or, at the end, all there is.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        (quiet, end): (bool, bool),
        position: &Position,
    ) -> Result<()> {
        let Self { publisher, telemetry, stored, .. } = self;
        let clock = wall_clock();
        publisher.poll(now, |progress| match progress {
            Progress::Published(_) => {}
            Progress::Durable(end_lsn, took) => telemetry.durable(end_lsn, took),
            Progress::Stored(position) => {
                telemetry.stored(&position);
                *stored = Some(position);
            }
        })?;
        let moment = Moment { now, boundary: true, quiet };
        publisher.hand_over(moment)?;
        if end {
            publisher.seal_last(|| position.clone(), now, clock)?;
        } else {
            publisher.seal(moment, || position.clone(), clock)?;
        }
        telemetry.snapshot_turn(publisher, clock);
        Ok(())
    }

    /// Waits until everything is durable, and `position` with it. False when somebody said stop before.
    pub(super) fn settle(&mut self, position: &Position) -> Result<bool> {
        loop {
            if self.is_stopping() {
                return Ok(false);
            }
            self.turn(Instant::now(), (true, true), position)?;
            if !self.publisher.is_settled() {
                self.wait(std::iter::empty())?;
            } else if self.stored.as_ref() == Some(position) {
                return Ok(true);
            } else {
                self.publisher.store(position.clone());
            }
        }
    }

    /// Waits until everything is durable, stop or not, but no longer than until `deadline`.
    pub(super) fn settle_until(&mut self, deadline: Instant, position: &Position) -> Result<()> {
        loop {
            let now = Instant::now();
            self.turn(now, (true, true), position)?;
            if self.publisher.is_settled() || now >= deadline {
                return Ok(());
            }
            self.wait(std::iter::empty())?;
        }
    }

    /// Sleeps until one of `readers`, the sink or a timer has something.
    pub(super) fn wait<'r>(&self, readers: impl Iterator<Item = &'r SnapshotReader>) -> Result<()> {
        let mut timeout = LONGEST_WAIT;
        if let Some(wait) = self.publisher.wait(Instant::now()) {
            timeout = timeout.min(wait.max(SHORTEST_WAIT));
        }
        if let Some(retry) = self.publisher.retry() {
            timeout = timeout.min(retry);
        }
        wait_for_any(readers, self.control.wake(), timeout)
            .map_err(|error| Error::new(Kind::Internal, "poll failed").with_source(error))?;
        self.control.woken();
        Ok(())
    }
}
