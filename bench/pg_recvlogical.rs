//! PostgreSQL's own reader, writing to /dev/null: what a slot gives when nothing is made of it.

use anyhow::{Context as _, Result, ensure};

use crate::arguments::Socket;
use crate::backlog::PUBLICATION;
use crate::contender::{Contender, Job, Running};
use crate::equality::Counted;
use crate::ground::Ground;
use crate::programs;
use crate::support::process::Process;

/// `pg_recvlogical --start --endpos`, protocol 4, streaming on.
pub(crate) struct PgRecvlogical {
    pub(crate) socket: Socket,
}

struct Draining(Process);

impl Contender for PgRecvlogical {
    fn name(&self) -> String {
        format!("pg_recvlogical to /dev/null{}", self.socket.suffix())
    }

    fn settings(&self) -> String {
        "proto_version=4, streaming=on".to_owned()
    }

    fn start<'a>(&self, ground: &'a Ground, job: &Job<'a>) -> Result<Box<dyn Running + 'a>> {
        let end = job.backlog.context("pg_recvlogical drains backlogs only")?.end_lsn;
        let mut command = programs::client(ground, "pg_recvlogical", self.socket)?;
        command.args(["--start", "--no-loop", "--file", "/dev/null", "--dbname", job.database]);
        command.args(["--slot", job.slot, "--endpos", &end.to_string()]);
        command.args(["--option", "proto_version=4", "--option", "streaming=on"]);
        command.args(["--option", &format!("publication_names={PUBLICATION}")]);
        let log = ground.postgres.socket_directory().join("pg_recvlogical.log");
        Ok(Box::new(Draining(Process::spawn("pg_recvlogical", command, &log, "KILL"))))
    }
}

impl Running for Draining {
    fn id(&self) -> u32 {
        self.0.id()
    }

    fn is_done(&mut self) -> Result<bool> {
        let Some(status) = self.0.exit_status() else { return Ok(false) };
        ensure!(status.success(), "pg_recvlogical ended with {status}");
        Ok(true)
    }

    fn finish(self: Box<Self>, _counted: &mut Counted) -> Result<()> {
        Ok(())
    }
}
