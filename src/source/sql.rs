//! Ordinary SQL, on tokio-postgres: catalogs, the publication, the state of the slot. A connection of its own, made
//! from the same configuration and with the same TLS as the stream, under the same name, with the same pinned
//! settings; every statement has a time limit on both sides.

use std::fmt::Write as _;
use std::future::Future;
use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{NoTls, TlsConnect};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::config::{Source, SslMode};
use crate::error::{Error, Kind, Result};

use super::auth;
use super::connection::{PINNED, application_name};
use super::dial;
use super::server_message::ServerMessage;
use super::tls::{self, Tls, both_ways, chain, may_do_without};
use super::version::{OLDEST, ServerVersion};

/// A connection for SQL.
#[derive(Debug)]
pub struct Sql {
    client: Client,
    version: ServerVersion,
}

impl Sql {
    /// Connects as `source` says, under the application name `headwater/<name>`.
    ///
    /// # Errors
    /// [`Kind::SourceUnreachable`], [`Kind::SourceTls`], [`Kind::SourceAuth`] and what else the server says.
    pub async fn connect(name: &str, source: &Source) -> Result<Self> {
        let limit = source.connect_timeout;
        let timed_out = |_| dial::unreachable(source, std::io::ErrorKind::TimedOut.into());
        let connected = tokio::time::timeout(limit, Self::negotiate(name, source)).await.map_err(timed_out);
        connected.and_then(|result| result).map_err(|error| error.context("open SQL connection"))
    }

    /// The server's version.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// Whether the connection has ended; a new one is needed then.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs one statement with parameters.
    pub async fn query(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        in_time(self.client.query(statement, parameters)).await
    }

    /// Runs statements without parameters or results, such as DDL.
    pub async fn execute(&self, statements: &str) -> Result<()> {
        in_time(self.client.batch_execute(statements)).await
    }

    async fn negotiate(name: &str, source: &Source) -> Result<Self> {
        let tls = Tls::new(source)?;
        let mut sql = match Self::attempt(name, source, tls.as_ref()).await {
            Err(error) if may_do_without(source, tls.as_ref(), &error) => {
                Self::attempt(name, source, None).await.map_err(|without| both_ways(without, error))?
            }
            attempt => attempt?,
        };
        sql.pin().await?;
        Ok(sql)
    }

    async fn attempt(name: &str, source: &Source, tls: Option<&Tls>) -> Result<Self> {
        let unreachable = |error| dial::unreachable(source, error);
        let mut config = tokio_postgres::Config::new();
        config.user(&source.user).dbname(&source.database).application_name(application_name(name));
        if let Some(password) = &source.password {
            config.password(password.expose_secret());
        }
        config.ssl_mode(match (tls, source.sslmode) {
            (None, _) => tokio_postgres::config::SslMode::Disable,
            (Some(_), SslMode::Prefer) => tokio_postgres::config::SslMode::Prefer,
            (Some(_), _) => tokio_postgres::config::SslMode::Require,
        });
        let client = if let Some(path) = dial::socket_path(source) {
            let socket = UnixStream::connect(path).await.map_err(unreachable)?;
            log_in(&config, socket, NoTls).await
        } else {
            let socket =
                TcpStream::connect((source.host.as_str(), source.port)).await.map_err(unreachable)?;
            dial::tune(&socket).map_err(unreachable)?;
            match tls {
                Some(tls) => log_in(&config, socket, tls.clone()).await,
                None => log_in(&config, socket, NoTls).await,
            }
        }?;
        Ok(Self { client, version: ServerVersion(0) })
    }

    /// The settings of the session, and the version.
    async fn pin(&mut self) -> Result<()> {
        let mut statements = format!("SET statement_timeout = {};", STATEMENT_TIMEOUT.as_millis());
        for (setting, value) in PINNED {
            let _ = write!(statements, "SET {setting} = '{value}';");
        }
        self.execute(&statements).await?;
        let rows = self.query("SELECT current_setting('server_version_num')::int4", &[]).await?;
        let number: i32 = rows.first().map(|row| value(row, 0)).transpose()?.unwrap_or_default();
        self.version = ServerVersion(u32::try_from(number).unwrap_or_default());
        if self.version.at_least(OLDEST) {
            return Ok(());
        }
        let detail =
            format!("PostgreSQL {} is too old: logical replication begins with {OLDEST}", self.version);
        Err(Error::new(Kind::SourceSettings, detail).with_hint("upgrade PostgreSQL"))
    }
}

/// A column of a row, by its place.
///
/// # Errors
/// [`Kind::Internal`] when the query gives another type.
pub(super) fn value<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, column: usize) -> Result<T> {
    row.try_get(column).map_err(|error| {
        Error::new(Kind::Internal, format!("column {column} of a catalog query is not of the type expected"))
            .with_source(error)
    })
}

async fn log_in<S, T>(config: &tokio_postgres::Config, socket: S, tls: T) -> Result<Client>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(socket, tls).await.map_err(server_error)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the SQL connection ended");
        }
    });
    Ok(client)
}

async fn in_time<T>(statement: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T> {
    match tokio::time::timeout(STATEMENT_TIMEOUT + GRACE, statement).await {
        Ok(result) => result.map_err(server_error),
        Err(_) => Err(Error::new(Kind::SourceUnreachable, "PostgreSQL did not answer a query in time")),
    }
}

/// tokio-postgres keeps the kind of its errors to itself; what it lets out is the server's error, the cause, and text.
fn server_error(error: tokio_postgres::Error) -> Error {
    if let Some(said) = error.as_db_error() {
        return ServerMessage::from_db(said).into_error();
    }
    let text = chain(&error);
    // With TLS 1.3 a server refuses our certificate by an alert behind the handshake.
    let kind = if text.starts_with("error performing TLS handshake") || text.contains("received fatal alert")
    {
        Kind::SourceTls
    } else if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
        Kind::SourceAuth
    } else if text.starts_with("error parsing response") || text.starts_with("unexpected message") {
        Kind::SourceProtocol
    } else {
        Kind::SourceUnreachable
    };
    match kind {
        Kind::SourceTls if text.contains("does not support TLS") => tls::refused_error(),
        Kind::SourceTls => tls::handshake_error(error),
        Kind::SourceAuth if text.contains("unsupported") => {
            Error::new(kind, "the server asks for an authentication method that is not supported")
                .with_hint(auth::USE_SCRAM)
                .with_source(error)
        }
        Kind::SourceAuth if text.contains("password missing") => {
            Error::new(kind, "the server asks for a password, and none is configured")
                .with_hint(auth::SET_PASSWORD)
        }
        Kind::SourceAuth if text.contains("iteration count") => {
            Error::new(kind, "the server's SCRAM challenge was refused")
                .with_hint(auth::FEWER_ITERATIONS)
                .with_source(error)
        }
        Kind::SourceAuth => Error::new(kind, "the log-in to PostgreSQL failed").with_source(error),
        _ => Error::new(kind, "the SQL connection failed").with_source(error),
    }
}

/// For one statement, on the server; catalogs answer in milliseconds, a slot waits for transactions in progress.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// More than that for the network.
const GRACE: Duration = Duration::from_secs(10);
