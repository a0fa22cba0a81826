//! What the role lacks and the server forbids: all of it in one report, with the statements that remove it, which are then run.

use crate::support::daemon::Builder;
use crate::support::{Auth, Daemon, Db, Kafka, Postgres, Session, Shutdown, unique};

use super::{Outcome, check, outcome, slot_name, table};

/// A role of the test's database as the daemon's user; no Kafka, which other tests have.
fn builder(db: &Db, role: &str) -> Builder {
    Builder::new(db.name())
        .source_url(url(db, role))
        .set("sink.type", "stdout")
        .set("snapshot.mode", "never")
        .set("retry.initial", "50ms")
        .set("retry.max", "200ms")
}

fn url(db: &Db, role: &str) -> String {
    db.url().replace("postgres@", &format!("{role}@"))
}

/// Runs the statements of a report, as a superuser would paste them into psql.
#[track_caller]
fn repair(session: &Session, report: &Outcome) {
    let repairs = report.text.lines().filter_map(|line| line.strip_prefix("      "));
    let statements = repairs.map(|line| line.split("--").next().unwrap()).flat_map(|line| line.split(';'));
    let mut run = 0;
    for statement in statements.map(str::trim).filter(|statement| !statement.is_empty()) {
        session.exec(statement);
        run += 1;
    }
    assert!(run > 0, "no statement in:\n{}", report.text);
}

