//! What the pages show of all pipelines of the process. With one pipeline a page is about it, as if there were no others;
//! with `[[pipeline]]` tables it is about all, and `/status/NAME`, `/healthz/NAME` and `/readyz/NAME` are about one.
//!
//! A pipeline that has ended for good does not make the process unhealthy while others run: to start the process again would
//! disturb them and not help it, since a person must act. It is named on every page, and its `headwater_healthy` is 0.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::health::{Health, Verdict};
use super::metrics::{Metrics, VERSION};
use super::state::State;
use super::status::{Report, Status};
use crate::error::Result;
use crate::lsn::UnixMicros;

/// One pipeline.
#[derive(Clone, Debug)]
pub struct Watched {
    pub metrics: Metrics,
    pub status: Arc<Status>,
    pub health: Arc<Health>,
}

/// All of them.
#[derive(Debug)]
pub struct Board {
    /// At least one.
    pipelines: Vec<Watched>,
    several: bool,
}

/// `/status` of several pipelines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reports {
    /// Of this program.
    pub version: String,
    pub pipelines: Vec<Report>,
}

impl Board {
    /// `several`: the configuration has `[[pipeline]]` tables, if only one.
    #[must_use]
    pub fn new(pipelines: Vec<Watched>, several: bool) -> Self {
        Self { pipelines, several }
    }

    /// Whether the pages are about several pipelines.
    pub fn is_several(&self) -> bool {
        self.several
    }

    /// Every pipeline.
    pub fn pipelines(&self) -> &[Watched] {
        &self.pipelines
    }

    /// One pipeline by its name.
    pub fn pipeline(&self, name: &str) -> Option<&Watched> {
        self.pipelines.iter().find(|watched| watched.name() == name)
    }

    /// Whether starting the process again would help a pipeline; and what `/healthz` says of it.
    pub fn check(&self, now: Instant) -> (Verdict, String) {
        let verdicts: Vec<Verdict> = self.pipelines.iter().map(|watched| watched.health.check(now)).collect();
        let all_failed = self.pipelines.iter().all(Watched::has_failed);
        let (mut text, mut help) = (String::new(), false);
        for (watched, verdict) in self.pipelines.iter().zip(verdicts) {
            let Verdict::Unhealthy(why) = verdict else { continue };
            help |= all_failed || !watched.has_failed();
            // Writing to a String cannot fail.
            let _ = if self.several {
                writeln!(text, "{}: {why}", watched.name())
            } else {
                writeln!(text, "{why}")
            };
        }
        if help {
            return (Verdict::Unhealthy(text.trim_end().to_owned()), text);
        }
        (Verdict::Healthy, format!("ok\n{text}"))
    }

    /// Whether changes flow in every pipeline; and the state of each.
    pub fn ready(&self) -> (bool, String) {
        let mut text = String::new();
        for watched in &self.pipelines {
            let state = watched.metrics.pipeline().state().name();
            // Writing to a String cannot fail.
            let _ = if self.several {
                writeln!(text, "{}: {state}", watched.name())
            } else {
                writeln!(text, "{state}")
            };
        }
        (self.pipelines.iter().all(|watched| watched.health.ready()), text)
    }

    /// `/status`.
    pub fn report(&self, now: UnixMicros) -> Reports {
        let pipelines = self.pipelines.iter().map(|watched| watched.status.report(now)).collect();
        Reports { version: VERSION.to_owned(), pipelines }
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// As [`Metrics::render`].
    pub fn render(&self, now: UnixMicros) -> Result<String> {
        let (mut text, mut others) = (Ok(String::new()), self.pipelines.iter());
        // The pipelines are on one registry: the last has what all have worked out.
        if let Some(last) = others.next_back() {
            others.for_each(|watched| watched.metrics.refresh(now));
            text = last.metrics.render(now);
        }
        text
    }
}

impl Watched {
    /// Of the pipeline.
    pub fn name(&self) -> &str {
        self.status.name()
    }

    fn has_failed(&self) -> bool {
        self.metrics.pipeline().state() == State::Failed
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::status;

    /// Pipelines of these names, as the daemon makes them.
    pub(in crate::observe) fn board(names: &[&str], several: bool) -> Board {
        let watched = |(name, metrics): (&&str, Metrics)| {
            let config = crate::config::Config { name: (*name).to_owned(), ..status::tests::config() };
            Watched {
                status: Arc::new(Status::new(&config, metrics.clone(), UnixMicros(0))),
                health: Arc::new(Health::new(metrics.clone(), Duration::from_secs(60), Instant::now())),
                metrics,
            }
        };
        let metrics = Metrics::of_pipelines(names, 1).unwrap();
        Board::new(names.iter().zip(metrics).map(watched).collect(), several)
    }

    fn set(board: &Board, states: [State; 2]) {
        for (watched, state) in board.pipelines().iter().zip(states) {
            watched.metrics.pipeline().set_state(state);
        }
    }

    #[test]
    fn one_that_has_ended_leaves_the_process_healthy_and_is_named() {
        let board = board(&["shop", "crm"], true);
        let now = Instant::now();
        set(&board, [State::Streaming, State::Streaming]);
        assert_eq!(board.check(now), (Verdict::Healthy, "ok\n".into()));
        assert_eq!(board.ready(), (true, "shop: streaming\ncrm: streaming\n".into()));
        set(&board, [State::Streaming, State::Failed]);
        let ended = "crm: the pipeline ended with an error; /status shows it\n";
        assert_eq!(board.check(now), (Verdict::Healthy, format!("ok\n{ended}")));
        assert_eq!(board.ready(), (false, "shop: streaming\ncrm: failed\n".into()));
        let text = board.render(UnixMicros(0)).unwrap();
        assert!(text.contains("headwater_healthy{pipeline=\"crm\"} 0\n"), "{text}");
        assert!(text.contains("headwater_healthy{pipeline=\"shop\"} 1\n"), "{text}");
        set(&board, [State::Failed, State::Failed]);
        let (verdict, text) = board.check(now);
        assert!(
            matches!(verdict, Verdict::Unhealthy(_)) && text.contains("shop: ") && text.contains(ended),
            "{text}"
        );
    }

    #[test]
    fn one_that_is_silent_makes_the_process_unhealthy() {
        let board = board(&["shop", "crm"], true);
        set(&board, [State::Streaming, State::Failed]);
        let started = Instant::now();
        board.check(started);
        let (verdict, text) = board.check(started + Duration::from_secs(61));
        assert!(matches!(verdict, Verdict::Unhealthy(_)), "{text}");
        assert!(
            text.starts_with("shop: no sign of life") && text.contains("\ncrm: the pipeline ended"),
            "{text}"
        );
    }

    #[test]
    fn each_pipeline_has_samples_of_its_own() {
        let board = board(&["shop", "crm"], true);
        board.pipelines()[1].metrics.restart();
        let text = board.render(UnixMicros(0)).unwrap();
        assert_eq!(text.matches("# TYPE headwater_restarts_total counter\n").count(), 1);
        for line in [
            "headwater_restarts_total{pipeline=\"crm\"} 1\n",
            "headwater_restarts_total{pipeline=\"shop\"} 0\n",
            "headwater_memory_limit_bytes 1\n",
            "debezium_metrics_Connected{context=\"streaming\",name=\"crm\",plugin=\"postgres\"} 0\n",
        ] {
            assert_eq!(text.matches(line).count(), 1, "{line} in {text}");
        }
    }
}
