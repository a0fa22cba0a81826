//! The command line of `scripts/bench`, and what it leaves to run.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::contender::Contender;
use crate::debezium::Debezium;
use crate::headwater::{Headwater, Overrides};
use crate::pg_recvlogical::PgRecvlogical;
use crate::snapshot::Reader;
use crate::workload::{Kind, Size, Workload};
use crate::writer::Stream;

/// Drains the same backlog with Headwater and with others, and prints one table
#[derive(Debug, Parser)]
#[command(name = "scripts/bench")]
pub(crate) struct Arguments {
    /// A tenth of the work, and one round
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often each contender runs; medians are reported [default: 3, or 1 with --quick]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// What to run; may be repeated [default: all of them]
    #[arg(long, value_name = "NAME", value_enum, ignore_case = true)]
    workload: Vec<Name>,
    /// Only contenders whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    contender: Vec<String>,
    /// How to reach PostgreSQL [default: tcp, and for w1 and w2 both; with --quick tcp]
    #[arg(long, value_enum)]
    socket: Option<SocketChoice>,
    /// Writes everything that was measured
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Shows a report that --json wrote instead of measuring; several are joined
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Vec<PathBuf>,
    /// Writes plots of rate, CPU time, memory and latency as SVG
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) plots: Option<PathBuf>,
    /// Puts the report into docs/benchmarks.md and README.md, with its plots
    #[arg(long)]
    pub(crate) write_docs: bool,
    /// Another value for a key of Headwater's configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// A librdkafka property for Headwater; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    property: Vec<(String, String)>,
    /// An environment variable for Headwater, such as LD_PRELOAD; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// `cargo bench` says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// The workloads by the names they have in docs/benchmarks.md.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    W1,
    W2,
    W4,
    W5,
    W6,
    L1,
    P1,
    S1,
    I1,
}

/// Kinds of sockets to run over.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SocketChoice {
    Tcp,
    Unix,
    Both,
}

/// How PostgreSQL is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Socket {
    Tcp,
    Unix,
}

impl Arguments {
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let all = [Name::W1, Name::W2, Name::W4, Name::W5, Name::W6, Name::L1, Name::P1, Name::S1, Name::I1];
        // W6 is W2 at ten times its size, and a latency of 5,000/s that of 1,000/s: a look leaves them out unless they are named.
        let quick = [Name::W1, Name::W2, Name::W4, Name::W5, Name::L1, Name::P1, Name::S1, Name::I1];
        let looks = self.quick && self.workload.is_empty();
        let names = match &self.workload[..] {
            [] if self.quick => &quick[..],
            [] => &all[..],
            named => named,
        };
        names
            .iter()
            .flat_map(|name| match name {
                Name::W1 => vec![Workload::Backlog(Kind::Pgbench)],
                Name::W2 => vec![Workload::Backlog(Kind::OneInsert)],
                Name::W4 => vec![Workload::Backlog(Kind::Toasted)],
                Name::W6 => vec![Workload::Backlog(Kind::HugeInsert)],
                Name::W5 => vec![Workload::Backlog(Kind::ManyTables)],
                Name::P1 => vec![Workload::InProgress],
                Name::S1 => vec![Workload::Standby],
                Name::I1 => vec![Workload::Snapshot],
                Name::L1 if looks => vec![Workload::Latency { per_second: 1000 }],
                Name::L1 => [1000, 5000].map(|per_second| Workload::Latency { per_second }).to_vec(),
            })
            .collect()
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 }).max(1)
    }

    /// Everybody who drains a backlog. The topic of transactions is compared where there are many of them, in W1.
    pub(crate) fn contenders(&self, kind: Kind) -> Vec<Box<dyn Contender>> {
        let mut all: Vec<Box<dyn Contender>> = Vec::new();
        let both = !self.quick && matches!(kind, Kind::Pgbench | Kind::OneInsert);
        for socket in self.sockets(both) {
            for headwater in Headwater::modes(socket, &self.overrides()) {
                all.push(Box::new(headwater));
            }
            all.push(Box::new(PgRecvlogical { socket }));
        }
        all.push(Box::new(Debezium::default()));
        if kind == Kind::Pgbench && !self.quick {
            all.push(Box::new(Headwater::with_transaction_topic(self.sockets(false)[0], &self.overrides())));
            all.push(Box::new(Debezium { transaction_metadata: true, ..Debezium::default() }));
        }
        self.wanted(all)
    }

    /// Those whose latency is measured.
    pub(crate) fn live_contenders(&self) -> Vec<Box<dyn Contender>> {
        let mut all: Vec<Box<dyn Contender>> = Vec::new();
        for socket in self.sockets(false) {
            for headwater in Headwater::modes(socket, &self.overrides()) {
                all.push(Box::new(headwater));
            }
        }
        all.push(Box::new(Debezium::default()));
        self.wanted(all)
    }

    /// How much of a backlog is written.
    pub(crate) fn size(&self, kind: Kind) -> Size {
        Size { divisor: if self.quick { kind.quick_divisor() } else { 1 } }
    }

    /// Drains that do not count, before the first of those that do.
    pub(crate) fn warm_ups(&self, kind: Kind) -> usize {
        if self.quick || kind == Kind::HugeInsert { 1 } else { 8 }
    }

    /// Those that are measured alone, because nobody else does the same.
    pub(crate) fn alone(&self) -> Vec<Headwater> {
        let socket = self.sockets(false)[0];
        let mut all = Headwater::modes(socket, &self.overrides()).to_vec();
        all.retain(|headwater| self.is_wanted(&headwater.name()));
        all
    }

    /// Those who take a first snapshot.
    pub(crate) fn readers(&self) -> Vec<Reader> {
        let mut all = vec![Reader::Copy];
        all.extend(Headwater::modes(self.sockets(false)[0], &self.overrides()).map(Reader::Headwater));
        all.push(Reader::Debezium(Debezium { snapshots: true, ..Debezium::default() }));
        all.retain(|reader| self.is_wanted(&reader.name()));
        all
    }

    /// What is written for a latency: long enough for 1 in 1,000 to be more than a few.
    pub(crate) fn stream(&self, per_second: u32) -> Stream {
        let (warm_up_seconds, seconds) = if self.quick { (3, 4) } else { (10, 20) };
        Stream { per_second, warm_up_seconds, seconds }
    }

    /// What was changed of Headwater's settings, for the report.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides { keys: self.set.clone(), properties: self.property.clone(), environment: self.env.clone() }
    }

    /// The sockets to run over; `both` where nothing is said.
    fn sockets(&self, both: bool) -> Vec<Socket> {
        match self.socket {
            Some(SocketChoice::Both) => vec![Socket::Tcp, Socket::Unix],
            None if both => vec![Socket::Tcp, Socket::Unix],
            Some(SocketChoice::Unix) => vec![Socket::Unix],
            Some(SocketChoice::Tcp) | None => vec![Socket::Tcp],
        }
    }

    fn wanted(&self, mut all: Vec<Box<dyn Contender>>) -> Vec<Box<dyn Contender>> {
        all.retain(|contender| self.is_wanted(&contender.name()));
        all
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.contender.is_empty() || self.contender.iter().any(|text| name.contains(text.as_str()))
    }
}

impl Socket {
    /// What follows the name of a contender.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Tcp => "",
            Self::Unix => ", Unix socket",
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
