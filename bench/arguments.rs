//! The command line of `scripts/bench`, and what it leaves to run.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::contender::Contender;
use crate::headwater::{Headwater, Overrides};
use crate::pg_recvlogical::PgRecvlogical;
use crate::workload::{Kind, Workload};

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
    /// What to run; may be repeated [default: w1, w2, w5, l1]
    #[arg(long, value_name = "NAME", value_enum, ignore_case = true)]
    workload: Vec<Name>,
    /// Only contenders whose name contains this; may be repeated
    #[arg(long, value_name = "TEXT")]
    contender: Vec<String>,
    /// How to reach PostgreSQL
    #[arg(long, value_enum, default_value = "tcp")]
    socket: SocketChoice,
    /// Writes everything that was measured
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
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
    W5,
    L1,
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
        let all = [Name::W1, Name::W2, Name::W5, Name::L1];
        let names = if self.workload.is_empty() { &all[..] } else { &self.workload[..] };
        names
            .iter()
            .flat_map(|name| match name {
                Name::W1 => vec![Workload::Backlog(Kind::Pgbench)],
                Name::W2 => vec![Workload::Backlog(Kind::OneInsert)],
                Name::W5 => vec![Workload::Backlog(Kind::ManyTables)],
                Name::L1 => [1000, 5000].map(|per_second| Workload::Latency { per_second }).to_vec(),
            })
            .collect()
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 3 }).max(1)
    }

    /// Everybody who drains a backlog.
    pub(crate) fn contenders(&self) -> Vec<Box<dyn Contender>> {
        let mut all: Vec<Box<dyn Contender>> = Vec::new();
        for socket in self.sockets() {
            for headwater in Headwater::draining(socket, &self.overrides()) {
                all.push(Box::new(headwater));
            }
            all.push(Box::new(PgRecvlogical { socket }));
        }
        all.retain(|contender| self.is_wanted(&contender.name()));
        all
    }

    /// Those whose latency is measured.
    pub(crate) fn live_contenders(&self) -> Vec<Headwater> {
        let sockets = self.sockets().into_iter();
        let mut all: Vec<_> = sockets.flat_map(|socket| Headwater::live(socket, &self.overrides())).collect();
        all.retain(|contender| self.is_wanted(&contender.name()));
        all
    }

    /// What was changed of Headwater's settings, for the report.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides { keys: self.set.clone(), properties: self.property.clone(), environment: self.env.clone() }
    }

    fn sockets(&self) -> Vec<Socket> {
        match self.socket {
            SocketChoice::Tcp => vec![Socket::Tcp],
            SocketChoice::Unix => vec![Socket::Unix],
            SocketChoice::Both => vec![Socket::Tcp, Socket::Unix],
        }
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
