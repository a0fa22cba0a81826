//! How the daemon and PostgreSQL trust each other: every `sslmode`, client certificates and passwords of every method, over
//! both connections. `headwater check` opens both, so that a case takes no longer than that.

use crate::support::daemon::Builder;
use crate::support::tls::Authority;
use crate::support::{Auth, Db, Postgres};

use super::{check, outcome, slot_name, table};

/// A database with a publication that any role may use.
fn database() -> Db {
    let db = Postgres::shared(18).database("tls");
    table(&db);
    db.exec(&format!("create publication {} for table t", slot_name(&db)));
    db
}

fn builder(db: &Db, role: &str, sslmode: &str) -> Builder {
    Builder::new(db.name())
        .source_url(db.url().replace("postgres@", &format!("{role}@")))
        .set("sink.type", "stdout")
        .set("snapshot.mode", "never")
        .set("source.publication_mode", "disabled")
        .set("source.sslmode", sslmode)
}

fn trusting(builder: Builder, authority: &Authority) -> Builder {
    builder.set("source.sslrootcert", authority.certificate().display().to_string())
}

fn at(db: &Db, role: &str, host: &str) -> String {
    db.url().replace("postgres@127.0.0.1", &format!("{role}@{host}"))
}

const GOOD: &[&str] = &["ok: both sides are ready"];

#[test]
fn each_sslmode_asks_what_it_says() {
    let db = database();
    let server = Postgres::shared(18);
    let over_tls = server.role("tls", Auth::Tls, "unused");
    let anyhow = server.role("tls", Auth::Trust, "unused");
    let (ours, foreign) = (Authority::shared(), Authority::new());
    let base = |sslmode| builder(&db, &over_tls, sslmode);
    let other_name = |builder: Builder| builder.source_url(at(&db, &over_tls, "127.0.0.2"));
    check(builder(&db, &anyhow, "disable")).expect(0, GOOD);
    check(base("disable")).expect(69, &["pg_hba.conf", "no encryption"]);
    for sslmode in ["prefer", "require"] {
        check(base(sslmode)).expect(0, GOOD);
        check(trusting(base(sslmode), &foreign)).expect(69, &["set source.sslrootcert to the authority"]);
    }
    for sslmode in ["verify-ca", "verify-full"] {
        check(trusting(base(sslmode), ours)).expect(0, GOOD);
        check(trusting(base(sslmode), &foreign))
            .expect(69, &["TLS handshake failed", "set source.sslrootcert to the authority"]);
        check(base(sslmode)).expect(69, &["set source.sslrootcert to the authority"]);
    }
    check(other_name(trusting(base("verify-ca"), ours))).expect(0, GOOD);
    check(other_name(trusting(base("verify-full"), ours)))
        .expect(69, &["127.0.0.2", "lack source.host", "verify-ca"]);
    let missing = base("verify-full").set("source.sslrootcert", "/nowhere/ca.pem");
    check(missing).expect(69, &["source.sslrootcert /nowhere/ca.pem cannot be read"]);
    // `run` says the same, and does not try again.
    let wrong = other_name(trusting(base("verify-full"), ours));
    outcome(wrong).expect_error(69, "source_tls", &["127.0.0.2", "lack source.host"]);
    outcome(trusting(base("verify-full"), &foreign)).expect_error(
        69,
        "source_tls",
        &["set source.sslrootcert"],
    );
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let server = Postgres::start(10, &[("ssl", "off")]);
    let db = server.database("tls");
    table(&db);
    db.exec(&format!("create publication {} for table t", slot_name(&db)));
    check(builder(&db, "postgres", "prefer")).expect(0, GOOD);
    for sslmode in ["require", "verify-full"] {
        let ended = outcome(builder(&db, "postgres", sslmode));
        ended.expect_error(
            69,
            "source_tls",
            &["the server does not offer TLS", "set ssl = on in postgresql.conf"],
        );
    }
}

#[test]
fn a_client_certificate_is_shown() {
    let db = database();
    let role = Postgres::shared(18).role("certified", Auth::Certificate, "unused");
    let base = || trusting(builder(&db, &role, "verify-full"), Authority::shared());
    let showing = |authority: &Authority, name: &str| {
        let identity = authority.client(name);
        base()
            .set("source.sslcert", identity.certificate.display().to_string())
            .set("source.sslkey", identity.key.display().to_string())
    };
    check(showing(Authority::shared(), &role)).expect(0, GOOD);
    let without = outcome(base());
    without.expect_error(69, "source_auth", &["connection requires a valid client certificate"]);
    outcome(showing(Authority::shared(), "somebody")).expect_error(
        69,
        "source_auth",
        &["certificate authentication failed"],
    );
    outcome(showing(&Authority::new(), &role)).expect_error(69, "source_tls", &[]);
    let mut daemon = showing(Authority::shared(), &role).start();
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn passwords_of_every_method_work_with_and_without_tls() {
    let db = database();
    let server = Postgres::shared(18);
    for auth in [Auth::Scram, Auth::Md5, Auth::Password] {
        let role = server.role("login", auth, "Right'2491 \u{e4}");
        // Over TLS the server offers SCRAM-SHA-256-PLUS, and the password is bound to the channel.
        for sslmode in ["disable", "require"] {
            let with = |password: &str| builder(&db, &role, sslmode).set("source.password", password);
            check(with("Right'2491 \u{e4}")).expect(0, GOOD);
            let wrong = outcome(with("Wrong-7303"));
            wrong.expect_error(
                69,
                "source_auth",
                &["password authentication failed", "28P01", "check source.user"],
            );
            assert!(!wrong.text.contains("Wrong-7303"), "{}", wrong.text);
        }
    }
}
