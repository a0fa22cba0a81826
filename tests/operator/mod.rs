//! What the person sees who runs the daemon: texts, hints and exit codes of everything that can be wrong on either side, whether
//! the advice works when it is followed to the letter, and what never appears anywhere.

mod brokers;
mod configuration;
mod observation;
mod privileges;
mod slot;
mod start;
mod tls;

use serde_json::Value;

use crate::support::daemon::Builder;
use crate::support::{DEADLINE, Daemon, Db};

/// How a run of the program ended, and all it said.
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) text: String,
}

impl Outcome {
    /// Fails the test unless the program ended with `code` and said all of `parts`.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{}", self.text);
        for part in parts {
            assert!(self.text.contains(part), "{part:?} is missing in:\n{}", self.text);
        }
    }

    /// The line of the log that says why the process ended.
    #[track_caller]
    pub(crate) fn last_error(&self) -> Value {
        let errors = self.text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = errors.rev().find(|line| line["level"] == "ERROR" && line["hint"].is_string());
        last.unwrap_or_else(|| panic!("no error in:\n{}", self.text))
    }

    /// Fails the test unless the process ended with `code` and its last error is of `kind` and says all of `parts`, in its
    /// text or in its hint.
    #[track_caller]
    pub(crate) fn expect_error(&self, code: i32, kind: &str, parts: &[&str]) {
        let error = self.last_error();
        assert_eq!((self.code, error["kind"].as_str().unwrap()), (code, kind), "{}", self.text);
        let said = format!("{} {}", error["error"].as_str().unwrap(), error["hint"].as_str().unwrap());
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
    }
}

/// Runs the program to its end; everything it says is expected.
#[track_caller]
pub(crate) fn outcome(builder: Builder) -> Outcome {
    let mut daemon = builder.allow_log("").spawn();
    outcome_of(&mut daemon)
}

/// Waits for the end of a daemon that cannot go on.
#[track_caller]
pub(crate) fn outcome_of(daemon: &mut Daemon) -> Outcome {
    let status = daemon.wait_exit(DEADLINE);
    daemon.allow_log("");
    Outcome { code: status.code().expect("an exit code"), text: daemon.log() }
}

/// `headwater check` with this configuration.
#[track_caller]
pub(crate) fn check(builder: Builder) -> Outcome {
    outcome(builder.arguments(&["check"]))
}

/// Changes a key of a daemon's file for its next start.
pub(crate) fn set(daemon: &Daemon, section: &str, key: &str, value: impl Into<toml::Value>) {
    let path = daemon.config_path();
    let mut file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    file[section].as_table_mut().unwrap().insert(key.to_owned(), value.into());
    std::fs::write(path, toml::to_string(&file).unwrap()).unwrap();
}

/// A table with one row, whose value is easy to find wherever it should not be.
pub(crate) fn table(db: &Db) {
    db.exec("create table t (id int primary key, v text); insert into t values (0, 'before the slot')");
}

/// The slot and publication that the daemon makes for a database.
pub(crate) fn slot_name(db: &Db) -> String {
    format!("headwater_{}", db.name())
}
