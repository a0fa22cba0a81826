//! The replication client against a server that plays a script: log-in by each method, TLS in each mode, a stream in
//! pieces.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::config::SslMode;
use crate::error::Kind;
use crate::lsn::{Lsn, UnixMicros};

use super::fixture::{answer, message, receive, serve, source, welcome};
use super::frame::Frame;
use super::{Connection, Fill, Ready, ReplicationStream, Status, StreamOptions};

const MAX: u64 = 1 << 20;

/// The two commands behind every log-in.
fn after_login(socket: &mut (impl Read + Write)) {
    assert_eq!(answer(socket, "150001"), "SHOW server_version_num\0");
    assert_eq!(answer(socket, "SET"), "SET wal_sender_timeout = 60000\0");
}

#[test]
fn pins_the_session_and_sends_the_md5_password() {
    let (port, server) = serve(vec![Box::new(|mut socket| {
        let (_, startup) = receive(&mut socket, false);
        let startup = String::from_utf8_lossy(&startup).into_owned();
        for pair in [
            "user\0hw\0",
            "database\0db\0",
            "replication\0database\0",
            "application_name\0headwater/shop\0",
            "client_encoding\0UTF8\0",
            "DateStyle\0ISO\0",
            "IntervalStyle\0postgres\0",
            "TimeZone\0UTC\0",
            "extra_float_digits\x003\0",
            "bytea_output\0hex\0",
        ] {
            assert!(startup.contains(pair), "{pair:?} in {startup:?}");
        }
        socket.write_all(&message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4])).unwrap();
        let (tag, password) = receive(&mut socket, true);
        assert_eq!((tag, &password[..3]), (b'p', &b"md5"[..]));
        welcome(&mut socket);
        after_login(&mut socket);
    })]);
    let connection = Connection::open("shop", &source(port), MAX).unwrap();
    assert_eq!((connection.version().to_string().as_str(), connection.process_id()), ("15.1", 42));
    server.join().unwrap();
}

#[test]
fn tells_what_the_server_says() {
    let (port, server) = serve(vec![Box::new(|mut socket| {
        receive(&mut socket, false);
        let said = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"hw\"\0\0";
        socket.write_all(&message(b'E', said)).unwrap();
    })]);
    let error = Connection::open("shop", &source(port), MAX).unwrap_err();
    assert_eq!((error.kind(), error.sqlstate()), (Kind::SourceAuth, Some("28P01")));
    assert!(!error.to_string().contains("secret"));
    server.join().unwrap();
}

#[test]
fn gives_up_on_a_server_that_says_nothing() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (port, server) = serve(vec![Box::new(move |socket| {
        wait.recv().unwrap_err();
        drop(socket);
    })]);
    let mut source = source(port);
    source.connect_timeout = Duration::from_millis(50);
    let error = Connection::open("shop", &source, MAX).unwrap_err();
    assert_eq!(error.kind(), Kind::SourceUnreachable);
    drop(go);
    server.join().unwrap();
}

/// A server certificate for 127.0.0.1 and its rustls configuration.
struct Identity {
    config: Arc<rustls::ServerConfig>,
    pem: String,
}

fn identity(name: &str, authority: bool) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    // Names of issuers that differ, so that one is unknown to another and not merely forged.
    params.distinguished_name.push(rcgen::DnType::CommonName, format!("{name} {authority}"));
    if authority {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    Identity { config: Arc::new(config), pem: certificate.pem() }
}

/// Serves a log-in over TLS; ends quietly when the client does not like the certificate.
fn tls_script(config: Arc<rustls::ServerConfig>) -> Box<dyn FnOnce(TcpStream) + Send> {
    Box::new(move |mut socket| {
        assert_eq!(receive(&mut socket, false).1, 80_877_103_u32.to_be_bytes());
        socket.write_all(b"S").unwrap();
        let mut session = rustls::ServerConnection::new(config).unwrap();
        if session.complete_io(&mut socket).is_err() {
            return;
        }
        let mut tls = rustls::Stream::new(&mut session, &mut socket);
        receive(&mut tls, false);
        welcome(&mut tls);
        after_login(&mut tls);
    })
}

