//! From host and port to a connected socket, within a deadline that covers the look-up of the name too: the resolver
//! of the C library cannot be interrupted, so it runs on a thread that is left behind when it is too slow.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt;

use crate::config::Source;
use crate::error::{Error, Kind, Result};

use super::deadline::Deadline;

/// A connected socket, still blocking.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Connects to the server of `source`.
pub(super) fn dial(source: &Source, deadline: Deadline) -> Result<Socket> {
    let result = match socket_path(source) {
        Some(path) => UnixStream::connect(&path).map(Socket::Unix),
        None => connect_tcp(&source.host, source.port, deadline).map(Socket::Tcp),
    };
    result.map_err(|error| unreachable(source, error))
}

/// The file of a Unix socket, where `source.host` is its directory.
pub(super) fn socket_path(source: &Source) -> Option<PathBuf> {
    source
        .host
        .starts_with('/')
        .then(|| PathBuf::from(&source.host).join(format!(".s.PGSQL.{}", source.port)))
}

/// Says which server could not be reached.
pub(super) fn unreachable(source: &Source, error: io::Error) -> Error {
    let address = match socket_path(source) {
        Some(path) => path.display().to_string(),
        None => format!("{}:{}", source.host, source.port),
    };
    let detail = if error.kind() == io::ErrorKind::TimedOut {
        let limit = humantime::format_duration(source.connect_timeout);
        format!("no connection to PostgreSQL at {address} within {limit} (source.connect_timeout)")
    } else {
        format!("no connection to PostgreSQL at {address}")
    };
    Error::new(Kind::SourceUnreachable, detail).with_source(error)
}

/// What every socket over a network gets: small writes at once, and a dead peer found out within a minute.
pub(super) fn tune(socket: impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(&socket, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(&socket, 3)?;
    Ok(())
}

fn connect_tcp(host: &str, port: u16, deadline: Deadline) -> io::Result<TcpStream> {
    let addresses = resolve(host, port, deadline)?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        // An address that swallows packets must leave time for the next one.
        let share = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let attempt = match deadline.left()? {
            Some(left) => TcpStream::connect_timeout(address, left / share),
            None => TcpStream::connect(address),
        };
        match attempt {
            Ok(socket) => {
                tune(&socket)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn resolve(host: &str, port: u16, deadline: Deadline) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (answer, question) = mpsc::sync_channel(1);
    let name = host.to_owned();
    thread::Builder::new().name("resolver".into()).spawn(move || {
        // Nobody listens any more when the deadline has passed.
        let _ = answer.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    match deadline.left()? {
        Some(left) => question.recv_timeout(left).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?,
        None => question.recv().map_err(io::Error::other)?,
    }
}
