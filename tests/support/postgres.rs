//! Real PostgreSQL servers of any version from 10 to 18, each with a data directory and a port of its own.
//!
//! Every server takes every way to authenticate, decided by the role: see [`Auth`]. Settings are those that logical
//! replication needs, without fsync.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use super::process::{self, Process};
use super::sql::{Db, Session};
use super::tls::{Authority, Identity};
use super::{DEADLINE, free_port, reaper, server_home, unique, wait_until};

/// A server. Its methods take `&self`, so that a shared one and a private one are used alike.
pub(crate) struct Postgres {
    version: u32,
    port: u16,
    home: PathBuf,
    directory: TempDir,
    process: Mutex<Option<Process>>,
}

/// How the server goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shutdown {
    /// Sessions are ended; walsenders first send all that is left.
    Fast,
    /// As in a crash: the next start recovers from the log.
    Immediate,
}

/// How a role of [`Postgres::role`] must authenticate over TCP. Unix sockets trust everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    Trust,
    Password,
    Md5,
    Scram,
    /// Trusted, but over TLS only.
    Tls,
    /// A client certificate of [`Authority::shared`] with the role's name.
    Certificate,
    /// No connection at all (`reject`).
    Reject,
}

impl Auth {
    const ALL: [Self; 7] =
        [Self::Trust, Self::Password, Self::Md5, Self::Scram, Self::Tls, Self::Certificate, Self::Reject];

    /// The lines of pg_hba.conf match members of this role.
    const fn group(self) -> &'static str {
        match self {
            Self::Trust => "auth_trust",
            Self::Password => "auth_password",
            Self::Md5 => "auth_md5",
            Self::Scram => "auth_scram",
            Self::Tls => "auth_tls",
            Self::Certificate => "auth_certificate",
            Self::Reject => "auth_reject",
        }
    }
}

const HBA: &str = "\
local all all trust
hostssl all +auth_certificate 127.0.0.0/8 cert
host all +auth_certificate 127.0.0.0/8 reject
hostssl all +auth_tls 127.0.0.0/8 trust
host all +auth_tls 127.0.0.0/8 reject
host all +auth_reject 127.0.0.0/8 reject
host all +auth_password 127.0.0.0/8 password
host all +auth_md5 127.0.0.0/8 md5
host all +auth_scram 127.0.0.0/8 scram-sha-256
host all all 127.0.0.0/8 trust
";

const SETTINGS: &str = "\
listen_addresses = '127.0.0.1,127.0.0.2'
max_connections = 200
shared_buffers = 32MB
fsync = off
full_page_writes = off
wal_level = logical
max_wal_senders = 50
max_replication_slots = 50
max_prepared_transactions = 20
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
ssl = on
";

