//! The file itself: a name for as long as it takes to create it, and positioned reads and writes over chains of blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::Failure;
use super::blocks::Blocks;

/// An unlinked file that only its owner could ever read.
#[derive(Debug)]
pub(super) struct SpoolFile(File);

impl SpoolFile {
    /// Creates the file and takes its name away. One that a killed process left in between goes too; a link that somebody
    /// put there is removed and never followed.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let failed = |doing: &str| {
            let doing = format!("{doing} {}", path.display());
            move |error| Failure::Disk { doing, error }
        };
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("remove")(error)),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed("create the spool"))?;
        std::fs::remove_file(path).map_err(failed("unlink the spool"))?;
        Ok(Self(file))
    }

    /// A file that is open already, whatever it can do.
    #[cfg(test)]
    pub(super) fn of(file: File) -> Self {
        Self(file)
    }

    #[cfg(test)]
    pub(super) fn length(&self) -> u64 {
        self.0.metadata().unwrap().len()
    }

    #[cfg(test)]
    pub(super) fn mode(&self) -> u32 {
        std::os::unix::fs::PermissionsExt::mode(&self.0.metadata().unwrap().permissions())
    }

    /// Writes `bytes` at `at` of the log whose blocks are `chain`.
    pub(super) fn write(
        &self,
        chain: &[u32],
        blocks: &Blocks,
        mut at: u64,
        mut bytes: &[u8],
    ) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let (offset, room) = place(chain, blocks, at).ok_or_else(torn)?;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.0.write_all_at(now, offset).map_err(disk("write the spool"))?;
            at += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Fills `into` from `at` of the log whose blocks are `chain`.
    pub(super) fn read(
        &self,
        chain: &[u32],
        blocks: &Blocks,
        mut at: u64,
        mut into: &mut [u8],
    ) -> Result<(), Failure> {
        while !into.is_empty() {
            let (offset, room) = place(chain, blocks, at).ok_or_else(torn)?;
            let (now, later) = into.split_at_mut(room.min(into.len()));
            self.0.read_exact_at(now, offset).map_err(disk("read the spool"))?;
            at += now.len() as u64;
            into = later;
        }
        Ok(())
    }

    /// Gives its room on disk back.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.0.set_len(0)
    }
}

/// What a log does not hold although it says so.
pub(super) fn torn() -> Failure {
    Failure::Disk { doing: "read the spool".to_owned(), error: ErrorKind::UnexpectedEof.into() }
}

fn disk(doing: &'static str) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::Disk { doing: doing.to_owned(), error }
}

/// Where `at` stands in the file, and how many bytes of the log follow there.
fn place(chain: &[u32], blocks: &Blocks, at: u64) -> Option<(u64, usize)> {
    let size = blocks.size();
    let block = *chain.get(usize::try_from(at / size).ok()?)?;
    let within = at % size;
    Some((u64::from(block) * size + within, usize::try_from(size - within).ok()?))
}