#[test]
fn everything_that_is_missing_is_in_one_report_and_its_sql_repairs_it() {
    let server = Postgres::start(18, &[("wal_level", "replica"), ("max_replication_slots", "1")]);
    let db = server.database("privileges");
    let role = unique("bare");
    table(&db);
    db.exec(&format!("create role {role} login; select pg_create_physical_replication_slot('taken')"));
    let report = check(builder(&db, &role));
    let expected = [
        "wal_level is replica",
        "lacks the REPLICATION attribute",
        "all 1 of max_replication_slots are in use",
        "lacks CREATE on database",
        "does not own all tables to be published",
        "not ready: 5 to repair",
    ];
    report.expect(69, &expected);
    // The daemon ends at the first of them and says them all.
    let ended = outcome(builder(&db, &role));
    ended.expect_error(69, "source_privilege", &["SQLSTATE 42501", "let the owner of the tables"]);
    for part in &expected[..5] {
        assert!(ended.text.contains(part), "{part}: {}", ended.text);
    }
    repair(&server.session(db.name()), &report);
    server.restart(Shutdown::Fast);
    check(builder(&db, &role)).expect(0, &["ok: both sides are ready"]);
    let mut daemon = builder(&db, &role).start();
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_server_that_does_not_decode_ends_the_daemon_with_what_to_set() {
    let server = Postgres::start(14, &[("wal_level", "replica")]);
    let db = server.database("privileges");
    table(&db);
    outcome(builder(&db, "postgres")).expect_error(69, "source_settings", &["wal_level", "headwater check"]);
    let report = check(builder(&db, "postgres"));
    report.expect(69, &["wal_level is replica", "ALTER SYSTEM SET wal_level = logical;"]);
    repair(&server.session("postgres"), &report);
    server.restart(Shutdown::Fast);
    // Every slot taken is said by the server itself, too.
    let session = server.session("postgres");
    session.exec("select pg_create_physical_replication_slot('taken_' || n) from generate_series(1, 50) n");
    let ended = outcome(builder(&db, "postgres"));
    ended.expect_error(69, "source_settings", &["all replication slots are in use", "max_replication_slots"]);
    session.exec("select pg_drop_replication_slot(slot_name) from pg_replication_slots");
    check(builder(&db, "postgres")).expect(0, &["ok: both sides are ready"]);
}

type Given<'a> = Vec<&'a dyn Fn(&Db, &str)>;

#[test]
fn each_right_alone_is_named_and_granted() {
    let server = Postgres::shared(18);
    let database_rights =
        |db: &Db, role: &str| db.exec(&format!("grant create on database {} to {role}", db.name()));
    let owns = |db: &Db, role: &str| db.exec(&format!("alter table t owner to {role}"));
    let no_replication = |db: &Db, role: &str| db.exec(&format!("alter role {role} noreplication"));
    let cases: [(Given<'_>, &str, &str); 3] = [
        (
            vec![&database_rights, &owns, &no_replication],
            "lacks the REPLICATION attribute",
            "REPLICATION attribute",
        ),
        (vec![&owns], "lacks CREATE on database", "permission denied for database"),
        (
            vec![&database_rights],
            "does not own all tables to be published; 1 owners are missing",
            "must be owner of table t",
        ),
    ];
    for (given, reported, said) in cases {
        let db = server.database("privileges");
        table(&db);
        let role = server.role("one", Auth::Trust, "unused");
        for give in given {
            give(&db, &role);
        }
        let report = check(builder(&db, &role));
        report.expect(69, &[reported, "not ready: 1 to repair"]);
        outcome(builder(&db, &role)).expect_error(69, "source_privilege", &[said]);
        repair(&db.connect(), &report);
        check(builder(&db, &role)).expect(0, &["ok: both sides are ready"]);
    }
}

#[test]
fn a_replica_identity_on_the_table_of_another_is_foreseen_and_its_sql_repairs_it() {
    let server = Postgres::shared(18);
    let db = server.database("privileges");
    let role = server.role("identity", Auth::Trust, "unused");
    db.exec(&format!(
        "create table t (id int, v text); create table own (id int); alter table own owner to {role};
         alter role {role} replication; create publication {} for table t, own",
        slot_name(&db)
    ));
    let identities = toml::Table::from_iter([("public.*".to_owned(), "FULL".into())]);
    let builder = || {
        let builder = builder(&db, &role).set("source.publication_mode", "disabled");
        builder.set("source.replica_identity", identities.clone())
    };
    let report = check(builder());
    report.expect(
        69,
        &["replica identity is to be set; 1 are of others", "\"public\".\"t\" REPLICA IDENTITY FULL"],
    );
    report.expect(69, &["not ready: 1 to repair"]);
    assert!(!report.text.contains("tables have no replica identity"), "the start sets it: {}", report.text);
    outcome(builder()).expect_error(
        69,
        "source_privilege",
        &["set replica identity", "must be owner of table t"],
    );
    db.exec("alter table t replica identity full");
    check(builder()).expect(0, &["ok: both sides are ready"]);
    let mut daemon = builder().start();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(
        db.value(
            "select string_agg(distinct relreplident::text, '') from pg_class where relname in ('t', 'own')"
        ),
        "f"
    );
}

#[test]
fn tables_that_are_not_there_are_named_with_what_is() {
    let db = Postgres::shared(18).database("privileges");
    db.exec("create table orders (id int primary key); create table customers (id int primary key)");
    let listed = |tables: &[&str]| builder(&db, "postgres").set("source.tables", tables.to_vec());
    let parts = ["no table matches public.order", "tables there are: public.orders"];
    outcome(listed(&["public.order"])).expect_error(69, "publication", &parts);
    check(listed(&["public.order"])).expect(69, &parts);
    check(listed(&["public.orders", "public.client*"]))
        .expect(0, &["no table matches \"public.client*\"", "with"]);
    let ended = outcome(listed(&["public.*"]).set("source.publication_mode", "disabled"));
    ended.expect_error(69, "publication", &["does not exist", "CREATE PUBLICATION", "\"public\".\"orders\""]);
    let report = check(listed(&["public.*"]).set("source.publication_mode", "disabled"));
    report.expect(69, &["does not exist, and source.publication_mode is"]);
    repair(&db.connect(), &report);
    check(listed(&["public.*"]).set("source.publication_mode", "disabled")).expect(0, &["ok:"]);
}

#[test]
fn a_table_that_is_dropped_leaves_what_was_written_and_the_others() {
    let db = Postgres::shared(18).database("privileges");
    table(&db);
    db.exec("create table gone (id int primary key, v text)");
    let mut daemon = Daemon::builder(&db, Kafka::shared()).start();
    assert_eq!(daemon.terminate().code(), Some(0));
    db.exec("insert into gone values (1, 'last words'); insert into t values (1, 'on')");
    db.exec("drop table gone");
    daemon.resume();
    daemon.wait_ready();
    let mut consumer = Kafka::shared().consumer(&format!("{}.public", db.name()));
    let values =
        consumer.take(2).iter().map(|record| record.json()["after"]["v"].as_str().unwrap().to_owned());
    let mut values: Vec<_> = values.collect();
    values.sort();
    assert_eq!(values, ["last words", "on"]);
    // While it streams, too.
    db.exec("create table gone (id int primary key); drop table gone; insert into t values (2, 'and on')");
    consumer.take(3);
}

#[test]
fn who_may_not_come_in_hears_why() {
    let server = Postgres::shared(18);
    let db = server.database("privileges");
    table(&db);
    let rejected = server.role("rejected", Auth::Reject, "unused");
    let with_password = server.role("secretive", Auth::Scram, "Right-2491");
    let cases: [(&dyn Fn() -> Builder, &[&str]); 5] = [
        (&|| builder(&db, &rejected), &["pg_hba.conf rejects connection", "28000"]),
        (
            &|| builder(&db, &with_password).set("source.password", "Wrong-7303"),
            &["password authentication failed", "28P01"],
        ),
        (&|| builder(&db, &with_password), &["source.password"]),
        (&|| builder(&db, "nobody_here"), &["role \"nobody_here\" does not exist"]),
        (
            &|| builder(&db, "postgres").source_url(db.url().replace(db.name(), "nowhere")),
            &["database \"nowhere\" does not exist", "3D000"],
        ),
    ];
    for (builder, parts) in cases {
        let ended = outcome(builder());
        ended.expect_error(69, "source_auth", parts);
        let report = check(builder());
        report.expect(69, parts);
        for text in [&ended.text, &report.text] {
            assert!(!text.contains("Wrong-7303"), "{text}");
        }
    }
}

#[test]
fn the_documented_least_privileges_are_enough_on_18() {
    least_privileges(18);
}

#[test]
fn the_documented_least_privileges_are_enough_on_10() {
    least_privileges(10);
}

/// SECURITY.md, both ways, without the SELECT that it says the stream does not need.
fn least_privileges(version: u32) {
    let server = Postgres::shared(version);
    for own_publication in [false, true] {
        let db = server.database("least");
        let (role, owner) = (unique("headwater"), unique("shop_owner"));
        db.exec(&format!(
            "create role {role} login replication; create role {owner};
             grant connect on database {name} to {role};
             create table t (id int primary key, v text); alter table t owner to {owner};
             grant create on database {name} to {owner}; grant usage on schema public to {role}",
            name = db.name()
        ));
        if own_publication {
            db.exec(&format!("grant create on database {} to {role}; grant {owner} to {role}", db.name()));
        } else {
            db.exec(&format!(
                "set role {owner}; create publication {} for table t; reset role",
                slot_name(&db)
            ));
        }
        let mode = if own_publication { "tables" } else { "disabled" };
        let builder = || {
            Daemon::builder(&db, Kafka::shared())
                .source_url(url(&db, &role))
                .set("source.publication_mode", mode)
        };
        check(builder()).expect(0, &["ok: both sides are ready"]);
        let mut daemon = builder().start();
        db.exec("insert into t values (1, 'seen'); update t set v = 'too'");
        Kafka::shared().consumer(&format!("{}.public.t", db.name())).take(2);
        assert_eq!(daemon.terminate().code(), Some(0));
        drop(daemon);
        db.exec(&format!("select pg_drop_replication_slot('{}')", slot_name(&db)));
        db.exec(&format!(
            "drop publication {}; drop owned by {role}; drop owned by {owner} cascade",
            slot_name(&db)
        ));
        db.exec(&format!("drop role {role}; drop role {owner}"));
    }
}