impl Postgres {
    /// The server of this version that the tests of this process share.
    pub(crate) fn shared(version: u32) -> &'static Self {
        static SHARED: [OnceLock<Postgres>; 9] = [const { OnceLock::new() }; 9];
        let index = version.checked_sub(10).and_then(|index| usize::try_from(index).ok());
        SHARED[index.expect("a version from 10 to 18")].get_or_init(|| Self::start(version, &[]))
    }

    /// A server of one's own, with `settings` over the usual ones.
    pub(crate) fn start(version: u32, settings: &[(&str, &str)]) -> Self {
        let directory = reaper::directory();
        process::give_to_server_user(directory.path());
        let home = reachable(server_home(&["postgres", &version.to_string()]), directory.path());
        let server = Self { version, port: free_port(), home, directory, process: Mutex::new(None) };
        server.initialize(settings);
        server.resume();
        let mut groups = String::new();
        for auth in Auth::ALL {
            writeln!(groups, "create role {};", auth.group()).unwrap();
        }
        server.session("postgres").exec(&groups);
        server
    }

    pub(crate) const fn version(&self) -> u32 {
        self.version
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// `host` of a connection through the Unix socket.
    pub(crate) fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// A fresh, empty database, with a name that begins with `base`.
    pub(crate) fn database(&self, base: &str) -> Db {
        self.database_with(base, "")
    }

    /// [`Postgres::database`] in an encoding as `create database` names it.
    pub(crate) fn encoded_database(&self, base: &str, encoding: &str) -> Db {
        let options = format!("encoding '{encoding}' lc_collate 'C' lc_ctype 'C' template template0");
        self.database_with(base, &options)
    }

    fn database_with(&self, base: &str, options: &str) -> Db {
        let name = unique(base);
        self.session("postgres").exec(&format!("create database {name} {options}"));
        Db::new(name, self.port)
    }

    /// A session of the superuser in a database.
    pub(crate) fn session(&self, database: &str) -> Session {
        Session::open(self.port, "postgres", database).unwrap_or_else(|error| panic!("{database}: {error}"))
    }

    /// Creates a role that may log in and replicate; `password` where the method wants one. Grants are the test's.
    pub(crate) fn role(&self, base: &str, auth: Auth, password: &str) -> String {
        let name = unique(base);
        let encryption = if auth == Auth::Scram { "scram-sha-256" } else { "md5" };
        self.session("postgres").exec(&format!(
            "set password_encryption = '{encryption}';
             create role {name} login replication password '{}' in role {}",
            password.replace('\'', "''"),
            auth.group()
        ));
        name
    }

    /// Takes the server down and waits for its end.
    pub(crate) fn stop(&self, how: Shutdown) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut process = process.expect("a server that runs");
        process.signal(match how {
            Shutdown::Fast => "INT",
            Shutdown::Immediate => "QUIT",
        });
        process.wait_exit(DEADLINE);
    }

    /// Starts a stopped server again, on the same port and data.
    pub(crate) fn resume(&self) {
        let mut command = process::as_server_user(&self.home.join("bin/postgres"));
        command.arg("-D").arg(self.data()).current_dir(self.directory.path());
        let name = format!("PostgreSQL {}", self.version);
        let mut process = Process::spawn(&name, command, &self.log_path(), "QUIT");
        wait_until(DEADLINE, &name, || {
            process.assert_running();
            Session::open(self.port, "postgres", "postgres").is_ok()
        });
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }

    /// Down and up again.
    pub(crate) fn restart(&self, how: Shutdown) {
        self.stop(how);
        self.resume();
    }

    /// Changes a setting of the running server that needs no restart.
    pub(crate) fn reload_with(&self, setting: &str, value: &str) {
        let session = self.session("postgres");
        session.exec(&format!("alter system set {setting} = '{}'", value.replace('\'', "''")));
        session.exec("select pg_reload_conf()");
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn initialize(&self, settings: &[(&str, &str)]) {
        let mut initdb = process::as_server_user(&self.home.join("bin/initdb"));
        initdb.current_dir(self.directory.path()).arg("-D").arg(self.data());
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        process::run(initdb);
        let Identity { certificate, key } = Authority::shared().server();
        let mut text = format!(
            "{SETTINGS}port = {}\nunix_socket_directories = '{}'\nssl_cert_file = '{}'\nssl_key_file = '{}'\n\
             ssl_ca_file = '{}'\n",
            self.port,
            self.directory.path().display(),
            certificate.display(),
            key.display(),
            Authority::shared().certificate().display(),
        );
        for (name, value) in settings {
            writeln!(text, "{name} = '{}'", value.replace('\'', "''")).unwrap();
        }
        append(&self.data().join("postgresql.conf"), &text);
        fs::write(self.data().join("pg_hba.conf"), HBA).unwrap();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut process) = process.take() {
            if process.exit_status().is_none() {
                process.signal("QUIT"); // SIGKILL would leave its shared memory behind
                process.wait_exit(DEADLINE);
            }
        }
    }
}

/// `home`, or a copy of it in `directory` when the server's user cannot get at it, as in a home directory of root.
fn reachable(home: PathBuf, directory: &Path) -> PathBuf {
    let mut probe = process::as_server_user(Path::new("test"));
    probe.arg("-x").arg(home.join("bin/postgres")).current_dir("/");
    if probe.status().unwrap().success() {
        return home;
    }
    let copy = directory.join("home");
    let mut cp = Command::new("cp");
    cp.arg("-R").arg(&home).arg(&copy);
    process::run(cp);
    copy
}

fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    process::append_to(path).write_all(text.as_bytes()).unwrap();
}
