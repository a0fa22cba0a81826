//! Take-over from Debezium, with both `import` commands: what it wrote and what Headwater writes are together what happened,
//! nothing missing and nothing twice.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::Builder;
use crate::support::process::Process;
use crate::support::{
    ConsumedRecord, DEADLINE, Daemon, Db, Kafka, Postgres, Session, free_port, reaper, server_home,
    wait_until,
};

/// How long Debezium may take for a step, beside everything else that runs.
const JAVA: Duration = Duration::from_secs(240);

const TABLE: &str = "create table t (id int primary key, v text)";

/// A change as a reader sees it: operation, id, value.
type Seen = (String, i64, Option<String>);

fn seen(records: &[ConsumedRecord], topic: &str) -> Vec<Seen> {
    let of_topic = records.iter().filter(|record| record.topic == topic && !record.is_tombstone());
    let change = |record: &ConsumedRecord| {
        let event = record.json();
        let row = if event["after"].is_null() { &event["before"] } else { &event["after"] };
        (record.op(), row["id"].as_i64().unwrap(), event["after"]["v"].as_str().map(str::to_owned))
    };
    of_topic.map(change).collect()
}

fn created(ids: std::ops::RangeInclusive<i64>, v: &str) -> Vec<Seen> {
    ids.map(|id| ("c".to_owned(), id, Some(v.to_owned()))).collect()
}

/// One log record for all rows.
fn copy(ids: std::ops::RangeInclusive<i64>, v: &str) -> String {
    let rows = format!("seq -f \"%.0f,{v}\" {} {}", ids.start(), ids.end());
    format!("copy t from program '{rows}' with (format csv)")
}

fn headwater(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headwater")).args(arguments).output().unwrap()
}

