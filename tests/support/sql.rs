//! Databases and sessions, with a blocking face over tokio-postgres. Values come as the text that the server prints.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

use super::{DEADLINE, runtime, wait_until};

/// A row: its columns as text, or none for NULL.
pub(crate) type Row = Vec<Option<String>>;

/// One connection. What is open in it ends with it.
pub(crate) struct Session {
    client: Client,
}

impl Session {
    /// Connects over TCP without TLS, trusted.
    pub(crate) fn open(port: u16, user: &str, database: &str) -> Result<Self, Error> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(port).user(user).dbname(database);
        config.application_name("test").connect_timeout(Duration::from_secs(10));
        Self::connect(&config)
    }

    pub(crate) fn connect(config: &Config) -> Result<Self, Error> {
        runtime().block_on(async {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(Self { client })
        })
    }

    /// Runs statements, separated by semicolons: as one transaction when there are several and no `begin`.
    #[track_caller]
    pub(crate) fn exec(&self, sql: &str) {
        if let Err(error) = self.try_exec(sql) {
            panic!("{}\nin: {sql}", describe(&error));
        }
    }

    pub(crate) fn try_exec(&self, sql: &str) -> Result<(), Error> {
        runtime().block_on(self.client.batch_execute(sql))
    }

    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Vec<Row> {
        let messages = runtime().block_on(self.client.simple_query(sql));
        let messages = messages.unwrap_or_else(|error| panic!("{}\nin: {sql}", describe(&error)));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        rows.collect()
    }

    /// The only column of the only row; fails the test when it is NULL.
    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        let mut rows = self.query(sql);
        assert_eq!(rows.len(), 1, "one row from: {sql}");
        rows.remove(0).swap_remove(0).unwrap_or_else(|| panic!("a value from: {sql}"))
    }

    /// The asynchronous client, for what this face does not do; use it inside `runtime().block_on`.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

/// A database of one test. Its end drops it, with its slots.
pub(crate) struct Db {
    name: String,
    port: u16,
    session: Mutex<Option<Session>>,
}

impl Db {
    pub(crate) const fn new(name: String, port: u16) -> Self {
        Self { name, port, session: Mutex::new(None) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// For `source.url`.
    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// [`Db::url`] through a proxy.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("postgres://postgres@127.0.0.1:{port}/{}", self.name)
    }

    /// A session of its own, for transactions that stay open beside others.
    #[track_caller]
    pub(crate) fn connect(&self) -> Session {
        Session::open(self.port, "postgres", &self.name)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// [`Session::exec`] in the database's own session, which is opened again after a restart of the server.
    #[track_caller]
    pub(crate) fn exec(&self, sql: &str) {
        self.with_session(|session| session.exec(sql));
    }

    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Vec<Row> {
        self.with_session(|session| session.query(sql))
    }

    #[track_caller]
    pub(crate) fn value(&self, sql: &str) -> String {
        self.with_session(|session| session.value(sql))
    }

    /// The server's log position now, as it prints it.
    pub(crate) fn current_lsn(&self) -> String {
        self.value("select pg_current_wal_lsn()")
    }

    /// `confirmed_flush_lsn` of a slot; none when there is no such slot.
    pub(crate) fn confirmed_flush_lsn(&self, slot: &str) -> Option<String> {
        let sql = format!("select confirmed_flush_lsn from pg_replication_slots where slot_name = '{slot}'");
        self.query(&sql).pop()?.swap_remove(0)
    }

    /// Waits until a slot has confirmed all that is in the log now. A daemon does so only for what is durable; give it a
    /// short `checkpoint.interval`.
    #[track_caller]
    pub(crate) fn wait_confirmed(&self, slot: &str) {
        let now = self.current_lsn();
        let sql = format!(
            "select confirmed_flush_lsn >= '{now}' from pg_replication_slots where slot_name = '{slot}'"
        );
        wait_until(DEADLINE, "confirmation of the whole log", || self.value(&sql) == "t");
    }

    #[track_caller]
    fn with_session<T>(&self, action: impl FnOnce(&Session) -> T) -> T {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.as_ref().is_none_or(Session::is_closed) {
            *session = Some(self.connect());
        }
        action(session.as_ref().unwrap())
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.session.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A stopped server keeps its databases; one that is gone has none.
        let Ok(session) = Session::open(self.port, "postgres", "postgres") else { return };
        let name = &self.name;
        let slots = format!("from pg_replication_slots where database = '{name}'");
        // A walsender that was ended may still hold its slot for a moment.
        wait_until(DEADLINE, "end of the database", || {
            session
                .try_exec(&format!(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}';
                     select pg_drop_replication_slot(slot_name) {slots}"
                ))
                .and_then(|()| session.try_exec(&format!("drop database if exists {name}")))
                .is_ok()
                || session.is_closed()
        });
    }
}

fn describe(error: &Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| format!("{}: {error}", error.code().code()))
}
