//! What a live daemon shows: metrics as documented, health, readiness, status, and what it tells the service manager.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::daemon::Builder;
use crate::support::process::Process;
use crate::support::{DEADLINE, Daemon, Db, Kafka, Postgres, reaper, wait_for, wait_until};

use super::{outcome, slot_name, table};

/// Type by name of the table in docs/metrics.md.
fn documented() -> BTreeMap<String, String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>());
    cells.map(|cells| (cells[1].clone(), cells[2].clone())).collect()
}

fn exported(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn a_live_daemon_shows_what_is_documented() {
    // With a bound for slots, so that every metric has something to say.
    let server = Postgres::start(18, &[("max_slot_wal_keep_size", "1GB")]);
    let db = server.database("shown");
    table(&db);
    let mut daemon = Daemon::builder(&db, Kafka::shared()).start();
    db.exec("insert into t values (1, 'a'); update t set v = 'b'; delete from t");
    Kafka::shared().consumer(&format!("{}.public.t", db.name())).take(6);
    daemon.wait_metric("headwater_slot_safe_wal_bytes", |bytes| bytes > 0.0);
    daemon.wait_metric("headwater_transactions_published_total", |count| count >= 1.0);
    let text = daemon.get("/metrics").unwrap().body;
    assert_eq!(exported(&text), documented());
    let metrics = daemon.metrics();
    let events = |operation| {
        let labels = [("schema", "public"), ("table", "t"), ("operation", operation)];
        metrics.get("headwater_events_total", &labels)
    };
    assert_eq!(["create", "update", "delete"].map(events), [Some(1.0), Some(2.0), Some(2.0)]);
    for bound in
        ["headwater_queue_capacity_bytes", "headwater_queue_capacity_records", "headwater_memory_limit_bytes"]
    {
        assert!(metrics.value(bound) > 1000.0, "{bound}");
    }
    status_agrees(&daemon, &db);
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "streaming\n")] {
        let response = daemon.get(path).unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, body), "{path}");
    }
    program_agrees(&daemon);
    // Draining and gone: the program's word for the container engine.
    assert_eq!(daemon.terminate().code(), Some(0));
    let asked = asked(&daemon, &["status", "--health"]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(String::from_utf8(asked.stdout).unwrap().contains("no answer from http://127.0.0.1"));
}

fn status_agrees(daemon: &Daemon, db: &Db) {
    let status = daemon.status();
    assert_eq!(status["name"], db.name());
    assert_eq!(status["slot"], slot_name(db).as_str());
    assert_eq!((&status["state"], &status["sink"]), (&"streaming".into(), &"kafka".into()));
    assert_eq!(status["delivery"], "exactly_once");
    let identifier = db.value("select system_identifier from pg_control_system()");
    assert_eq!(status["server"]["system_id"], identifier.as_str());
    assert!(status["server"]["version"].as_str().unwrap().starts_with("18."));
    assert!(status["last_error"].is_null());
    assert_eq!(status["tables"][0]["table"], "t", "{status}");
    let confirmed = || db.confirmed_flush_lsn(&slot_name(db)).unwrap();
    wait_until(DEADLINE, "slot at the position of /status", || {
        daemon.status()["lsn"]["confirmed"] == confirmed().as_str()
    });
}

fn asked(daemon: &Daemon, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    command.args(arguments).arg("--config").arg(daemon.config_path()).output().unwrap()
}