fn plain_script() -> Box<dyn FnOnce(TcpStream) + Send> {
    Box::new(|mut socket| {
        receive(&mut socket, false);
        welcome(&mut socket);
        after_login(&mut socket);
    })
}

fn refusing_script() -> Box<dyn FnOnce(TcpStream) + Send> {
    Box::new(|mut socket| {
        receive(&mut socket, false);
        socket.write_all(b"N").unwrap();
        // A client that goes on without TLS sends its startup message on the same socket.
        let mut first = [0; 4];
        if socket.read_exact(&mut first).is_err() {
            return;
        }
        let mut rest = vec![0; u32::from_be_bytes(first) as usize - 4];
        socket.read_exact(&mut rest).unwrap();
        welcome(&mut socket);
        after_login(&mut socket);
    })
}

#[test]
fn believes_certificates_as_sslmode_says() {
    let own = identity("127.0.0.1", false);
    let self_signed_authority = identity("127.0.0.1", true);
    let other_name = identity("db.example", true);
    for (mode, server, root, expected) in [
        (SslMode::Require, &own, None, Ok(())),
        (SslMode::Require, &own, Some(&other_name), Err("UnknownIssuer")),
        (SslMode::VerifyCa, &own, Some(&own), Ok(())),
        (SslMode::VerifyCa, &other_name, Some(&other_name), Ok(())),
        (SslMode::VerifyFull, &other_name, Some(&other_name), Err("not valid for name")),
        (SslMode::VerifyFull, &own, Some(&own), Ok(())),
        (SslMode::VerifyFull, &self_signed_authority, Some(&self_signed_authority), Ok(())),
        (SslMode::VerifyFull, &own, Some(&other_name), Err("UnknownIssuer")),
    ] {
        let (port, thread) = serve(vec![tls_script(Arc::clone(&server.config))]);
        let directory = tempfile::tempdir().unwrap();
        let mut source = source(port);
        source.sslmode = mode;
        if let Some(root) = root {
            let path = directory.path().join("root.pem");
            std::fs::write(&path, &root.pem).unwrap();
            source.sslrootcert = Some(path);
        }
        match (Connection::open("shop", &source, MAX), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(words)) => {
                assert_eq!(error.kind(), Kind::SourceTls, "{error}");
                assert!(error.to_string().contains(words), "{error} lacks {words}");
            }
            (result, expected) => panic!("{mode:?}: {result:?} instead of {expected:?}"),
        }
        thread.join().unwrap();
    }
}

#[test]
fn prefer_goes_on_without_tls_and_require_does_not() {
    let (port, server) = serve(vec![refusing_script(), refusing_script()]);
    let mut source = source(port);
    source.sslmode = SslMode::Prefer;
    drop(Connection::open("shop", &source, MAX).unwrap());
    source.sslmode = SslMode::Require;
    let error = Connection::open("shop", &source, MAX).unwrap_err();
    assert_eq!(error.kind(), Kind::SourceTls);
    server.join().unwrap();
}

