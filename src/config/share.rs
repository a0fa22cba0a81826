//! How the memory of a process is divided among its pipelines. `limits.memory` at the top bounds the process, one pipeline
//! or many; the program counts once, and what is left is shared evenly among those that ask for no share of their own.

use super::report::Mistake;
use super::settings::Settings;
use super::units::format_size;

/// What one pipeline may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Bytes.
    pub(super) memory: u64,
    /// What of it is taken before any buffer.
    pub(super) fixed: u64,
}

impl Share {
    /// All of it: the only pipeline of a file without `[[pipeline]]`, and the program with it.
    pub(super) fn whole(memory: u64) -> Self {
        Self { memory, fixed: PROGRAM + PIPELINE }
    }
}

/// The shares of pipelines that ask for so many bytes, or for none in particular, or why they cannot be had.
pub(super) fn divide(memory: u64, asked: &[Option<u64>]) -> Result<Vec<Share>, String> {
    let given: u64 = asked.iter().flatten().sum();
    let others = asked.iter().filter(|share| share.is_none()).count() as u64;
    let needed = PROGRAM + given + others * SMALLEST_SHARE;
    if needed > memory {
        let least = format_size(needed.next_multiple_of(1 << 20));
        return Err(format!("\"{least}\""));
    }
    let even = (memory - PROGRAM - given).checked_div(others).unwrap_or_default();
    let share = |asked: &Option<u64>| Share { memory: asked.unwrap_or(even), fixed: PIPELINE };
    Ok(asked.iter().map(share).collect())
}

/// Says that the memory does not suffice, and how much would.
pub(super) fn too_little(top: &Settings, asked: &[Option<u64>], least: &str) -> Mistake {
    let given: u64 = asked.iter().flatten().sum();
    let shares =
        if given > 0 { format!(", of which {} are asked for", format_size(given)) } else { String::new() };
    let reason = format!(
        "is too little for {} pipelines: each needs {} at least and the program {}{shares}",
        asked.len(),
        format_size(SMALLEST_SHARE),
        format_size(PROGRAM),
    );
    top.mistake(
        "limits.memory",
        reason,
        format!("write {least} or more at the top, or run fewer pipelines in one process"),
    )
}

const MIB: u64 = 1 << 20;

/// The program, its runtime and libraries, the admin server: measured with pipelines that idle, and rounded up.
const PROGRAM: u64 = 16 * MIB;
/// Threads and connections of one pipeline and librdkafka's own, without anything to send.
const PIPELINE: u64 = 4 * MIB;
/// Half of it is left for buffers, of which the sink's queue is a third.
pub(super) const SMALLEST_SHARE: u64 = 8 * MIB;
/// A process with one pipeline.
pub(super) const SMALLEST_PROCESS: u64 = 32 * MIB;

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(memory: u64, asked: &[Option<u64>]) -> Vec<u64> {
        divide(memory, asked).unwrap().iter().map(|share| share.memory / MIB).collect()
    }

    #[test]
    fn what_nobody_asks_for_is_shared_evenly() {
        assert_eq!(shares(64 * MIB, &[None, None]), [24, 24]);
        assert_eq!(shares(64 * MIB, &[None]), [48]);
        assert_eq!(shares(64 * MIB, &[Some(20 * MIB), None, None]), [20, 14, 14]);
        assert_eq!(shares(64 * MIB, &[Some(20 * MIB)]), [20]);
    }

    #[test]
    fn what_does_not_fit_is_told_with_what_would() {
        assert_eq!(shares(80 * MIB, &[None; 8]), [8; 8]);
        assert_eq!(divide(80 * MIB - 1, &[None; 8]).unwrap_err(), "\"80MiB\"");
        assert_eq!(divide(64 * MIB, &[Some(45 * MIB), None]).unwrap_err(), "\"69MiB\"");
    }

    #[test]
    fn one_pipeline_has_all() {
        assert_eq!(Share::whole(64 * MIB), Share { memory: 64 * MIB, fixed: 20 * MIB });
    }
}
