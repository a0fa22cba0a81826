//! Records as JSON lines on standard output or appended to a file, for trying things out and for pipes. A commit flushes
//! and, with a file, makes the lines durable before the checkpoint; lines behind the checkpoint are cut off at the next
//! start, so that a crash between the two leaves neither a gap nor a duplicate. A commit waits for the disk: this sink is
//! the one that may block.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Stdout, Write};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::context::ContextHeaders;
use super::state_file::{Output, State, StateFile};
use super::wake::Wake;
use super::{BatchId, CheckpointMode, CheckpointRecord, InFlight, Sink};
use crate::config::{self, Config};
use crate::encode::{Record, Records};
use crate::error::{Error, Kind, Result};
use crate::event::TopicId;

/// Standard output or a file.
pub struct LinesSink {
    out: Out,
    state: StateFile,
    context: ContextHeaders,
    topics: Vec<String>,
    open: InFlight,
    durable: VecDeque<BatchId>,
    wake: Wake,
}

enum Out {
    Stdout(BufWriter<Stdout>),
    File {
        file: BufWriter<File>,
        path: PathBuf,
        bytes: u64,
    },
    /// A pipe or a device under a path: it has no length to cut back to and nothing to synchronise.
    Stream {
        file: BufWriter<File>,
        path: PathBuf,
    },
}

impl LinesSink {
    /// Opens the output that `sink.type` names. A file is cut back to where the last checkpoint saw its end.
    pub fn open(config: &Config, wake: Wake) -> Result<Self> {
        let state = StateFile::new(&config.checkpoint.file);
        let out = match &config.sink {
            config::Sink::File { path } => open_file(path, &state)?,
            config::Sink::Stdout | config::Sink::Kafka => {
                Out::Stdout(BufWriter::with_capacity(BUFFER_BYTES, io::stdout()))
            }
        };
        let context = ContextHeaders::new(&config.name);
        Ok(Self {
            out,
            state,
            context,
            topics: Vec::new(),
            open: InFlight::default(),
            durable: VecDeque::new(),
            wake,
        })
    }
}

fn open_file(path: &Path, state: &StateFile) -> Result<Out> {
    let failed = |what: &str, error: io::Error| {
        Error::new(Kind::File, format!("sink.path {} {what}", path.display())).with_source(error)
    };
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|error| failed("cannot be opened for appending", error))?;
    let about = file.metadata().map_err(|error| failed("cannot be examined", error))?;
    if !about.is_file() {
        return Ok(Out::Stream { file: BufWriter::with_capacity(BUFFER_BYTES, file), path: path.to_owned() });
    }
    let mut bytes = about.len();
    if let Some(output) = state.read()?.and_then(|state| state.output).filter(|output| output.path == path) {
        if bytes < output.bytes {
            let why = format!(
                "sink.path {} is shorter than when {} was written",
                path.display(),
                state.path().display()
            );
            return Err(Error::new(Kind::File, why)
                .with_hint("restore the file, or remove the checkpoint file to start at the slot"));
        }
        if bytes > output.bytes {
            warn!(path = %path.display(), bytes = bytes - output.bytes, "cut off lines that no checkpoint covers");
            file.set_len(output.bytes).map_err(|error| failed("cannot be cut", error))?;
            bytes = output.bytes;
        }
    }
    Ok(Out::File { file: BufWriter::with_capacity(BUFFER_BYTES, file), path: path.to_owned(), bytes })
}

impl Sink for LinesSink {
    fn checkpoint_mode(&self) -> CheckpointMode {
        CheckpointMode::WithBatch
    }

    fn register_topic(&mut self, topic: TopicId, name: &str) -> Result<()> {
        let index = topic.0 as usize;
        if self.topics.len() <= index {
            self.topics.resize(index + 1, String::new());
        }
        if let Some(place) = self.topics.get_mut(index) {
            name.clone_into(place);
        }
        Ok(())
    }

    fn write(&mut self, records: &Records, from: usize) -> Result<usize> {
        let mut next = from;
        while let Some(record) = records.get(next) {
            let topic = self.topics.get(record.topic.0 as usize).map_or("", String::as_str);
            let bytes =
                self.out.line(topic, &record, &self.context).map_err(|error| self.out.failed(error))?;
            self.open.bytes += bytes;
            self.open.records += 1;
            next += 1;
        }
        Ok(next)
    }

    fn commit(&mut self, batch: BatchId, checkpoint: Option<CheckpointRecord>) -> Result<()> {
        self.out.flush().map_err(|error| self.out.failed(error))?;
        if let Some(checkpoint) = checkpoint {
            let output = match &self.out {
                Out::Stdout(_) | Out::Stream { .. } => None,
                Out::File { path, bytes, .. } => Some(Output { path: path.clone(), bytes: *bytes }),
            };
            self.state.write(&State::new(&checkpoint.key, &checkpoint.value, output)?)?;
        }
        self.open = InFlight::default();
        self.durable.push_back(batch);
        self.wake.ring();
        Ok(())
    }

    fn poll(&mut self, durable: &mut dyn FnMut(BatchId)) -> Result<()> {
        self.durable.drain(..).for_each(durable);
        Ok(())
    }

    fn in_flight(&self) -> InFlight {
        self.open
    }
}

