//! The socket of the replication connection: TCP, Unix, or TLS over TCP, non-blocking from the start. Reading returns
//! `WouldBlock` when nothing is there; writing, which is only ever a few bytes, waits for the socket up to a deadline.
//!
//! TLS decrypts more than one read asks for, so "nothing on the socket" does not mean "nothing to read": ask
//! [`Wire::has_buffered`] before waiting for the socket. It reads the socket in large pieces, because rustls by itself
//! asks the kernel for 4 KiB at a time.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use rustls::ClientConnection;

use super::deadline::Deadline;
use super::dial::Socket;

/// A byte stream to the server.
#[derive(Debug)]
pub(super) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsWire>),
}

/// TLS over TCP.
#[derive(Debug)]
pub(super) struct TlsWire {
    socket: TcpStream,
    session: ClientConnection,
    /// Ciphertext read from the socket and not yet given to `session`.
    cipher: Vec<u8>,
    cipher_start: usize,
    cipher_end: usize,
    /// Decrypted bytes inside `session`.
    plain: usize,
}

impl Wire {
    /// Takes a connected socket over, without TLS for now.
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        Ok(match socket {
            Socket::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Self::Tcp(socket)
            }
            Socket::Unix(socket) => {
                socket.set_nonblocking(true)?;
                Self::Unix(socket)
            }
        })
    }

    /// Performs the handshake of `session` over a TCP socket.
    pub(super) fn secure(self, session: ClientConnection, deadline: Deadline) -> io::Result<Self> {
        let Self::Tcp(socket) = self else {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "TLS goes over TCP only"));
        };
        let mut tls =
            TlsWire { socket, session, cipher: vec![0; CIPHER], cipher_start: 0, cipher_end: 0, plain: 0 };
        tls.handshake(deadline)?;
        Ok(Self::Tls(Box::new(tls)))
    }

    /// The certificate that the server showed, in DER.
    pub(super) fn server_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => None,
            Self::Tls(tls) => tls.session.peer_certificates()?.first().map(AsRef::as_ref),
        }
    }

    /// Reads what is there: `Ok(0)` at the end of the stream, `WouldBlock` when there is nothing.
    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = match self {
                Self::Tcp(socket) => socket.read(buf),
                Self::Unix(socket) => socket.read(buf),
                Self::Tls(tls) => tls.read(buf),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Writes all of `bytes`, waiting for room until `deadline`. After an error the connection is of no more use.
    pub(super) fn write_all(&mut self, mut bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        if let Self::Tls(tls) = self {
            return tls.write_all(bytes, deadline);
        }
        while !bytes.is_empty() {
            let result = match self {
                Self::Tcp(socket) => socket.write(bytes),
                Self::Unix(socket) => socket.write(bytes),
                Self::Tls(_) => Ok(0),
            };
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(error) => writable_again(error, self.as_fd(), deadline)?,
            }
        }
        Ok(())
    }

    /// Reads and throws away until the other side closes the connection.
    pub(super) fn discard(&mut self, deadline: Deadline) -> io::Result<()> {
        let mut scrap = vec![0; CIPHER];
        while deadline.left().is_ok() {
            match self.read(&mut scrap) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    deadline.wait(self.as_fd(), PollFlags::IN)?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Whether a read would give something although the socket is empty.
    pub(super) fn has_buffered(&self) -> bool {
        match self {
            Self::Tcp(_) | Self::Unix(_) => false,
            Self::Tls(tls) => tls.plain > 0 || tls.cipher_start < tls.cipher_end,
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Unix(socket) => socket.as_fd(),
            Self::Tls(tls) => tls.socket.as_fd(),
        }
    }
}

impl TlsWire {
    fn handshake(&mut self, deadline: Deadline) -> io::Result<()> {
        while self.session.is_handshaking() {
            self.flush(deadline)?;
            if !self.session.is_handshaking() {
                break;
            }
            match self.receive() {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    deadline.wait(self.socket.as_fd(), PollFlags::IN)?;
                }
                Err(error) => {
                    // The alert that says why goes out if it can; the error is what matters.
                    let _ = self.session.write_tls(&mut self.socket);
                    return Err(error);
                }
            }
        }
        self.flush(deadline)
    }

    /// Fills `buf` with what is decrypted or can be, reading the socket at most once.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let mut may_receive = true;
        loop {
            if self.plain > 0 {
                let room = buf.get_mut(filled..).unwrap_or_default();
                let read = self.session.reader().read(room)?;
                self.plain = self.plain.saturating_sub(read);
                filled += read;
            }
            let exhausted = self.cipher_start == self.cipher_end && !may_receive;
            if filled == buf.len() || self.plain > 0 || (filled > 0 && exhausted) {
                return Ok(filled);
            }
            if self.cipher_start == self.cipher_end {
                if exhausted {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                may_receive = false;
            }
            match self.receive() {
                Ok(0) => return Ok(filled),
                Ok(_) => {}
                Err(error) if filled > 0 && error.kind() == io::ErrorKind::WouldBlock => return Ok(filled),
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives ciphertext to the session, from the socket when none is left; the number of bytes, 0 at the end.
    fn receive(&mut self) -> io::Result<usize> {
        if self.cipher_start == self.cipher_end {
            let read = self.socket.read(&mut self.cipher)?;
            (self.cipher_start, self.cipher_end) = (0, read);
        }
        let mut left = self.cipher.get(self.cipher_start..self.cipher_end).unwrap_or_default();
        let taken = self.session.read_tls(&mut left)?;
        self.cipher_start += taken;
        let state = self.session.process_new_packets().map_err(io::Error::other)?;
        self.plain = state.plaintext_bytes_to_read();
        if self.session.wants_write() && !self.session.is_handshaking() {
            self.flush(Deadline::after(KEY_UPDATE))?;
        }
        if state.peer_has_closed() && self.plain == 0 { Ok(0) } else { Ok(taken) }
    }

    fn write_all(&mut self, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
        // What the session may hold back at most is 64 KiB; in pieces, nothing is refused.
        for piece in bytes.chunks(16 * 1024) {
            self.session.writer().write_all(piece)?;
            self.flush(deadline)?;
        }
        Ok(())
    }

    fn flush(&mut self, deadline: Deadline) -> io::Result<()> {
        while self.session.wants_write() {
            if let Err(error) = self.session.write_tls(&mut self.socket) {
                writable_again(error, self.socket.as_fd(), deadline)?;
            }
        }
        Ok(())
    }
}

/// Waits when `error` says that the socket is full; fails when it says something else, or when time is up.
fn writable_again(error: io::Error, socket: BorrowedFd<'_>, deadline: Deadline) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => deadline.wait(socket, PollFlags::OUT),
        _ => Err(error),
    }
}

/// Bytes of ciphertext read at once: four full TLS records.
const CIPHER: usize = 64 * 1024;
/// For the answer to a request for new keys, which comes in the middle of reading.
const KEY_UPDATE: std::time::Duration = std::time::Duration::from_secs(5);
