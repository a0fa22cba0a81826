//! The client programs of PostgreSQL that come from the distribution: the embedded servers have none.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::arguments::Socket;
use crate::ground::Ground;
use crate::support::Db;

/// `pgbench` on a database, over the Unix socket.
pub(crate) fn pgbench(ground: &Ground, db: &Db) -> Result<Command> {
    let mut command = client(ground, "pgbench", Socket::Unix)?;
    command.env("PGDATABASE", db.name());
    Ok(command)
}

/// A client program that connects as everybody here does: trusted and without TLS.
pub(crate) fn client(ground: &Ground, name: &str, socket: Socket) -> Result<Command> {
    let mut command = Command::new(find(name)?);
    command.env("PGHOST", ground.host(socket)).env("PGPORT", ground.postgres.port().to_string());
    command.env("PGUSER", "postgres").env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
    Ok(command)
}

/// What a program says of its version.
pub(crate) fn version(name: &str) -> Result<String> {
    let output = Command::new(find(name)?).arg("--version").output().context("ask for a version")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to its end.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The newest of this name under Debian's directory, or the first of the search path.
fn find(name: &str) -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut homes: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    homes.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let debian = homes.into_iter().map(|home| home.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = debian.chain(std::env::split_paths(&path)).map(|place| place.join(name));
    places.find(|file| file.is_file()).with_context(|| {
        format!("missing: {name}; to install it: apt-get update && apt-get install -y postgresql postgresql-client")
    })
}
