//! The checkpoint of a sink without Kafka: a small JSON file, replaced as a whole. Beside the checkpoint it keeps how long
//! the output file was, so that what was appended after it can be cut off: either both are there or neither is.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// Where the checkpoint is kept.
#[derive(Clone, Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
}

/// What it holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    /// Key of the checkpoint record.
    pub(crate) pipeline: String,
    /// None for standard output.
    pub(crate) output: Option<Output>,
    pub(crate) checkpoint: serde_json::Value,
}

/// The output file when the checkpoint was written.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Output {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl State {
    pub(crate) fn new(pipeline: &str, checkpoint: &[u8], output: Option<Output>) -> Result<Self> {
        let checkpoint = serde_json::from_slice(checkpoint)
            .map_err(|error| Error::new(Kind::Internal, "the checkpoint is no JSON").with_source(error))?;
        Ok(Self { version: VERSION, pipeline: pipeline.to_owned(), output, checkpoint })
    }
}

impl StateFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// None when there is no such file.
    pub(crate) fn read(&self) -> Result<Option<State>> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("cannot be read", error)),
        };
        let state: State =
            serde_json::from_slice(&bytes).map_err(|error| self.no_checkpoint(&error.to_string()))?;
        if state.version == VERSION {
            Ok(Some(state))
        } else {
            Err(self.no_checkpoint(&format!("version {} is not known", state.version)))
        }
    }

    /// Replaces the file. When this returns, the new state survives a crash of the machine.
    pub(crate) fn write(&self, state: &State) -> Result<()> {
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".tmp");
        let replace = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            serde_json::to_writer(&mut file, state)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)?;
            let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
        };
        replace().map_err(|error| self.failed("cannot be written", error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::new(Kind::File, format!("checkpoint.file {} {what}", self.path.display())).with_source(error)
    }

    fn no_checkpoint(&self, why: &str) -> Error {
        Error::new(
            Kind::Checkpoint,
            format!("checkpoint.file {} is no checkpoint: {why}", self.path.display()),
        )
        .with_hint("restore the file, or remove it to start at the slot")
    }
}

const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_last() {
        let directory = tempfile::tempdir().unwrap();
        let file = StateFile::new(&directory.path().join("shop.checkpoint"));
        assert_eq!(file.read().unwrap(), None);
        for bytes in [1, 2] {
            let output = Some(Output { path: "out".into(), bytes });
            file.write(&State::new("shop", br#"{"commit_lsn":"0/1"}"#, output).unwrap()).unwrap();
        }
        let state = file.read().unwrap().unwrap();
        assert_eq!(state.output.unwrap().bytes, 2);
        assert_eq!(state.checkpoint["commit_lsn"], "0/1");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn says_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c");
        let file = StateFile::new(&path);
        for bytes in ["", "{}", r#"{"version":9,"pipeline":"p","output":null,"checkpoint":{}}"#] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(file.read().unwrap_err().kind(), Kind::Checkpoint, "{bytes}");
        }
        let error = StateFile::new(&directory.path().join("no/c"))
            .write(&State::new("p", b"{}", None).unwrap())
            .unwrap_err();
        assert_eq!(error.kind(), Kind::File);
    }
}
