//! A shell that outlives the test process by a moment: it is told of every process and directory, and when its
//! standard input ends, because the test process ended in whatever way, it ends and removes what is left.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use tempfile::TempDir;

const SCRIPT: &str = r#"
trap "" INT TERM HUP
declare -A signals
directories=()
while read -r verb what signal; do
    case $verb in
        watch) signals[$what]=$signal ;;
        forget) unset "signals[$what]" ;;
        directory) directories+=("$what") ;;
    esac
done
alive() { grep -qs "^State:[[:space:]]*[^ZX]" "/proc/$1/status"; }
for pid in "${!signals[@]}"; do kill -CONT "$pid"; kill -"${signals[$pid]}" "$pid"; done
for pid in "${!signals[@]}"; do
    for ((i = 0; i < 100; i++)); do alive "$pid" || break; sleep 0.05; done
    if alive "$pid"; then kill -KILL "$pid"; fi
done
if [ ${#directories[@]} -gt 0 ]; then rm -rf -- "${directories[@]}"; fi
"#;

static REAPER: LazyLock<Mutex<Child>> = LazyLock::new(|| Mutex::new(command().spawn().unwrap()));

/// The shell; its standard input is to be held open.
pub(crate) fn command() -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", SCRIPT]).process_group(0).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn tell(line: &str) {
    let reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(reaper.stdin.as_ref().unwrap(), "{line}").unwrap();
}

/// At the end of the test process, `pid` gets `signal`, and SIGKILL when it ignores that for five seconds.
pub(crate) fn watch(pid: u32, signal: &str) {
    tell(&format!("watch {pid} {signal}"));
}

/// `pid` has ended and may be another process's soon.
pub(crate) fn forget(pid: u32) {
    tell(&format!("forget {pid}"));
}

/// A directory that goes with its value, or at the latest with the test process.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::Builder::new().prefix("headwater-test-").tempdir().unwrap();
    let path: &Path = directory.path();
    tell(&format!("directory {}", path.display()));
    directory
}