#[track_caller]
fn successful(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// Waits until nobody reads the slot: the server notices only later that a reader has gone.
fn wait_free(db: &Db) {
    let held =
        format!("select count(*) from pg_replication_slots where slot_name = '{}' and active", db.name());
    wait_until(DEADLINE, "a slot that nobody holds", || db.value(&held) == "0");
}

/// The daemon, told what was imported.
fn daemon(db: &Db, imported: &str) -> Daemon {
    wait_free(db);
    Builder::new(db.name()).imported(imported).set("checkpoint.interval", "50ms").start()
}

/// Debezium on a standalone worker.
struct Debezium {
    process: Process,
    directory: TempDir,
}

impl Debezium {
    fn start(db: &Db, kafka: &Kafka) -> Self {
        let directory = reaper::directory();
        let path = |name: &str| directory.path().join(name);
        let worker = format!(
            "bootstrap.servers={}\nlisteners=http://127.0.0.1:{}\noffset.storage.file.filename={}\n\
             offset.flush.interval.ms=500\ndefault.api.timeout.ms=180000\nplugin.discovery=service_load\n\
             key.converter=org.apache.kafka.connect.json.JsonConverter\nkey.converter.schemas.enable=false\n\
             value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n",
            kafka.brokers(),
            free_port(),
            path("offsets").display(),
        );
        let name = db.name();
        let connector = format!(
            "name={name}\nconnector.class=io.debezium.connector.postgresql.PostgresConnector\ntasks.max=1\n\
             database.hostname=127.0.0.1\ndatabase.port={}\ndatabase.user=postgres\ndatabase.password=unused\n\
             database.dbname={name}\ntopic.prefix={name}\nplugin.name=pgoutput\nslot.name={name}\n\
             publication.name={name}\npublication.autocreate.mode=all_tables\nsnapshot.mode=no_data\n\
             poll.interval.ms=20\ntopic.creation.default.partitions=1\n\
             topic.creation.default.replication.factor=1\n",
            db.port(),
        );
        fs::write(path("worker.properties"), worker).unwrap();
        fs::write(path("connector.properties"), connector).unwrap();
        let mut command = Command::new("java");
        command.args(["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
        command.arg(server_home(&["debezium"]).join("libs/*"));
        command.arg("org.apache.kafka.connect.cli.ConnectStandalone");
        command.args([path("worker.properties"), path("connector.properties")]);
        command.current_dir(directory.path());
        let process = Process::spawn("Debezium", command, &path("log"), "KILL");
        let mut debezium = Self { process, directory };
        wait_until(JAVA, "stream to Debezium", || {
            debezium.process.assert_running();
            db.value(&format!(
                "select count(*) from pg_replication_slots where slot_name = '{name}' and active"
            )) == "1"
        });
        debezium
    }

    /// An orderly end, which stores the offsets.
    fn stop(&mut self) {
        self.process.signal("TERM");
        self.process.wait_exit(JAVA);
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// What `import debezium` says of it, also as a file.
    fn imported(&self) -> String {
        let (connector, worker) = (self.file("connector.properties"), self.file("worker.properties"));
        let text = successful(&headwater(&["import", "debezium", &connector, "--worker", &worker]));
        fs::write(self.directory.path().join("headwater.toml"), &text).unwrap();
        text
    }

    fn import_offsets(&self) -> Output {
        let (config, offsets) = (self.file("headwater.toml"), self.file("offsets"));
        headwater(&["import", "debezium-offsets", &offsets, "--config", &config])
    }
}

#[test]
fn after_debezium_nothing_is_missing_and_nothing_comes_twice() {
    let (db, kafka) = (Postgres::shared(18).database("take_over"), Kafka::shared());
    db.exec(TABLE);
    let topic = format!("{}.public.t", db.name());
    let mut consumer = kafka.consumer(db.name());
    let mut debezium = Debezium::start(&db, kafka);
    let imported = debezium.imported();
    db.exec("insert into t values (1, 'a')");
    db.exec("update t set v = 'b' where id = 1; delete from t where id = 1;");
    db.exec(&copy(10..=29, "copied"));
    let mut expected = created(1..=1, "a");
    expected.extend([("u".to_owned(), 1, Some("b".to_owned())), ("d".to_owned(), 1, None)]);
    expected.extend(created(10..=29, "copied"));
    consumer.until_within(JAVA, "Debezium's records", |records| seen(records, &topic) == expected);
    let offsets = debezium.file("offsets");
    wait_until(JAVA, "stored offsets", || fs::metadata(&offsets).is_ok_and(|file| file.len() > 0));
    // The worker writes its file over and over, so it may be read by half.
    wait_until(JAVA, "refusal while it runs", || {
        let early = debezium.import_offsets();
        assert!(!early.status.success(), "it still runs: {early:?}");
        String::from_utf8_lossy(&early.stderr).contains("is held by")
    });
    debezium.stop();
    wait_free(&db);
    // While nobody looks.
    db.exec("insert into t values (40, 'c')");
    db.exec(&copy(41..=45, "d"));
    let told = successful(&debezium.import_offsets());
    assert!(told.contains("the checkpoint is written") && !told.contains("warning"), "{told}");
    let again = debezium.import_offsets();
    assert_eq!(again.status.code(), Some(64), "there is a checkpoint now");
    let mut daemon = daemon(&db, &imported);
    db.exec("insert into t values (50, 'e')");
    db.wait_confirmed(db.name());
    assert!(daemon.terminate().success());
    expected.extend(created(40..=40, "c"));
    expected.extend(created(41..=45, "d"));
    expected.extend(created(50..=50, "e"));
    assert_eq!(seen(consumer.read_to_end(), &topic), expected);
}

/// A database with a slot and a publication as Debezium leaves them, and a configuration for it.
struct Left {
    db: Db,
    directory: TempDir,
    imported: String,
}

impl Left {
    fn new(base: &str, kafka: &Kafka) -> Self {
        let db = Postgres::shared(18).database(base);
        db.exec(TABLE);
        let name = db.name();
        db.exec(&format!("create publication {name} for all tables"));
        db.query(&format!("select pg_create_logical_replication_slot('{name}', 'pgoutput')"));
        let directory = reaper::directory();
        let connector = json!({
            "name": name,
            "config": {
                "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
                "database.hostname": "127.0.0.1", "database.port": db.port().to_string(), "database.user": "postgres",
                "database.dbname": name, "topic.prefix": name, "slot.name": name, "publication.name": name,
                "plugin.name": "pgoutput", "snapshot.mode": "no_data",
                "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
            }
        });
        let path = directory.path().join("connector.json");
        fs::write(&path, connector.to_string()).unwrap();
        let arguments = ["import", "debezium", &path.display().to_string(), "--brokers", &kafka.brokers()];
        let imported = successful(&headwater(&arguments));
        fs::write(directory.path().join("headwater.toml"), &imported).unwrap();
        Self { db, directory, imported }
    }

    /// End of the last commit, and of each row change of the log behind it transaction and position.
    fn log(&self) -> (u64, Vec<(u64, u64)>) {
        let name = self.db.name();
        let number = |text: &Option<String>| text.as_deref().unwrap().parse::<u64>().unwrap();
        let confirmed = self.db.value(&format!(
            "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots where slot_name = '{name}'"
        ));
        let rows = self.db.query(&format!(
            "select xid, lsn - '0/0'::pg_lsn from pg_logical_slot_peek_binary_changes('{name}', null, null, \
             'proto_version', '1', 'publication_names', '{name}') where get_byte(data, 0) in (73, 85, 68)"
        ));
        (confirmed.parse().unwrap(), rows.iter().map(|row| (number(&row[0]), number(&row[1]))).collect())
    }

    fn import(&self, offset: &Value, more: &[&str]) -> Output {
        let server = self.db.name();
        let rest = json!({"offsets": [{"partition": {"server": server}, "offset": offset}]});
        let (offsets, config) =
            (self.directory.path().join("offsets.json"), self.directory.path().join("headwater.toml"));
        fs::write(&offsets, rest.to_string()).unwrap();
        let path = |path: &Path| path.display().to_string();
        let (offsets, config) = (path(&offsets), path(&config));
        let mut arguments = vec!["import", "debezium-offsets", &offsets, "--config", &config];
        arguments.extend(more);
        wait_free(&self.db);
        headwater(&arguments)
    }

    /// What the daemon writes from there on.
    fn rest(&self, kafka: &Kafka) -> Vec<Seen> {
        self.rest_and_messages(kafka).0
    }

    /// The same, and how many logical decoding messages.
    fn rest_and_messages(&self, kafka: &Kafka) -> (Vec<Seen>, usize) {
        let mut daemon = daemon(&self.db, &self.imported);
        self.db.wait_confirmed(self.db.name());
        assert!(daemon.terminate().success());
        let mut consumer = kafka.consumer(self.db.name());
        let (rows, messages) =
            (format!("{}.public.t", self.db.name()), format!("{}.message", self.db.name()));
        let records = consumer.read_to_end();
        (seen(records, &rows), records.iter().filter(|record| record.topic == messages).count())
    }
}

#[test]
fn a_stop_within_a_transaction_goes_on_within_it() {
    let kafka = Kafka::shared();
    let left = Left::new("stopped_within", kafka);
    left.db.exec(&format!(
        "begin; insert into t values (1, 'a'); {}; insert into t values (20, 'c'); commit",
        copy(10..=14, "b")
    ));
    left.db.exec("insert into t values (30, 'd')");
    let (_, changes) = left.log();
    let (xid, lsn) = changes[1];
    assert_eq!(changes[5].1, lsn, "one log record for the rows of a COPY");
    // Three of the five rows were written.
    let offset =
        json!({"lsn": lsn, "lsn_proc": lsn, "txId": xid, "messageType": "INSERT", "lsn_events_processed": 3});
    let dry = successful(&left.import(&offset, &["--dry-run"]));
    assert!(dry.contains("would go on"), "{dry}");
    let told = successful(&left.import(&offset, &[]));
    assert!(told.contains("within the transaction") && !told.contains("warning"), "{told}");
    let mut expected = created(13..=14, "b");
    expected.extend(created(20..=20, "c"));
    expected.extend(created(30..=30, "d"));
    assert_eq!(left.rest(kafka), expected);
}

#[test]
fn messages_are_neither_lost_nor_doubled() {
    let kafka = Kafka::shared();
    for (stopped_at_the_message_outside, base) in [(true, "after_lone"), (false, "after_inner")] {
        let left = Left::new(base, kafka);
        let emit = |session: &Session, transactional: bool| -> u64 {
            let call = format!("select pg_logical_emit_message({transactional}, 'p', 'm') - '0/0'::pg_lsn");
            session.query(&call)[0][0].as_deref().unwrap().parse().unwrap()
        };
        let (open, other) = (left.db.connect(), left.db.connect());
        open.exec("begin; insert into t values (1, 'a')");
        let lone = emit(&other, false);
        let offset = if stopped_at_the_message_outside {
            // Its commit record follows that of the message.
            open.exec("commit");
            json!({"lsn": lone, "lsn_proc": lone, "lsn_commit": lone, "messageType": "MESSAGE"})
        } else {
            let inner = emit(&open, true);
            open.exec("insert into t values (2, 'b'); commit");
            let (_, changes) = left.log();
            json!({"lsn": inner, "lsn_proc": lone, "lsn_commit": lone, "txId": changes[0].0, "messageType": "MESSAGE"})
        };
        let told = successful(&left.import(&offset, &[]));
        assert!(!told.contains("warning"), "{told}");
        let id = if stopped_at_the_message_outside { 1 } else { 2 };
        let expected = created(id..=id, if id == 1 { "a" } else { "b" });
        let (rest, messages) = left.rest_and_messages(kafka);
        assert_eq!((rest, messages), (expected, 0), "{base}");
    }
}

#[test]
fn what_is_not_known_comes_again_and_that_is_told() {
    let kafka = Kafka::shared();
    let left = Left::new("stopped_somewhere", kafka);
    left.db.exec(&copy(1..=3, "a"));
    let (_, changes) = left.log();
    let (xid, lsn) = changes[0];
    let offset = json!({"lsn": lsn, "lsn_proc": lsn, "txId": xid, "messageType": "INSERT"});
    let told = successful(&left.import(&offset, &[]));
    assert!(told.contains("warning") && told.contains("come again"), "{told}");
    assert_eq!(left.rest(kafka), created(1..=3, "a"));
}

#[test]
fn a_take_over_that_would_lose_changes_is_refused() {
    let kafka = Kafka::shared();
    let left = Left::new("refused", kafka);
    let (confirmed, _) = left.log();
    let at = |lsn: u64| json!({"lsn": lsn, "lsn_proc": lsn, "lsn_commit": lsn, "messageType": "COMMIT"});
    let refusal = |offset: &Value| {
        let output = left.import(offset, &[]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = refusal(&at(confirmed - 1));
    assert!(code == Some(69) && text.contains("beyond the offset"), "{code:?} {text}");
    let (code, text) = refusal(&at(confirmed + (1 << 40)));
    assert!(code == Some(69) && text.contains("another server"), "{code:?} {text}");
    let (code, text) =
        refusal(&json!({"lsn": confirmed, "snapshot": "INITIAL", "last_snapshot_record": false}));
    assert!(code == Some(64) && text.contains("not complete"), "{code:?} {text}");
    left.db.query(&format!("select pg_drop_replication_slot('{}')", left.db.name()));
    let (code, text) = refusal(&at(confirmed));
    assert!(code == Some(69) && text.contains("nothing to take over"), "{code:?} {text}");
}

#[test]
fn the_offsets_topic_is_read_as_compaction_leaves_it() {
    let kafka = Kafka::shared();
    let left = Left::new("from_topic", kafka);
    let (confirmed, _) = left.log();
    let topic = format!("{}-offsets", left.db.name());
    kafka.create_topic(&topic, 3, &[]);
    let server = left.db.name();
    let offset = |lsn: u64| {
        json!({"lsn": lsn, "lsn_proc": lsn, "lsn_commit": lsn, "messageType": "COMMIT"}).to_string()
    };
    let key = |connector: &str, server: &str| json!([connector, {"server": server}]).to_string();
    let producer: BaseProducer = kafka.client_config().create().unwrap();
    for (key, value) in [
        (key("other", "other"), Some(offset(1))),
        (key("ours", server), Some(offset(1))),
        (key("gone", server), Some(offset(2))),
        (key("ours", server), Some(offset(confirmed))),
        (key("gone", server), None),
    ] {
        let record = BaseRecord::to(&topic).key(&key);
        let record = match &value {
            Some(value) => record.payload(value),
            None => record,
        };
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(DEADLINE).unwrap();
    let config = left.directory.path().join("headwater.toml").display().to_string();
    let arguments = ["import", "debezium-offsets", "--topic", &topic, "--config", &config];
    assert!(successful(&headwater(&arguments)).contains("the checkpoint is written"));
    left.db.exec("insert into t values (1, 'a')");
    assert_eq!(left.rest(kafka), created(1..=1, "a"));
    let missing = headwater(&["import", "debezium-offsets", "--topic", "no-such-topic", "--config", &config]);
    assert_eq!(missing.status.code(), Some(64));
}

#[test]
fn the_log_of_a_failed_import_shows_no_secret() {
    let directory = reaper::directory();
    let path = directory.path().join("connector.properties");
    fs::write(&path, "database.password=hunter2\nnonsense\n").unwrap();
    let output = headwater(&["import", "debezium", &path.display().to_string()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64));
    assert!(
        text.contains("connector.properties:2: a key without a value") && !text.contains("hunter2"),
        "{text}"
    );
}
