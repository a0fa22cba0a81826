//! Reads the tables, several at the same time when there are several connections, into the publisher. A connection takes the
//! next table when it is through with one; when the publisher holds, none is read, and the server waits.

use std::time::Instant;

use crate::checkpoint::Position;
use crate::encode::Records;
use crate::error::{Error, Kind, Result};
use crate::observe::Metrics;
use crate::run::session::{CHUNK_BYTES, wall_clock};
use crate::run::snapshot::course::Course;
use crate::run::snapshot::publishing::Publishing;
use crate::run::snapshot::rows::Rows;
use crate::run::snapshot::tables::Source;
use crate::source::{Copied, Fill, SnapshotReader};

/// What is being read.
pub(super) struct Copying<'a> {
    workers: Vec<Worker>,
    sources: &'a [Source],
    rows: Rows,
    course: &'a Course,
    metrics: &'a Metrics,
    /// The next table that nobody reads yet.
    next: usize,
    read: usize,
    /// Who is read first in this turn: each has its turn when the publisher takes little.
    turn: usize,
    /// The table that the database failed to give.
    refused: Option<usize>,
    began: Instant,
}

struct Worker {
    reader: SnapshotReader,
    table: Option<usize>,
}

impl<'a> Copying<'a> {
    pub(super) fn new(
        readers: Vec<SnapshotReader>,
        sources: &'a [Source],
        (rows, course): (Rows, &'a Course),
        metrics: &'a Metrics,
    ) -> Self {
        let workers = readers.into_iter().map(|reader| Worker { reader, table: None }).collect();
        Self {
            workers,
            sources,
            rows,
            course,
            metrics,
            next: 0,
            read: 0,
            turn: 0,
            refused: None,
            began: Instant::now(),
        }
    }

    /// Reads all tables; false when somebody said stop before. `position` is told how far it is.
    pub(super) fn run(&mut self, publishing: &mut Publishing<'_>, position: &mut Position) -> Result<bool> {
        let mut quiet = false;
        while self.read < self.sources.len() {
            if publishing.is_stopping() {
                return Ok(false);
            }
            let now = Instant::now();
            publishing.turn(now, (quiet, false), position)?;
            let open = !publishing.publisher().holds(now, true);
            let more = open && self.read_each(publishing, now)?;
            quiet = open && !more;
            self.tell(position);
            if !more {
                let busy = self.workers.iter().filter(|worker| open && worker.table.is_some());
                publishing.wait(busy.map(|worker| &worker.reader))?;
            }
        }
        let now = Instant::now();
        self.append(publishing, now, |copying, out| copying.rows.finish(wall_clock().nanos(), out))?;
        self.tell(position);
        Ok(true)
    }

    /// Ends the connections; how many rows there were.
    pub(super) fn finish(self) -> u64 {
        for worker in self.workers {
            worker.reader.finish();
        }
        self.rows.total()
    }

    /// A chunk of each connection; false when there was nothing.
    fn read_each(&mut self, publishing: &mut Publishing<'_>, now: Instant) -> Result<bool> {
        let clock = wall_clock().nanos();
        let mut any = false;
        self.turn += 1;
        for place in 0..self.workers.len() {
            let worker = (self.turn + place) % self.workers.len();
            any |= self.append(publishing, now, |copying, out| copying.read_one(worker, clock, out))?;
            if publishing.publisher().holds(now, true) {
                break;
            }
        }
        Ok(any)
    }

    /// Rows that were read so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows.total()
    }

    /// The table that ended the reading, when it was the database that did.
    pub(super) fn refused(&self) -> Option<&'a Source> {
        self.sources.get(self.refused?)
    }

    fn append<T>(
        &mut self,
        publishing: &mut Publishing<'_>,
        now: Instant,
        write: impl FnOnce(&mut Self, &mut Records) -> Result<T>,
    ) -> Result<T> {
        let publisher = publishing.publisher();
        let before = publisher.records().byte_len();
        let written = write(self, publisher.records())?;
        let bytes = publisher.records().byte_len() - before;
        publisher.added(bytes, now);
        Ok(written)
    }

    fn read_one(&mut self, worker: usize, now_ns: i64, out: &mut Records) -> Result<bool> {
        let read = self.read_chunk(worker, now_ns, out);
        if read.as_ref().is_err_and(|error| error.sqlstate().is_some()) {
            self.refused = self.workers.get(worker).and_then(|worker| worker.table);
        }
        read
    }

    fn read_chunk(&mut self, worker: usize, now_ns: i64, out: &mut Records) -> Result<bool> {
        let Some(Worker { reader, table }) = self.workers.get_mut(worker) else { return Ok(false) };
        let enough = out.byte_len() + CHUNK_BYTES;
        let mut any = false;
        loop {
            let Some(index) = *table else {
                let Some(source) = self.sources.get(self.next) else { return Ok(any) };
                self.course.reading(source, out);
                *table = Some(self.next);
                self.next += 1;
                reader.start(&source.statement).map_err(|error| source.about(error))?;
                any = true;
                continue;
            };
            let unknown = || Error::new(Kind::Internal, "a table of the snapshot that is not known");
            let source = self.sources.get(index).ok_or_else(unknown)?;
            match reader.step().map_err(|error| source.about(error))? {
                Copied::Row { line, last } => {
                    self.rows.row(index, (line, last), now_ns, out).map_err(|error| source.about(error))?;
                    any = true;
                    if out.byte_len() >= enough {
                        return Ok(true);
                    }
                }
                Copied::Done => {
                    *table = None;
                    self.read += 1;
                    let rows = self.rows.of(index);
                    tracing::info!(schema = source.schema, table = source.name, rows, "read a table");
                    self.course.scanned(source, rows, out);
                    if out.byte_len() >= enough {
                        return Ok(true);
                    }
                }
                Copied::Nothing => match reader.fill().map_err(|error| source.about(error))? {
                    Fill::Bytes { .. } => any = true,
                    Fill::WouldBlock | Fill::Closed => return Ok(any),
                },
            }
        }
    }

    fn tell(&mut self, position: &mut Position) {
        let fresh = self.rows.flush();
        let remaining = self.sources.len() - self.read;
        self.metrics.snapshot().progress(fresh, remaining, self.began.elapsed());
        if fresh > 0 {
            self.metrics.pipeline().event_seen(wall_clock().micros());
        }
        if let Some(progress) = &mut position.snapshot {
            progress.tables_read = self.read as u64;
            progress.rows = self.rows.total();
        }
    }
}
