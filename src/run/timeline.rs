//! The history of timelines, to know whether what was published is in this server after a failover.

use crate::error::{Error, Kind, Result};
use crate::lsn::Lsn;
use crate::source::Connection;

/// Where `timeline` was left for the next one, in the history of `current`; none when they are the same.
///
/// # Errors
/// [`Kind::SystemChanged`] when `timeline` is no ancestor of `current`.
pub(crate) fn switch_lsn(connection: &mut Connection, timeline: u32, current: u32) -> Result<Option<Lsn>> {
    if timeline == current {
        return Ok(None);
    }
    let rows = connection.query(&format!("TIMELINE_HISTORY {current}"), HISTORY_PATIENCE)?;
    let content =
        rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten().unwrap_or_default();
    parse(&content, timeline).map(Some).ok_or_else(|| {
        let detail = format!(
            "the checkpoint is of timeline {timeline}, which is not in the history of timeline {current}"
        );
        Error::new(Kind::SystemChanged, detail)
    })
}

/// A line of a history file: timeline, switch point, reason, separated by tabs.
fn parse(history: &str, timeline: u32) -> Option<Lsn> {
    history.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let of: u32 = fields.next()?.parse().ok()?;
        let switch = fields.next()?.parse().ok()?;
        (of == timeline).then_some(switch)
    })
}

const HISTORY_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_switch_point() {
        let history = "1\t0/3000158\tno recovery target specified\n\n2\t0/40001A8\tbefore 2026\n";
        assert_eq!(parse(history, 1), Some(Lsn(0x300_0158)));
        assert_eq!(parse(history, 2), Some(Lsn(0x400_01A8)));
        assert_eq!(parse(history, 3), None);
        assert_eq!(parse("# a comment", 1), None);
    }
}
