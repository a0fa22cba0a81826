//! docs/metrics.md against what is exported, in both directions; and the sample registry that both this and
//! `scripts/check-grafana` look at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::{About, Board, Health, Metrics, Progress, SkipReason, SlotWal, State, Status, Watched, status};
use crate::error::Kind;
use crate::event::Op;
use crate::lsn::{Lsn, UnixMicros};

/// A pipeline that has every sample there can be.
fn sample() -> Metrics {
    let metrics = Metrics::new(&About { name: "shop", memory_bytes: 64 << 20 }).unwrap();
    let mut orders = metrics.table("public", "orders");
    orders.inc(Op::Create, 600);
    orders.unrepresentable(1);
    orders.flush();
    metrics.skipped(SkipReason::Replayed, 3);
    metrics.error(Kind::SinkUnreachable);
    let pipeline = metrics.pipeline();
    pipeline.set_state(State::Streaming);
    pipeline.queue_capacity(16 << 20, 100_000);
    pipeline.slot(&SlotWal {
        retained_bytes: Some(1 << 24),
        safe_bytes: Some(1 << 30),
        status: Some("reserved".into()),
    });
    let now = super::now();
    let mut transactions = pipeline.transactions();
    transactions.received();
    transactions.published(UnixMicros(now.0 - 20_000), now);
    transactions.flush();
    pipeline.kafka_commit.observe(0.012);
    pipeline.event_seen(now);
    let (whole, step) = (Duration::from_millis(150), Duration::from_millis(20));
    metrics.start().record(whole, [("checkpoint", step)].into_iter());
    let progress =
        Progress { received: Lsn(2000), flushed: Lsn(1000), has_work: true, ..Progress::default() };
    pipeline.progress(&progress, now);
    metrics
}

/// Type and label names of each exported family.
fn exported() -> BTreeMap<String, (String, String)> {
    let text = sample().render(super::now()).unwrap();
    let mut families = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let sample = text.lines().find(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket"))
            });
            let labels = sample.and_then(|line| line.split_once('{')).map_or(String::new(), |(_, rest)| {
                let inside = rest.rsplit_once('}').map_or("", |(inside, _)| inside);
                let names = inside.split("\",").filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
                let mut names: Vec<_> = names.filter(|name| *name != "le").collect();
                names.sort_unstable();
                names.join(", ")
            });
            families.insert(name.to_owned(), (kind.to_owned(), labels));
        }
    }
    families
}

/// Type and label names of each row of the table: | `name` | type | labels | unit | …
fn documented() -> BTreeMap<String, (String, String)> {
    let mut families = BTreeMap::new();
    for line in include_str!("../../docs/metrics.md").lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        let [_, name, kind, labels, unit, meaning, worry, _] = cells.as_slice() else {
            panic!("not six cells: {line}");
        };
        assert!(!unit.is_empty() && !meaning.is_empty() && !worry.is_empty(), "an empty cell: {line}");
        let mut labels: Vec<_> = labels.split(", ").filter(|label| *label != "–").collect();
        labels.sort_unstable();
        let twice = families.insert(name.clone(), (kind.clone(), labels.join(", ")));
        assert!(twice.is_none(), "twice: {name}");
    }
    families
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_exists() {
    let (exported, documented) = (exported(), documented());
    let undocumented: Vec<_> = exported.iter().filter(|row| documented.get(row.0) != Some(row.1)).collect();
    let unknown: Vec<_> = documented.iter().filter(|row| exported.get(row.0) != Some(row.1)).collect();
    assert!(
        undocumented.is_empty() && unknown.is_empty(),
        "exported {undocumented:#?}, documented {unknown:#?}"
    );
}

#[test]
fn what_may_happen_is_there_at_zero_before_it_happens() {
    let text = Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap().render(super::now()).unwrap();
    for kind in Kind::ALL {
        let line = format!("headwater_errors_total{{kind=\"{}\",pipeline=\"shop\"}} 0\n", kind.name());
        assert!(text.contains(&line), "{line}");
    }
    for reason in SkipReason::ALL {
        assert!(text.contains(&format!(
            "headwater_events_skipped_total{{pipeline=\"shop\",reason=\"{}\"}} 0\n",
            reason.name()
        )));
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let alerts = include_str!("../../grafana/prometheus/alerts.yml");
    let runbook = include_str!("../../docs/runbook.md");
    let mut anchors = 0;
    for link in alerts.lines().filter_map(|line| line.trim().strip_prefix("runbook: docs/runbook.md#")) {
        let heading = format!("## {link}");
        let found =
            runbook.lines().any(|line| line.to_lowercase().replace(' ', "-") == heading.replace(' ', "-"));
        assert!(found, "no section for {link}");
        anchors += 1;
    }
    let rules = alerts.lines().filter(|line| line.trim_start().starts_with("- alert:")).count();
    assert_eq!(anchors, rules, "every alert links a section");
}

/// A rule or a panel about a metric that does not exist is silent for ever, and its own tests make the metric up.
#[test]
fn alerts_and_boards_know_no_other_metrics() {
    let documented = documented();
    let board = include_str!("../../grafana/dashboards/headwater.json");
    for text in [include_str!("../../grafana/prometheus/alerts.yml"), board] {
        let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
        let names: Vec<_> = words
            .filter(|word| ["headwater_", "process_"].iter().any(|prefix| word.starts_with(prefix)))
            .map(|word| word.strip_suffix("_bucket").or(word.strip_suffix("_count")).unwrap_or(word))
            .collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(documented.contains_key(name), "{name}");
        }
    }
}

/// Serves the sample until standard input ends, for `scripts/check-grafana`; prints the address.
#[test]
#[ignore = "run by scripts/check-grafana, which scrapes it"]
fn serve_sample() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let metrics = sample();
        let watched = Watched {
            metrics: metrics.clone(),
            status: Arc::new(Status::new(&status::tests::config(), metrics.clone(), super::now())),
            health: Arc::new(Health::new(metrics, Duration::from_secs(60), Instant::now())),
        };
        let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        println!("listening on {}", admin.address());
        let stop = CancellationToken::new();
        let guard = stop.clone();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            guard.cancel();
        });
        admin.serve(Arc::new(Board::new(vec![watched], false)), stop).await.unwrap();
    });
}