fn program_agrees(daemon: &Daemon) {
    let status = asked(daemon, &["status"]);
    assert!(status.status.success());
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["name"], daemon.status()["name"]);
    let health = asked(daemon, &["status", "--health"]);
    assert_eq!((health.status.code(), health.stdout.as_slice()), (Some(0), b"ok\n".as_slice()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/Dockerfile");
    assert!(fs::read_to_string(script).unwrap().contains("\"headwater\", \"status\", \"--health\""));
}

#[test]
fn a_broker_that_takes_nothing_is_unhealthy_and_said_once() {
    let kafka = Kafka::start();
    let db = Postgres::shared(18).database("stalled");
    table(&db);
    let builder = Daemon::builder(&db, &kafka).set("admin.stall_timeout", "2s");
    let mut daemon =
        builder.allow_log("unhealthy").allow_log("no Kafka broker").allow_log("session failed").start();
    db.exec("insert into t values (1, 'first')");
    kafka.consumer(&format!("{}.public.t", db.name())).take(1);
    kafka.pause();
    db.exec("insert into t values (2, 'waits')");
    let response = wait_for(DEADLINE, "bad health", || {
        daemon.get("/healthz").ok().filter(|response| response.status == 503)
    });
    assert!(response.body.contains("work is waiting and nothing has become durable"), "{}", response.body);
    assert!(daemon.metrics().value("headwater_healthy") < 0.5);
    assert_eq!(asked(&daemon, &["status", "--health"]).status.code(), Some(1));
    // The probe may see it up to a second before the watcher that logs it.
    daemon.wait_log("\"message\":\"unhealthy");
    kafka.resume();
    wait_until(DEADLINE, "good health", || {
        daemon.get("/healthz").is_ok_and(|response| response.status == 200)
    });
    let told = daemon.log().lines().filter(|line| line.contains("\"message\":\"unhealthy")).count();
    assert_eq!(told, 1, "{}", daemon.log());
    daemon.terminate();
}

#[test]
fn the_service_manager_hears_of_start_life_and_end() {
    let directory = reaper::directory();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let db = Postgres::shared(18).database("notify");
    table(&db);
    let config = directory.path().join("headwater.toml");
    let text = format!(
        "name = '{}'\nadmin.listen = ''\nsink.type = 'stdout'\nsource.url = '{}'\n",
        db.name(),
        db.url()
    );
    fs::write(&config, text).unwrap();
    // The watchdog is meant for one process: the shell passes its number on with itself.
    let mut command = Command::new("sh");
    command.args(["-c", "WATCHDOG_PID=$$ exec \"$0\" run --config \"$1\"", env!("CARGO_BIN_EXE_headwater")]);
    command
        .arg(&config)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .current_dir(directory.path());
    let mut daemon = Process::spawn("headwater", command, &directory.path().join("log"), "KILL");
    let mut told: Vec<String> = Vec::new();
    let mut hear = |until: &dyn Fn(&[String]) -> bool| {
        let mut datagram = [0; 512];
        while !until(&told) {
            let length = socket.recv(&mut datagram).unwrap();
            told.push(String::from_utf8(datagram[..length].to_vec()).unwrap());
        }
        told.clone()
    };
    let count = |told: &[String], text: &str| told.iter().filter(|line| line.trim() == text).count();
    let told = hear(&|told| count(told, "STATUS=streaming") == 1 && count(told, "WATCHDOG=1") >= 4);
    assert_eq!(count(&told, "READY=1"), 1, "{told:?}");
    daemon.signal("TERM");
    assert_eq!(daemon.wait_exit(DEADLINE).code(), Some(0));
    let told = hear(&|told| count(told, "STOPPING=1") == 1);
    assert_eq!(told.last().unwrap().trim(), "STOPPING=1");
}

#[test]
fn a_slot_that_waits_for_a_long_transaction_is_a_sign_of_life() {
    let db = Postgres::shared(18).database("patience");
    table(&db);
    let session = db.connect();
    session.exec("begin");
    session.exec("insert into t values (1, 'open')");
    let builder =
        Builder::new(db.name()).source_url(db.url()).set("sink.type", "stdout").set("snapshot.mode", "never");
    let mut daemon = builder.set("admin.stall_timeout", "2s").spawn();
    daemon.wait_log("creating the slot; it waits for transactions that are in progress");
    let start = Instant::now();
    wait_until(DEADLINE, "twice the time to be unhealthy", || {
        assert_eq!(daemon.get("/healthz").unwrap().status, 200);
        start.elapsed() > Duration::from_secs(4)
    });
    session.exec("commit");
    daemon.wait_ready();
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_taken_admin_port_is_a_clear_mistake() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let db = Postgres::shared(18).database("port");
    let builder =
        Builder::new(db.name()).source_url(db.url()).set("sink.type", "stdout").set("snapshot.mode", "never");
    let ended = outcome(builder.arguments(&["run", "--set", &format!("admin.listen={listen}")]));
    let key = format!("admin.listen = \"{listen}\" cannot be listened on");
    ended.expect(64, &[&key, "in use", "choose another admin.listen"]);
}