#[test]
fn prefer_connects_again_when_the_handshake_fails() {
    let garbage: Box<dyn FnOnce(TcpStream) + Send> = Box::new(|mut socket| {
        receive(&mut socket, false);
        socket.write_all(b"SEthis is no TLS at all, whatever it is").unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let (port, server) = serve(vec![garbage, plain_script()]);
    let mut source = source(port);
    source.sslmode = SslMode::Prefer;
    Connection::open("shop", &source, MAX).unwrap();
    server.join().unwrap();
}

const OPTIONS: StreamOptions<'_> = StreamOptions {
    slot: "shop",
    publication: "shop",
    start: Lsn(0),
    protocol: 1,
    streaming: false,
    messages: false,
};

/// A stream whose server sends `pieces`, each after the client has taken the last one.
fn stream(pieces: Vec<Vec<u8>>) -> (ReplicationStream, std::thread::JoinHandle<()>) {
    let (port, server) = serve(vec![Box::new(move |mut socket| {
        receive(&mut socket, false);
        welcome(&mut socket);
        after_login(&mut socket);
        assert_eq!(receive(&mut socket, true).0, b'Q');
        socket.write_all(&message(b'W', &[0, 0, 0])).unwrap();
        for piece in pieces {
            socket.write_all(&piece).unwrap();
            // The client asks for the next one with a status update.
            assert_eq!(receive(&mut socket, true).0, b'd');
        }
    })]);
    (Connection::open("shop", &source(port), MAX).unwrap().start(&OPTIONS).unwrap(), server)
}

const STATUS: Status =
    Status { written: Lsn(2), flushed: Lsn(1), applied: Lsn(1), now: UnixMicros(0), reply: false };

fn xlog_data(body: &[u8]) -> Vec<u8> {
    let mut data = vec![b'w'];
    for number in [1_u64, 2, 3] {
        data.extend(number.to_be_bytes());
    }
    data.extend(body);
    message(b'd', &data)
}

fn wait(stream: &ReplicationStream) -> Ready {
    let (wake, _other) = UnixStream::pair().unwrap();
    stream.wait(wake.as_fd(), true, Duration::from_secs(5)).unwrap()
}

#[test]
fn streams_frames_cut_anywhere_with_notices_between() {
    let whole = [
        xlog_data(b"first"),
        message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"),
        message(b'S', b"TimeZone\0UTC\0"),
        xlog_data(b"second"),
    ]
    .concat();
    let cuts: Vec<_> = whole.chunks(7).map(<[u8]>::to_vec).collect();
    let pieces = cuts.len();
    let (mut stream, server) = stream(cuts);
    let mut bodies = Vec::new();
    for _ in 0..pieces {
        assert!(wait(&stream).socket);
        assert!(matches!(stream.fill().unwrap(), Fill::Bytes { .. }));
        while let Some(frame) = stream.next_frame().unwrap() {
            let Frame::XLogData { body, .. } = frame else { panic!("{frame:?}") };
            bodies.push(body.to_vec());
        }
        stream.send_status(&STATUS).unwrap();
    }
    assert_eq!(bodies, [b"first".to_vec(), b"second".to_vec()]);
    server.join().unwrap();
}

#[test]
fn ends_with_what_the_server_said_last() {
    for (last, kind) in [
        (message(b'E', b"SFATAL\0C57P01\0Mterminating connection\0\0"), Kind::SourceUnreachable),
        (message(b'E', b"SERROR\0C42704\0Mpublication \"shop\" does not exist\0\0"), Kind::Publication),
        (message(b'c', b""), Kind::SourceUnreachable),
        (message(b'D', b"\0\0"), Kind::SourceProtocol),
    ] {
        let (mut stream, server) = stream(vec![last]);
        assert!(wait(&stream).socket);
        stream.fill().unwrap();
        assert_eq!(stream.next_frame().unwrap_err().kind(), kind);
        stream.send_status(&STATUS).unwrap();
        server.join().unwrap();
        wait(&stream);
        assert_eq!(stream.fill().unwrap(), Fill::Closed);
        assert_eq!(stream.closed().kind(), Kind::SourceUnreachable);
    }
}

#[test]
fn wakes_for_the_other_descriptor() {
    let (stream, server) = stream(Vec::new());
    server.join().unwrap();
    let (wake, mut other) = UnixStream::pair().unwrap();
    other.write_all(b"!").unwrap();
    assert!(stream.wait(wake.as_fd(), true, Duration::from_secs(5)).unwrap().wake);
    stream.stop();
}
