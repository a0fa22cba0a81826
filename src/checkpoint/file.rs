//! The checkpoint of the sinks that write lines: the file that the sink replaces at each commit.

use super::Position;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::sink::StateFile;

/// The position in `checkpoint.file`; none when there is no such file.
pub fn read(config: &Config) -> Result<Option<Position>> {
    let file = StateFile::new(&config.checkpoint.file);
    let Some(state) = file.read()? else { return Ok(None) };
    if state.pipeline != config.name {
        let why = format!("checkpoint.file {} is of pipeline {:?}", file.path().display(), state.pipeline);
        return Err(Error::new(Kind::File, why).with_hint("give each pipeline a checkpoint.file of its own"));
    }
    let json = serde_json::to_vec(&state.checkpoint).unwrap_or_default();
    let position = Position::from_json(&json);
    position.map(Some).map_err(|error| error.context(format!("read {}", file.path().display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsn::Lsn;
    use crate::sink::{State, sample};

    #[test]
    fn a_file_belongs_to_one_pipeline() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = sample::config("");
        config.checkpoint.file = directory.path().join("state");
        assert_eq!(read(&config).unwrap(), None);
        let position = Position {
            system_id: 1,
            timeline: 1,
            slot: "s".into(),
            end_lsn: Lsn(9),
            last_commit_end_lsn: None,
            partial: None,
            snapshot: None,
        };
        let state = State::new("shop", &position.to_json(0), None).unwrap();
        StateFile::new(&config.checkpoint.file).write(&state).unwrap();
        assert_eq!(read(&config).unwrap(), Some(position));
        config.name = "other".into();
        assert_eq!(read(&config).unwrap_err().kind(), Kind::File);
    }
}
