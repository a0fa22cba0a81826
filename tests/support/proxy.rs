//! A TCP proxy on 127.0.0.1 that breaks connections on command.
//!
//! A cut is a reset, not an orderly end: both sides see what a pulled cable with a reboot behind it would give them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use super::{DEADLINE, free_port, wait_for};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// Forwards connections from its port to the server's, until it is dropped.
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    server_port: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    refusing: bool,
    paused: bool,
    delay: Duration,
    cut_after: Option<(Direction, u64)>,
    connections: Vec<Weak<Connection>>,
    accepted: usize,
    forwarded: [u64; 2],
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    closed: Mutex<bool>,
}

impl Proxy {
    /// A proxy on a port of its own before a server of this machine.
    pub(crate) fn start(server_port: u16) -> Self {
        Self::listen(free_port(), server_port)
    }

    pub(crate) fn listen(port: u16, server_port: u16) -> Self {
        let shared = Arc::new(Shared { server_port, state: Mutex::default(), changed: Condvar::new() });
        let proxy = Self { port, shared, acceptor: Mutex::new(None) };
        proxy.accept();
        proxy
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Resets every connection; new ones are welcome.
    pub(crate) fn cut(&self) {
        self.shared.cut();
    }

    /// Resets every connection when so many more bytes have gone that way.
    pub(crate) fn cut_after(&self, direction: Direction, bytes: u64) {
        self.shared.lock().cut_after = Some((direction, bytes));
    }

    /// Nothing passes any more, and nobody is told: connections stay open.
    pub(crate) fn pause(&self) {
        self.shared.lock().paused = true;
    }

    /// What was held back goes on its way.
    pub(crate) fn resume(&self) {
        self.shared.lock().paused = false;
        self.shared.changed.notify_all();
    }

    /// Every piece that is forwarded waits so long first.
    pub(crate) fn delay(&self, delay: Duration) {
        self.shared.lock().delay = delay;
    }

    /// Resets every connection and refuses new ones.
    pub(crate) fn refuse(&self) {
        self.shared.lock().refusing = true;
        self.stop_accepting();
        self.cut();
    }

    /// Listens again after [`Proxy::refuse`].
    pub(crate) fn accept(&self) {
        self.shared.lock().refusing = false;
        let listener = wait_for(DEADLINE, "listening proxy", || {
            TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).ok()
        });
        let shared = Arc::clone(&self.shared);
        let acceptor = thread::spawn(move || accept_all(&listener, &shared));
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = Some(acceptor);
    }

    /// Connections accepted since the start.
    pub(crate) fn accepted(&self) -> usize {
        self.shared.lock().accepted
    }

    /// Bytes forwarded that way since the start.
    pub(crate) fn forwarded(&self, direction: Direction) -> u64 {
        self.shared.lock().forwarded[direction as usize]
    }

    fn stop_accepting(&self) {
        let acceptor = self.acceptor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(acceptor) = acceptor {
            // Wakes the thread, which then sees that it shall end. Failing to connect means that it has ended.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            acceptor.join().unwrap();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.resume();
        self.refuse();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the proxy is paused and takes the delay; then says how many of `bytes` may pass before a cut.
    fn admit(&self, connection: &Connection, direction: Direction, bytes: usize) -> (usize, bool) {
        let mut state = self.lock();
        if !state.delay.is_zero() {
            let delay = state.delay;
            state = self.changed.wait_timeout_while(state, delay, |_| !connection.is_closed()).unwrap().0;
        }
        state = self.changed.wait_while(state, |state| state.paused && !connection.is_closed()).unwrap();
        let mut allowed = bytes;
        let mut cut = false;
        if let Some((_, left)) = state.cut_after.as_mut().filter(|(way, _)| *way == direction) {
            allowed = usize::try_from(*left).map_or(bytes, |left| left.min(bytes));
            *left -= allowed as u64;
            cut = *left == 0;
        }
        if cut {
            state.cut_after = None;
        }
        state.forwarded[direction as usize] += allowed as u64;
        (allowed, cut)
    }

    fn cut(&self) {
        let connections = std::mem::take(&mut self.lock().connections);
        connections.iter().filter_map(Weak::upgrade).for_each(|connection| connection.reset());
        self.changed.notify_all();
    }
}

impl Connection {
    fn is_closed(&self) -> bool {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// With a linger time of zero the last close sends a reset; ending the reading side wakes the threads and sends
    /// nothing.
    fn reset(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        for stream in [&self.client, &self.server] {
            // The other side may have gone already.
            let _ = set_socket_linger(stream, Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let mut state = shared.lock();
        if state.refusing {
            return;
        }
        // A server that is down looks to the client as it would without us: the connection ends.
        let Ok(client) = client else { continue };
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server_port)) else { continue };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        }
        let connection = Arc::new(Connection { client, server, closed: Mutex::new(false) });
        state.accepted += 1;
        state.connections.retain(|connection| connection.strong_count() > 0);
        state.connections.push(Arc::downgrade(&connection));
        for direction in [Direction::ToServer, Direction::ToClient] {
            let (connection, shared) = (Arc::clone(&connection), Arc::clone(shared));
            thread::spawn(move || pump(&connection, direction, &shared));
        }
    }
}

fn pump(connection: &Connection, direction: Direction, shared: &Shared) {
    let (mut from, to) = match direction {
        Direction::ToServer => (&connection.client, &connection.server),
        Direction::ToClient => (&connection.server, &connection.client),
    };
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) | Err(_) if connection.is_closed() => return,
            Ok(0) => {
                // An orderly end is passed on; the other direction may still have something to say.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(read) => read,
            Err(_) => return connection.reset(),
        };
        let (allowed, cut) = shared.admit(connection, direction, read);
        if !write_all(connection, to, &buffer[..allowed]) {
            return connection.reset();
        }
        if cut {
            return shared.cut();
        }
    }
}

/// False when the connection is gone. The timeout of the stream lets a reset be seen while the other side reads nothing.
fn write_all(connection: &Connection, mut to: &TcpStream, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() && !connection.is_closed() {
        match to.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return false,
        }
    }
    !connection.is_closed()
}
