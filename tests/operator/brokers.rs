//! How the daemon and Kafka trust each other, and what a user without rights is told.

use std::process::Command;

use crate::support::daemon::Builder;
use crate::support::kafka::{ALICE, MALLORY};
use crate::support::tls::Authority;
use crate::support::{Auth, Daemon, Db, Kafka, Postgres, server_home};

use super::{check, outcome, table};

fn database() -> Db {
    let db = Postgres::shared(18).database("brokers");
    table(&db);
    db
}

fn builder(db: &Db) -> Builder {
    Daemon::builder(db, Kafka::secured())
}

fn ca() -> String {
    Authority::shared().certificate().display().to_string()
}

fn sasl(db: &Db, mechanism: &str, (user, password): (&str, &str)) -> Builder {
    builder(db)
        .brokers(Kafka::secured().sasl_brokers())
        .kafka_property("security.protocol", "sasl_plaintext")
        .kafka_property("sasl.mechanisms", mechanism)
        .kafka_property("sasl.username", user)
        .kafka_property("sasl.password", password)
}

const GOOD: &[&str] = &["ok: both sides are ready"];

#[test]
fn brokers_are_verified() {
    let db = database();
    let tls =
        || builder(&db).brokers(Kafka::secured().tls_brokers()).kafka_property("security.protocol", "ssl");
    check(tls().kafka_property("ssl.ca.location", &ca())).expect(0, GOOD);
    for wrong in [
        tls(),
        tls().kafka_property("ssl.ca.location", &Authority::new().certificate().display().to_string()),
    ] {
        outcome(wrong).expect_error(69, "sink_auth", &["certificate", "verif", "ssl.*"]);
    }
    check(tls()).expect(69, &["certificate", "verif"]);
}

#[test]
fn every_mechanism_logs_in_and_a_wrong_password_ends_the_daemon() {
    let db = database();
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        check(sasl(&db, mechanism, ALICE)).expect(0, GOOD);
        let wrong = outcome(sasl(&db, mechanism, (ALICE.0, "Wrong-7303")));
        wrong.expect_error(69, "sink_auth", &["uthentication", "check the security.protocol, sasl.*"]);
        assert!(!wrong.text.contains("Wrong-7303"), "{}", wrong.text);
    }
    let secured = sasl(&db, "SCRAM-SHA-512", ALICE)
        .brokers(Kafka::secured().sasl_tls_brokers())
        .kafka_property("security.protocol", "sasl_ssl")
        .kafka_property("ssl.ca.location", &ca());
    let mut daemon = secured.start();
    db.exec("insert into t values (1, 'safely')");
    Kafka::secured().consumer(&format!("{}.public.t", db.name())).take(1);
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_user_without_rights_hears_which_and_with_them_it_works() {
    let db = database();
    let mallory = || sasl(&db, "PLAIN", MALLORY);
    let checkpoint = format!("__{}_checkpoints", db.name());
    let ended = outcome(mallory());
    ended.expect_error(
        69,
        "sink_privilege",
        &["ransactional", &format!("Write and Describe on transactional id {:?}", db.name())],
    );
    let table = format!("topic {}.public.t", db.name());
    let report = check(mallory());
    report.expect(69, &[&format!("topic {checkpoint}"), &table, "grant the user", "transactional id"]);
    // One right after the other, as SECURITY.md lists them.
    allow(&["--transactional-id", db.name(), "--operation", "Write", "--operation", "Describe"]);
    let ended = outcome(mallory());
    ended.expect_error(69, "sink_privilege", &[&checkpoint, "grant the user"]);
    allow(&[
        "--topic",
        &checkpoint,
        "--operation",
        "Describe",
        "--operation",
        "Read",
        "--operation",
        "Write",
        "--operation",
        "Create",
    ]);
    let ended = outcome(mallory());
    ended.expect_error(69, "sink_privilege", &[&format!("{}.", db.name()), "grant the user"]);
    let prefix = format!("{}.", db.name());
    allow(&[
        "--topic",
        &prefix,
        "--resource-pattern-type",
        "prefixed",
        "--operation",
        "Describe",
        "--operation",
        "Write",
        "--operation",
        "Create",
    ]);
    let group = format!("headwater-{}", db.name());
    allow(&["--group", &group, "--operation", "Describe", "--operation", "Read"]);
    let mut daemon = mallory().start();
    db.exec("insert into t values (1, 'allowed')");
    Kafka::secured().consumer(&format!("{}.public.t", db.name())).take(1);
    assert_eq!(daemon.terminate().code(), Some(0));
    check(mallory()).expect(0, &["ok: both sides are ready"]);
}

