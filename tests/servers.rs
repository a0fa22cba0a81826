//! The ground under the other tests: that the servers, the consumer and the proxy do what those tests rely on.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::kafka::{ALICE, MALLORY};
use crate::support::proxy::Direction;
use crate::support::tls::Authority;
use crate::support::{Auth, DEADLINE, Kafka, Postgres, Proxy, Session, Shutdown, reaper, unique, wait_until};

#[test]
fn postgres_18_takes_statements_and_is_set_for_logical_replication() {
    replicates_logically(Postgres::shared(18));
}

#[test]
fn postgres_14_takes_statements_and_is_set_for_logical_replication() {
    replicates_logically(Postgres::shared(14));
}

#[test]
fn postgres_10_takes_statements_and_is_set_for_logical_replication() {
    replicates_logically(Postgres::shared(10));
}

fn replicates_logically(server: &Postgres) {
    let db = server.database("servers");
    db.exec("create table t (id int primary key, v text)");
    db.exec("insert into t values (1, 'ä'), (2, null)");
    assert_eq!(
        db.query("select * from t order by id"),
        [[Some("1".into()), Some("ä".into())], [Some("2".into()), None]]
    );
    assert!(db.value("show server_version").starts_with(&server.version().to_string()));
    assert_eq!(db.value("show timezone"), "UTC");
    let slot = unique("servers");
    db.exec(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    assert!(db.confirmed_flush_lsn(&slot).is_some());
}

#[test]
fn a_database_goes_with_its_slots_and_sessions() {
    let server = Postgres::shared(18);
    let slot = unique("servers");
    let db = server.database("servers");
    let name = db.name().to_owned();
    db.exec(&format!("select pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    let session = db.connect();
    session.exec("begin");
    drop(db);
    let admin = server.session("postgres");
    assert_eq!(admin.value(&format!("select count(*) from pg_database where datname = '{name}'")), "0");
    assert_eq!(
        admin.value(&format!("select count(*) from pg_replication_slots where slot_name = '{slot}'")),
        "0"
    );
}

#[test]
fn a_private_postgres_keeps_settings_port_and_data_over_restarts() {
    let server = Postgres::start(18, &[("max_slot_wal_keep_size", "64MB")]);
    let db = server.database("servers");
    db.exec("create table t (id int primary key); insert into t values (1)");
    assert_eq!(db.value("show max_slot_wal_keep_size"), "64MB");
    for how in [Shutdown::Immediate, Shutdown::Fast] {
        server.stop(how);
        assert!(Session::open(server.port(), "postgres", db.name()).is_err());
        server.resume();
        assert_eq!(db.value("select count(*) from t"), "1");
    }
}

#[test]
fn roles_authenticate_as_their_method_says() {
    let server = Postgres::shared(18);
    let admits = |auth: Auth, password: &str| {
        let role = server.role("servers", auth, "secret'1");
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(server.port()).user(&role).password(password).dbname("postgres");
        Session::connect(&config).is_ok()
    };
    for auth in [Auth::Password, Auth::Md5, Auth::Scram] {
        assert!(admits(auth, "secret'1"), "{auth:?}");
        assert!(!admits(auth, "wrong"), "{auth:?}");
    }
    assert!(admits(Auth::Trust, "wrong"));
    // These two are for TLS, which this client does not speak.
    assert!(!admits(Auth::Tls, "secret'1"));
    assert!(!admits(Auth::Certificate, "secret'1"));
    assert!(!admits(Auth::Reject, "secret'1"));
}

#[test]
fn postgres_shows_the_certificate_of_our_authority() {
    use rustls::pki_types::ServerName;
    let server = Postgres::shared(18);
    let authority = Authority::shared();
    let handshake = |authority: &Authority, address: &str| {
        let mut stream = TcpStream::connect((address, server.port())).unwrap();
        stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap(); // SSLRequest
        let mut answer = [0];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"S");
        let name = ServerName::try_from(address.to_owned()).unwrap();
        let mut tls = rustls::ClientConnection::new(client_config(authority).into(), name).unwrap();
        tls.complete_io(&mut stream).is_ok()
    };
    assert!(handshake(authority, "127.0.0.1"));
    assert!(!handshake(authority, "127.0.0.2"), "the certificate is not for this address");
    assert!(!handshake(&Authority::new(), "127.0.0.1"));
}

fn client_config(authority: &Authority) -> rustls::ClientConfig {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.certificate()).unwrap()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = rustls::ClientConfig::builder_with_provider(provider.into());
    builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth()
}

#[test]
fn a_consumer_sees_committed_transactions_only() {
    let kafka = Kafka::shared();
    let prefix = unique("servers");
    let topic = format!("{prefix}.t");
    kafka.create_topic(&topic, 2, &[("cleanup.policy", "compact")]);
    assert_eq!(kafka.topics(&prefix), [(topic.clone(), 2)]);
    let producer = transactional_producer(kafka, &prefix);
    for (value, committed) in [("one", true), ("two", false), ("three", true)] {
        transaction(&producer, &topic, value, committed);
    }
    let mut consumer = kafka.consumer(&prefix);
    let values = |records: &[crate::support::ConsumedRecord]| -> Vec<String> {
        records.iter().map(|record| record.json()["v"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(values(consumer.read_to_end()), ["one", "three"]);
    assert_eq!(consumer.drain().len(), 2);
    assert_eq!(values(kafka.uncommitted_consumer(&prefix).read_to_end()), ["one", "two", "three"]);
    // What a commit has answered is there at once, also while the broker is still writing the markers.
    for round in 0..5 {
        transaction(&producer, &topic, "again", true);
        assert_eq!(consumer.read_to_end().len(), round + 1);
    }
    consumer.drain();
    transaction(&producer, &topic, "four", true);
    assert_eq!(values(consumer.take(1)), ["four"]);
    let record = &consumer.records()[0];
    assert_eq!(record.key_json()["k"], "four");
    assert_eq!(record.header("h"), Some("x"));
}

#[test]
fn a_consumer_finds_topics_that_are_created_later() {
    let kafka = Kafka::shared();
    let prefix = unique("servers");
    let mut consumer = kafka.consumer(&prefix);
    assert!(consumer.read_to_end().is_empty());
    let producer = transactional_producer(kafka, &prefix);
    let writer = thread::spawn({
        let topic = format!("{prefix}.late");
        move || {
            kafka.create_topic(&topic, 1, &[]);
            transaction(&producer, &topic, "late", true);
        }
    });
    assert_eq!(consumer.take(1)[0].topic, format!("{prefix}.late"));
    writer.join().unwrap();
}

#[test]
fn a_private_kafka_keeps_its_data_over_a_crash_a_stop_and_a_pause() {
    let kafka = Kafka::start();
    kafka.create_topic("servers", 1, &[]);
    let mut consumer = kafka.consumer("servers");
    transaction(&transactional_producer(&kafka, "servers"), "servers", "one", true);
    kafka.kill();
    kafka.resume_stopped();
    transaction(&transactional_producer(&kafka, "servers"), "servers", "two", true);
    kafka.restart();
    kafka.pause();
    assert!(
        producer(&kafka.brokers(), &[]).client().fetch_metadata(None, Duration::from_millis(200)).is_err()
    );
    kafka.resume();
    transaction(&transactional_producer(&kafka, "servers"), "servers", "three", true);
    assert_eq!(consumer.take(3).len(), 3);
}

#[test]
fn clients_of_a_brokers_proxy_stay_behind_it() {
    let kafka = Kafka::start();
    kafka.create_topic("servers", 1, &[]);
    let proxy = kafka.proxy();
    let producer = producer(&proxy.address(), &[("transactional.id", "servers")]);
    producer.init_transactions(DEADLINE).unwrap();
    transaction(&producer, "servers", "one", true);
    assert!(proxy.accepted() > 0);
    proxy.cut();
    transaction(&producer, "servers", "two", true);
    assert_eq!(kafka.consumer("servers").read_to_end().len(), 2);
}

#[test]
fn a_secured_kafka_knows_its_users() {
    let kafka = Kafka::secured();
    let ca = Authority::shared().certificate().display().to_string();
    let reaches = |brokers: String, settings: &[(&str, &str)]| {
        producer(&brokers, settings).client().fetch_metadata(None, Duration::from_secs(2)).is_ok()
    };
    assert!(reaches(kafka.tls_brokers(), &[("security.protocol", "ssl"), ("ssl.ca.location", &ca)]));
    assert!(!reaches(kafka.tls_brokers(), &[("security.protocol", "ssl")]), "nobody knows our authority");
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let sasl = |protocol, password| {
            [
                ("security.protocol", protocol),
                ("sasl.mechanisms", mechanism),
                ("sasl.username", ALICE.0),
                ("sasl.password", password),
                ("ssl.ca.location", &ca),
            ]
        };
        assert!(reaches(kafka.sasl_brokers(), &sasl("sasl_plaintext", ALICE.1)), "{mechanism}");
        assert!(!reaches(kafka.sasl_brokers(), &sasl("sasl_plaintext", MALLORY.1)), "{mechanism}");
        assert!(reaches(kafka.sasl_tls_brokers(), &sasl("sasl_ssl", ALICE.1)), "{mechanism}");
    }
}

#[test]
fn a_proxy_cuts_pauses_and_refuses() {
    let (proxy, echo) = echo_behind_proxy();
    let connect = || {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    };
    let mut stream = connect();
    assert_eq!(ask(&mut stream, b"hello").unwrap(), b"hello");

    proxy.pause();
    stream.write_all(b"held").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(stream.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::WouldBlock);
    proxy.resume();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut held = [0; 4];
    stream.read_exact(&mut held).unwrap();
    assert_eq!(&held, b"held");

    proxy.cut();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);

    let mut stream = connect();
    proxy.cut_after(Direction::ToClient, 3);
    stream.write_all(b"hello").unwrap();
    let mut start = Vec::new();
    let end = stream.read_to_end(&mut start).unwrap_err();
    assert_eq!((start.as_slice(), end.kind()), (b"hel".as_slice(), ErrorKind::ConnectionReset));

    proxy.refuse();
    assert_eq!(TcpStream::connect(proxy.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    proxy.accept();
    assert_eq!(ask(&mut connect(), b"again").unwrap(), b"again");
    assert_eq!(proxy.accepted(), 3);
    drop(echo);
}

#[test]
fn a_proxy_before_postgres_breaks_the_session() {
    let db = Postgres::shared(18).database("servers");
    let proxy = Proxy::start(db.port());
    let session = Session::open(proxy.port(), "postgres", db.name()).unwrap();
    assert_eq!(session.value("select 1"), "1");
    proxy.cut();
    assert!(session.try_exec("select 1").is_err());
    Session::open(proxy.port(), "postgres", db.name()).unwrap().exec("select 1");
}

#[test]
fn the_reaper_ends_and_removes_what_a_killed_process_leaves() {
    // A process of its own stands for a test binary that is killed: it holds the reaper's input open.
    let directory = reaper::directory();
    let marker = directory.path().join("kept/file");
    std::fs::create_dir(directory.path().join("kept")).unwrap();
    std::fs::write(&marker, "").unwrap();
    let mut victim = Command::new("sleep").arg("600").spawn().unwrap();
    let input = format!("watch {} TERM\ndirectory {}\n", victim.id(), marker.parent().unwrap().display());
    let mut shell = reaper::command().spawn().unwrap();
    shell.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    wait_until(DEADLINE, "end of the victim", || victim.try_wait().unwrap().is_some());
    assert!(shell.wait().unwrap().success());
    assert!(!marker.exists());
}

fn producer(brokers: &str, settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("linger.ms", "1");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().unwrap()
}

fn transactional_producer(kafka: &Kafka, id: &str) -> BaseProducer {
    let producer = producer(&kafka.brokers(), &[("transactional.id", id)]);
    producer.init_transactions(DEADLINE).unwrap();
    producer
}

fn transaction(producer: &BaseProducer, topic: &str, text: &str, commit: bool) {
    use rdkafka::message::{Header, OwnedHeaders};
    let key = format!(r#"{{"k":"{text}"}}"#);
    let value = format!(r#"{{"v":"{text}"}}"#);
    let headers = OwnedHeaders::new().insert(Header { key: "h", value: Some("x") });
    producer.begin_transaction().unwrap();
    let record = BaseRecord::to(topic).partition(0).key(&key).payload(&value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(DEADLINE).unwrap();
    if commit {
        producer.commit_transaction(DEADLINE).unwrap();
    } else {
        producer.abort_transaction(DEADLINE).unwrap();
    }
}

/// A proxy before a server that sends back what it gets.
fn echo_behind_proxy() -> (Proxy, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap().port());
    let echo = thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
    (proxy, echo)
}

fn ask(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text)?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
