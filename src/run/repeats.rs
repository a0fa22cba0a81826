//! How often one and the same failure is worth a line of the log: the 1st, 2nd, 4th, 8th time and so on, and once in
//! a quarter of an hour at least. A server that is away for a night leaves a page of the log, and not a book. Pure: time
//! comes in.

use std::time::{Duration, Instant};

use crate::error::Error;

/// The failure that comes again and again.
#[derive(Debug, Default)]
pub struct Repeats {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    likeness: String,
    count: u64,
    logged: Instant,
}

impl Repeats {
    /// The session made progress: the next failure is news.
    pub fn progressed(&mut self) {
        self.last = None;
    }

    /// How many times in a row this failure has come, when that is worth a line now.
    pub fn worth_a_line(&mut self, error: &Error, now: Instant) -> Option<u64> {
        let likeness = likeness(error);
        match &mut self.last {
            Some(last) if last.likeness == likeness => {
                last.count += 1;
                let due = now.saturating_duration_since(last.logged) >= LONGEST_SILENCE;
                (last.count.is_power_of_two() || due).then(|| {
                    last.logged = now;
                    last.count
                })
            }
            _ => {
                self.last = Some(Last { likeness, count: 1, logged: now });
                Some(1)
            }
        }
    }
}

/// The sentence without its digits, hexadecimal ones too: times, process ids, ports and positions differ from one attempt to
/// the next.
fn likeness(error: &Error) -> String {
    let text = error.to_string();
    let letters = text.chars().filter(|character| !character.is_ascii_hexdigit());
    std::iter::once(error.kind().name()).flat_map(str::chars).chain(letters).collect()
}

const LONGEST_SILENCE: Duration = Duration::from_secs(15 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn refused(process: u32) -> Error {
        Error::new(Kind::SlotBusy, format!("slot \"s\" is held by process {process}"))
    }

    #[test]
    fn the_same_failure_is_told_ever_more_rarely() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let told: Vec<u64> = (0..100).filter_map(|id| repeats.worth_a_line(&refused(id), now)).collect();
        assert_eq!(told, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(repeats.worth_a_line(&refused(7), now + LONGEST_SILENCE), Some(101));
        assert_eq!(repeats.worth_a_line(&refused(7), now + LONGEST_SILENCE), None);
    }

    #[test]
    fn another_failure_and_the_first_after_progress_are_news() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for _ in 0..3 {
            repeats.worth_a_line(&refused(1), now);
        }
        let away = Error::new(Kind::SourceUnreachable, "connection refused");
        assert_eq!(repeats.worth_a_line(&away, now), Some(1));
        repeats.progressed();
        assert_eq!(repeats.worth_a_line(&away, now), Some(1));
    }
}