impl Out {
    fn line(&mut self, topic: &str, record: &Record<'_>, context: &ContextHeaders) -> io::Result<u64> {
        match self {
            Self::Stdout(out) => write_line(out, topic, record, context),
            Self::Stream { file, .. } => write_line(file, topic, record, context),
            Self::File { file, bytes, .. } => {
                let line = write_line(file, topic, record, context)?;
                *bytes += line;
                Ok(line)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Stream { file, .. } => file.flush(),
            Self::File { file, .. } => {
                file.flush()?;
                file.get_ref().sync_data()
            }
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        match self {
            Self::Stdout(_) if error.kind() == io::ErrorKind::BrokenPipe => {
                Error::new(Kind::File, "standard output was closed by its reader")
                    .with_hint("the reader of the pipe has ended; start both again")
            }
            Self::Stdout(_) => Error::new(Kind::File, "standard output cannot be written").with_source(error),
            Self::File { path, .. } | Self::Stream { path, .. } => {
                Error::new(Kind::File, format!("sink.path {} cannot be written", path.display()))
                    .with_source(error)
            }
        }
    }
}

/// `{"topic":…,"key":…,"value":…,"headers":[["name","value"],…]}`; key and value are JSON already, and a
/// header's value may be null. Returns its length.
fn write_line(
    out: &mut impl Write,
    topic: &str,
    record: &Record<'_>,
    context: &ContextHeaders,
) -> io::Result<u64> {
    let mut out = Counted { out, bytes: 0 };
    out.write_all(b"{\"topic\":")?;
    serde_json::to_writer(&mut out, topic)?;
    out.write_all(b",\"key\":")?;
    out.write_all(record.key.unwrap_or(b"null"))?;
    out.write_all(b",\"value\":")?;
    out.write_all(record.value.unwrap_or(b"null"))?;
    out.write_all(b",\"headers\":")?;
    let mut separator: &[u8] = b"[[";
    let mut result = Ok(());
    context.for_each(record, |name, value| {
        let mut header = || -> io::Result<()> {
            out.write_all(separator)?;
            serde_json::to_writer(&mut out, &String::from_utf8_lossy(name))?;
            out.write_all(b",")?;
            serde_json::to_writer(&mut out, &value.map(String::from_utf8_lossy))?;
            Ok(())
        };
        if result.is_ok() {
            result = header();
        }
        separator = b"],[";
    });
    result?;
    out.write_all(if separator == b"[[" { b"[]}\n" } else { b"]]}\n" })?;
    Ok(out.bytes)
}

/// Counts what goes through.
struct Counted<'a, W: Write> {
    out: &'a mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

const BUFFER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sink::sample;

    fn line(context: bool, headers: &[(&str, &str)], value: &[u8]) -> serde_json::Value {
        let records = sample::records(context, headers, value);
        let mut out = Vec::new();
        let context = ContextHeaders::new("shop");
        let bytes = write_line(&mut out, "shop.public.t", &records.get(0).unwrap(), &context).unwrap();
        assert_eq!(bytes, out.len() as u64);
        assert_eq!(out.split(|byte| *byte == b'\n').count(), 2);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_line_is_json() {
        let line = line(true, &[("headwater.id", "a\"b")], br#"{"op":"c"}"#);
        assert_eq!((&line["topic"], &line["value"]["op"]), (&"shop.public.t".into(), &"c".into()));
        assert_eq!(line["headers"].as_array().unwrap().len(), 5);
        assert_eq!(line["headers"][4], serde_json::json!(["headwater.id", "a\"b"]));
        assert_eq!(self::line(false, &[], b"null")["headers"], serde_json::json!([]));
    }

    #[test]
    fn a_header_without_a_value_is_null() {
        let mut records = Records::default();
        let buffer = records.buffer();
        buffer.extend_from_slice(b"{}");
        // As the encoder marks it: in the place of the length.
        for part in [&1_u32.to_le_bytes()[..], b"a", &u32::MAX.to_le_bytes()] {
            buffer.extend_from_slice(part);
        }
        crate::encode::push_header(buffer, b"b", b"");
        let end = buffer.len();
        records.push(TopicId(0), false, None, Some(0..2), 2..end);
        let mut out = Vec::new();
        write_line(&mut out, "t", &records.get(0).unwrap(), &ContextHeaders::new("shop")).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["headers"], serde_json::json!([["a", null], ["b", ""]]));
    }

    #[test]
    fn a_device_is_written_to_and_never_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = PathBuf::from("/dev/null");
        let mut config = sample::config("");
        config.sink = config::Sink::File { path };
        config.checkpoint.file = directory.path().join("state");
        let mut sink = LinesSink::open(&config, Wake::new().unwrap()).unwrap();
        let checkpoint = CheckpointRecord { key: "shop".into(), value: b"{}".to_vec() };
        sink.commit(BatchId(0), Some(checkpoint)).unwrap();
        assert!(LinesSink::open(&config, Wake::new().unwrap()).is_ok());
    }

    #[test]
    fn what_no_checkpoint_covers_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let mut config = sample::config("");
        config.sink = config::Sink::File { path: path.clone() };
        config.checkpoint.file = directory.path().join("state");
        let records = sample::records(false, &[], b"1");
        let checkpoint = || Some(CheckpointRecord { key: "shop".into(), value: b"{}".to_vec() });
        {
            let mut sink = LinesSink::open(&config, Wake::new().unwrap()).unwrap();
            sink.register_topic(TopicId(0), "t").unwrap();
            assert_eq!(sink.write(&records, 0).unwrap(), 1);
            sink.commit(BatchId(0), checkpoint()).unwrap();
            let mut durable = Vec::new();
            sink.poll(&mut |batch| durable.push(batch)).unwrap();
            assert_eq!(durable, [BatchId(0)]);
            sink.write(&records, 0).unwrap();
            sink.commit(BatchId(1), None).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        drop(LinesSink::open(&config, Wake::new().unwrap()).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        fs::write(&path, "").unwrap();
        assert_eq!(LinesSink::open(&config, Wake::new().unwrap()).err().unwrap().kind(), Kind::File);
    }
}
