//! For tests: a configuration to change, and a server that plays a script.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::{OnGap, PublicationMode, Source, SslMode};

/// User `hw` of database `db` on a loopback port, without TLS.
pub(super) fn source(port: u16) -> Source {
    Source {
        host: "127.0.0.1".into(),
        port,
        database: "db".into(),
        user: "hw".into(),
        password: Some("secret".to_owned().into()),
        sslmode: SslMode::Disable,
        sslrootcert: None,
        sslcert: None,
        sslkey: None,
        slot: "shop".into(),
        publication: "shop".into(),
        publication_mode: PublicationMode::Tables,
        replica_identity: Vec::new(),
        publish_via_partition_root: false,
        tables: vec!["public.*".into()],
        exclude_tables: Vec::new(),
        columns: Vec::new(),
        exclude_columns: Vec::new(),
        key_columns: Vec::new(),
        mask_columns: Vec::new(),
        messages: vec!["*".into()],
        exclude_messages: Vec::new(),
        heartbeat_query: None,
        discover_interval: Duration::ZERO,
        sql_ascii: crate::modes::TextEncoding::default(),
        on_gap: OnGap::Stop,
        connect_timeout: Duration::from_secs(5),
        status_interval: Duration::from_secs(10),
        wal_sender_timeout: Duration::from_secs(60),
    }
}

/// A server that serves one connection after another, each with the next of `scripts`.
pub(super) fn serve(scripts: Vec<Box<dyn FnOnce(TcpStream) + Send>>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        for script in scripts {
            script(listener.accept().unwrap().0);
        }
    });
    (port, server)
}

/// A message of the backend.
pub(super) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// Reads a message of the frontend; without a tag, the first one.
pub(super) fn receive(socket: &mut impl Read, tagged: bool) -> (u8, Vec<u8>) {
    let mut tag = [0; 1];
    if tagged {
        socket.read_exact(&mut tag).unwrap();
    }
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    socket.read_exact(&mut body).unwrap();
    (tag[0], body)
}

/// AuthenticationOk up to ReadyForQuery.
pub(super) fn welcome(socket: &mut impl Write) {
    let mut out = message(b'R', &[0; 4]);
    out.extend(message(b'S', b"server_version\x0015.1\0"));
    out.extend(message(b'K', &[0, 0, 0, 42, 0, 0, 0, 1]));
    out.extend(message(b'Z', b"I"));
    socket.write_all(&out).unwrap();
}

/// Answers the next query with one row of one value, and returns the query.
pub(super) fn answer(socket: &mut (impl Read + Write), value: &str) -> String {
    let (tag, query) = receive(socket, true);
    assert_eq!(tag, b'Q');
    let mut row = vec![0, 1];
    row.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
    row.extend(value.as_bytes());
    let mut out = message(b'T', &[0, 0]);
    out.extend(message(b'D', &row));
    out.extend(message(b'C', b"SHOW\0"));
    out.extend(message(b'Z', b"I"));
    socket.write_all(&out).unwrap();
    String::from_utf8(query).unwrap()
}
