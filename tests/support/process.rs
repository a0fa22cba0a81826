//! A server or the daemon as a child process: its output in a file, signals by name, and an end in every case.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use super::{reaper, wait_for};

/// A running child process.
pub(crate) struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its output is appended to `log`. `last_signal` is what ends it with the test process.
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path, last_signal: &str) -> Self {
        let output = append_to(log);
        let child = command
            .process_group(0) // a Ctrl-C is for the test process; the reaper does the rest
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        reaper::watch(child.id(), last_signal);
        Self { child, name: name.to_owned(), log: log.to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name without SIG: `TERM`, `STOP`, `CONT`, …
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("bash").args(["-c", r#"kill -"$0" "$1""#, name, &self.id().to_string()]).status();
        assert!(status.unwrap().success(), "SIG{name} for {}", self.name);
    }

    /// The exit status, once there is one.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        if status.is_some() {
            reaper::forget(self.child.id());
        }
        status
    }

    #[track_caller]
    pub(crate) fn wait_exit(&mut self, deadline: Duration) -> ExitStatus {
        let name = format!("exit of {}", self.name);
        wait_for(deadline, &name, || self.exit_status())
    }

    /// SIGKILL, also when it is stopped.
    pub(crate) fn kill(&mut self) {
        if self.exit_status().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            reaper::forget(self.child.id());
        }
    }

    /// Fails the test, with the end of the log, when the process has ended.
    #[track_caller]
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.exit_status() {
            panic!("{} ended with {status}:\n{}", self.name, tail(&self.log, 40));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Opens `path` for appending.
pub(crate) fn append_to(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}

/// The last `lines` lines of a file, or what says that it cannot be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    match fs::read_to_string(path) {
        Ok(text) => {
            let all: Vec<&str> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        }
        Err(error) => format!("{}: {error}", path.display()),
    }
}

/// Runs `command` to its end and fails the test when it fails.
#[track_caller]
pub(crate) fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{text}", output.status);
    text
}

/// PostgreSQL refuses to run as root: the user and group to run it as then; none when we are somebody else.
pub(crate) fn server_user() -> Option<(u32, u32)> {
    static USER: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let fields = passwd.lines().find_map(|line| line.strip_prefix("nobody:")).expect("a user nobody");
        let mut ids = fields.split(':').skip(1).map(|id| id.parse::<u32>().unwrap());
        Some((ids.next().unwrap(), ids.next().unwrap()))
    });
    *USER
}

/// `program` as the server's user; the process id is the program's.
pub(crate) fn as_server_user(program: &Path) -> Command {
    let Some((user, group)) = server_user() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    command.arg("--").arg(program);
    command
}

/// Gives a file or directory to the server's user.
pub(crate) fn give_to_server_user(path: &Path) {
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}