#[test]
fn topics_that_are_missing_and_may_not_be_made_are_foreseen() {
    let db = database();
    let kafka = Kafka::shared();
    let builder = || {
        let builder = Daemon::builder(&db, kafka).set("topics.create", false);
        builder.set("topics.notification", "{name}.notes")
    };
    let topic = |name: &str| format!("topic {}.{name}: ", db.name());
    let report = check(builder());
    let needed = ["transaction", "notes", "public.t"];
    report.expect(69, &needed.map(topic).each_ref().map(String::as_str));
    report.expect(69, &[&topic("message"), "not ready: 3 to repair"]);
    for name in needed {
        kafka.create_topic(&format!("{}.{name}", db.name()), 1, &[]);
    }
    let report = check(builder());
    report.expect(
        0,
        &[&format!("WARN  {}", topic("message")), "pg_logical_emit_message", "skipped_operations"],
    );
    let without = check(builder().set("events.skipped_operations", vec!["m"]));
    assert!(!without.text.contains("message:"), "{}", without.text);
    kafka.create_topic(&format!("{}.message", db.name()), 1, &[]);
    let report = check(builder());
    report.expect(0, &["ok: both sides are ready"]);
    assert!(!report.text.contains(&topic("message")), "{}", report.text);
}

/// Allows MALLORY something.
fn allow(what: &[&str]) {
    let mut command = Command::new("java");
    command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp"]).arg(server_home(&["kafka"]).join("libs/*"));
    command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "org.apache.kafka.tools.AclCommand"]);
    command.args(["--bootstrap-server", &Kafka::secured().brokers(), "--add"]);
    command.args(["--allow-principal", &format!("User:{}", MALLORY.0)]).args(what);
    crate::support::process::run(command);
}

#[test]
fn neither_secrets_nor_rows_are_seen_anywhere() {
    const SECRETS: [&str; 3] = ["Pg-5ecret-81", ALICE.1, "row-5ecret-17"];
    let db = database();
    let role = Postgres::shared(18).role("secretive", Auth::Scram, SECRETS[0]);
    db.exec(&format!("alter role {role} superuser"));
    db.exec("create table secrets (id text primary key, n numeric, d date)");
    let base = || {
        sasl(&db, "SCRAM-SHA-256", ALICE)
            .source_url(db.url().replace("postgres@", &format!("{role}:{}@", SECRETS[0])))
            .set("log.level", "trace")
    };
    let mut daemon = base().allow_log("").start();
    db.exec(&format!("insert into secrets values ('{}', 'NaN', 'infinity')", SECRETS[2]));
    db.exec(&format!("update secrets set id = '{}x', n = 1", SECRETS[2]));
    db.exec(&format!("insert into t values (1, '{}')", SECRETS[2]));
    Kafka::secured().consumer(&format!("{}.public", db.name())).take(4);
    let mut seen: Vec<String> = ["/metrics", "/status", "/healthz", "/readyz", "/"]
        .iter()
        .map(|path| daemon.get(path).unwrap().body)
        .collect();
    assert_eq!(daemon.terminate().code(), Some(0));
    seen.push(daemon.log());
    seen.push(outcome(base().arguments(&["config", "show"])).text);
    seen.push(check(base()).text);
    // Errors: a record that is too large, a record that no topic takes.
    let large = format!("insert into t values (2, repeat('{}', 200000))", SECRETS[2]);
    let mut daemon = base().set("limits.max_message", "1MiB").allow_log("").start();
    db.exec(&large);
    let ended = super::outcome_of(&mut daemon);
    ended.expect_error(69, "message_too_large", &["limits.max_message"]);
    seen.push(ended.text);
    let ended = outcome(
        base()
            .source_url(
                db.url().replace("postgres@127.0.0.1", &format!("{role}:{}@nowhere.invalid", SECRETS[0])),
            )
            .set("retry.give_up_after", "1ms"),
    );
    seen.push(ended.text);
    let ended = outcome(base().set("kafka.broker", "x").set("source.port", "many"));
    ended.expect(64, &["kafka.broker"]);
    seen.push(ended.text);
    for text in &seen {
        for secret in SECRETS {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{secret} is in: {}", line.unwrap());
        }
    }
}
