//! Rows of transactions that are still in progress, on disk until their end is known: a bounded local file from which a
//! committed transaction is read back in the order in which it came.
//!
//! One file for all of them, unlinked as soon as it is open, so that nothing is left after a crash: what it holds is
//! worthless then, because the server sends every transaction in progress again. The file is cut into blocks and a
//! transaction is a chain of them, so there is one descriptor and a bounded list, however many are open.
//!
//! A subtransaction that is rolled back is always the end of what its transaction has sent: while it was running nobody
//! else could write. So it is cut off the end, as PostgreSQL's own subscriber does, and its room is free at once.
//! What belongs to it is told by numbers alone: an id is given to a subtransaction after its parent and before its
//! children, so the runs at the end whose id is not below the one rolled back are its own and those of its children. A
//! run of its parent in between is rolled back by the same record of the log, which names all of them.

mod blocks;
mod entry;
mod file;
mod log;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::lsn::{Lsn, Xid};

use blocks::Blocks;
use entry::Header;
use file::SpoolFile;
use log::{Log, Run};

/// What a spool is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// An existing directory of a local disk.
    pub directory: PathBuf,
    /// Of the pipeline: part of the file's name.
    pub name: String,
    /// Bytes on disk at most.
    pub limit: u64,
    /// Bytes of memory between the stream and the file.
    pub buffer: usize,
}

/// Why the spool cannot go on. It is of no use after that: the server has to send everything again, without streaming.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("transactions in progress take more than limits.spool, {limit} bytes")]
    Full { limit: u64 },
    #[error("cannot {doing}: {error}")]
    Disk { doing: String, error: std::io::Error },
}

/// A message of a transaction as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Start of its XLogData.
    pub lsn: Lsn,
    /// Which block of the stream it came in, as [`Spool::begin`] was told.
    pub block: u64,
    pub body: &'a [u8],
}

/// The spool of one session.
#[derive(Debug)]
pub struct Spool {
    file: SpoolFile,
    blocks: Blocks,
    limit: u64,
    logs: HashMap<Xid, Log>,
    /// Between [`Spool::begin`] and [`Spool::end`].
    open: Option<Open>,
    /// Between [`Spool::commit`] and the last [`Spool::read`].
    replay: Option<Replay>,
    /// What is not written yet, or what is read ahead: never both, for nothing is received during a replay.
    buffer: Vec<u8>,
    buffer_bytes: usize,
}

#[derive(Debug)]
struct Open {
    xid: Xid,
    log: Log,
    block: u64,
}

#[derive(Debug)]
struct Replay {
    log: Log,
    /// How much of the log is in the buffer or was.
    fetched: u64,
    /// What of the buffer is not read yet.
    window: Range<usize>,
    block: u64,
}

impl Spool {
    /// An empty spool. A file that a former run left under the same name is removed.
    ///
    /// # Errors
    /// [`Failure::Disk`] when the directory is missing or a file cannot be created there.
    pub fn open(settings: &Settings) -> Result<Self, Failure> {
        let file = SpoolFile::create(&path(&settings.directory, &settings.name))?;
        Ok(Self::on(file, Blocks::new(settings.limit), settings))
    }

    fn on(file: SpoolFile, blocks: Blocks, settings: &Settings) -> Self {
        Self {
            blocks,
            file,
            limit: settings.limit,
            logs: HashMap::new(),
            open: None,
            replay: None,
            buffer: Vec::with_capacity(settings.buffer),
            buffer_bytes: settings.buffer,
        }
    }

    /// What is appended from now on belongs to the transaction `xid`; `block` numbers the blocks of the stream.
    pub fn begin(&mut self, xid: Xid, block: u64) {
        debug_assert!(self.open.is_none() && self.replay.is_none());
        let mut log = self.logs.remove(&xid).unwrap_or_default();
        // A run says which block it came in, so none goes on from one block into the next.
        log.close_run();
        self.open = Some(Open { xid, log, block });
    }

    /// A message of the open block, of the transaction itself or of its subtransaction `subxid`.
    ///
    /// # Errors
    /// [`Failure`]; the message is not kept.
    pub fn append(&mut self, subxid: Xid, lsn: Lsn, body: &[u8]) -> Result<(), Failure> {
        if self.buffer.len() + entry::RUN + entry::MESSAGE + body.len() > self.buffer_bytes {
            self.flush()?;
        }
        let Some(Open { log, block, .. }) = &mut self.open else { return Ok(()) };
        if let Some(run) = log.run(subxid) {
            self.buffer.extend_from_slice(&entry::run(subxid, run.previous, *block));
        }
        self.buffer.extend_from_slice(&entry::message(lsn, body.len()));
        log.grow(entry::MESSAGE as u64);
        if self.buffer.len() + body.len() <= self.buffer_bytes {
            self.buffer.extend_from_slice(body);
            log.grow(body.len() as u64);
            return Ok(());
        }
        self.flush()?;
        self.write_past_the_buffer(body)
    }

    /// The block of the stream is complete.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be written.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if let Some(Open { xid, log, .. }) = self.open.take() {
            self.keep(xid, log);
        }
        Ok(())
    }

    /// Drops what `subxid` and its children have appended to `xid`; everything when the two are the same.
    ///
    /// # Errors
    /// [`Failure::Disk`] when the file cannot be read.
    pub fn abort(&mut self, xid: Xid, subxid: Xid) -> Result<(), Failure> {
        let Some(mut log) = self.logs.remove(&xid) else { return Ok(()) };
        if xid == subxid {
            log.cut(0, &mut self.blocks);
        }
        while let Some(run) = log.last().filter(|run| is_at_or_after(run.xid, subxid)) {
            let before = match run.previous {
                Some(at) => Some(self.run_at(&log, at)?),
                None => None,
            };
            log.cut(run.at, &mut self.blocks);
            log.set_last(before);
        }
        self.keep(xid, log);
        Ok(())
    }

    /// The transaction is committed: [`Spool::read`] gives what it holds. False when that is nothing.
    pub fn commit(&mut self, xid: Xid) -> bool {
        debug_assert!(self.open.is_none() && self.replay.is_none() && self.buffer.is_empty());
        let Some(log) = self.logs.remove(&xid) else { return false };
        self.replay = Some(Replay { log, fetched: 0, window: 0..0, block: 0 });
        true
    }

    /// The next message of the committed transaction; none after the last, whose room is free then.
    ///
    /// # Errors
    /// [`Failure::Disk`] when the file cannot be read.
    pub fn read(&mut self) -> Result<Option<Entry<'_>>, Failure> {
        loop {
            if !self.fetch(entry::MESSAGE)? {
                self.finish();
                return Ok(None);
            }
            match entry::parse(self.window()).ok_or_else(file::torn)? {
                Header::Message { lsn, length } => {
                    self.fetch(entry::MESSAGE + length)?;
                    return Ok(self.take(lsn, length));
                }
                Header::Run => {
                    self.fetch(entry::RUN)?;
                    let (_, _, block) = entry::parse_run(self.window()).ok_or_else(file::torn)?;
                    if let Some(replay) = &mut self.replay {
                        replay.block = block;
                        replay.window.start += entry::RUN;
                    }
                }
            }
        }
    }

    /// Bytes of disk in use.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.blocks.used_bytes()
    }

    /// Transactions that are held: in progress, or committed and not read to their end.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.logs.len() + usize::from(self.open.is_some()) + usize::from(self.replay.is_some())
    }

    fn keep(&mut self, xid: Xid, log: Log) {
        if log.length() > 0 {
            self.logs.insert(xid, log);
        } else {
            self.clear_unused();
        }
    }

    /// Writes what is buffered at the end of the open log.
    fn flush(&mut self) -> Result<(), Failure> {
        let Some(Open { log, .. }) = &mut self.open else { return Ok(()) };
        if self.buffer.is_empty() {
            return Ok(());
        }
        if !log.allocate(&mut self.blocks) {
            return Err(Failure::Full { limit: self.limit });
        }
        let at = log.length() - self.buffer.len() as u64;
        self.file.write(log.chain(), &self.blocks, at, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is larger than the buffer, which is empty.
    fn write_past_the_buffer(&mut self, body: &[u8]) -> Result<(), Failure> {
        let Some(Open { log, .. }) = &mut self.open else { return Ok(()) };
        let at = log.length();
        log.grow(body.len() as u64);
        if !log.allocate(&mut self.blocks) {
            return Err(Failure::Full { limit: self.limit });
        }
        self.file.write(log.chain(), &self.blocks, at, body)
    }

    fn run_at(&self, log: &Log, at: u64) -> Result<Run, Failure> {
        let mut bytes = [0; entry::RUN];
        self.file.read(log.chain(), &self.blocks, at, &mut bytes)?;
        let (xid, previous, _) = entry::parse_run(&bytes).ok_or_else(file::torn)?;
        Ok(Run { at, xid, previous })
    }

    fn window(&self) -> &[u8] {
        let window = self.replay.as_ref().map_or(0..0, |replay| replay.window.clone());
        self.buffer.get(window).unwrap_or_default()
    }

    /// The message at the front of the window, which holds it.
    fn take(&mut self, lsn: Lsn, length: usize) -> Option<Entry<'_>> {
        let Replay { window, block, .. } = self.replay.as_mut()?;
        let begin = window.start + entry::MESSAGE;
        window.start = begin + length;
        let body = self.buffer.get(begin..window.start)?;
        Some(Entry { lsn, block: *block, body })
    }

    /// Makes the window hold at least so many bytes; false when the log is read to its end.
    fn fetch(&mut self, wanted: usize) -> Result<bool, Failure> {
        let Some(Replay { log, fetched, window, .. }) = &mut self.replay else { return Ok(false) };
        if window.len() >= wanted {
            return Ok(true);
        }
        let left = log.length() - *fetched;
        if left == 0 && window.start == window.end {
            return Ok(false);
        }
        // One large message makes the buffer larger, the next small one smaller again.
        let size = wanted.max(self.buffer_bytes);
        self.buffer.copy_within(window.clone(), 0);
        self.buffer.truncate(window.len());
        if self.buffer.capacity() > size {
            self.buffer.shrink_to(size);
        }
        let begin = self.buffer.len();
        let more = usize::try_from(left).unwrap_or(usize::MAX).min(size - begin);
        self.buffer.reserve_exact(more);
        self.buffer.resize(begin + more, 0);
        *window = 0..begin + more;
        let into = self.buffer.get_mut(begin..).unwrap_or_default();
        self.file.read(log.chain(), &self.blocks, *fetched, into)?;
        *fetched += more as u64;
        if window.len() < wanted { Err(file::torn()) } else { Ok(true) }
    }

    fn finish(&mut self) {
        if let Some(Replay { mut log, .. }) = self.replay.take() {
            log.cut(0, &mut self.blocks);
        }
        self.buffer.clear();
        self.buffer.shrink_to(self.buffer_bytes);
        self.clear_unused();
    }

    /// When nothing is held the disk gets its room back.
    fn clear_unused(&mut self) {
        if self.blocks.used_bytes() == 0 && self.blocks.reset() {
            // Room that is not given back is still ours to use.
            let _ = self.file.clear();
        }
    }
}

/// Whether a spool could be opened, for `headwater check`.
///
/// # Errors
/// As [`Spool::open`].
pub fn probe(settings: &Settings) -> Result<(), Failure> {
    // Not the name of the spool: a pipeline that runs may be just creating that.
    SpoolFile::create(&path(&settings.directory, &format!("{}.check", settings.name))).map(drop)
}

fn path(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("headwater-{name}.spool"))
}

/// In the circular order of transaction ids; those of one transaction are never half a circle apart.
fn is_at_or_after(xid: Xid, other: Xid) -> bool {
    xid.0.wrapping_sub(other.0) < 1 << 31
}
