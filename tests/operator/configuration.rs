//! What a wrong file is told, where values come from, and what happens while the servers it names are not there.

use std::path::Path;
use std::process::Command;

use crate::support::daemon::Builder;
use crate::support::{Kafka, Postgres, free_port, reaper};

use super::{Outcome, outcome, outcome_of, set, table};

/// Runs the program with these arguments and variables, without a file of configuration but those in the arguments.
fn headwater(arguments: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    command.args(arguments).envs(environment.iter().copied()).current_dir(root);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    Outcome { code: output.status.code().unwrap(), text }
}

#[test]
fn all_mistakes_are_in_one_report() {
    let text = "name = \"a b\"\n[source]\nprot = 5432\nport = \"many\"\nuser = \"u\"\npassword = \"Wrong-7303\"\n\
                password_env = \"HW_PASSWORD\"\nsslmode = \"strict\"\n[limits]\nmemory = \"64 apples\"\n[retry]\ninitial = 5\n";
    for command in ["run", "check", "status"] {
        let ended = outcome(Builder::new("ignored").text(text).arguments(&[command]));
        let places = [
            "headwater.toml:1",
            "headwater.toml:3",
            "headwater.toml:4",
            "headwater.toml:8",
            "headwater.toml:10",
        ];
        let parts = [
            "name = \"a b\"",
            "source.prot",
            "source.port",
            "source.sslmode = \"strict\"",
            "limits.memory = \"64 apples\"",
            "retry.initial = 5",
            "source.password_env",
            "kafka.brokers",
        ];
        ended.expect(64, &places);
        ended.expect(64, &parts);
        assert!(!ended.text.contains("Wrong-7303"), "{}", ended.text);
    }
    headwater(&["run", "--config", "/nowhere/headwater.toml"], &[]).expect(64, &["/nowhere/headwater.toml"]);
    headwater(&["runn"], &[]).expect(64, &["unrecognized subcommand", "run"]);
    headwater(&["run", "--set", "name"], &[]).expect(64, &["write key=value"]);
}

#[test]
fn toml_yaml_and_variables_mean_the_same() {
    let directory = reaper::directory();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let toml = write(
        "a.toml",
        "name = \"shop\"\n[source]\nuser = \"u\"\nport = 5433\ntables = [\"public.*\", \"sales.orders\"]\n\
         [kafka]\nbrokers = [\"k1:9092\"]\ncommit_interval = \"50ms\"\n[kafka.properties]\n\"compression.type\" = \"zstd\"\n\
         [events]\ntombstones = false\n",
    );
    let yaml = write(
        "a.yaml",
        "name: shop\nsource:\n  user: u\n  port: 5433\n  tables: [\"public.*\", sales.orders]\n\
         kafka:\n  brokers:\n    - k1:9092\n  commit_interval: 50ms\n  properties:\n    compression.type: zstd\n\
         events:\n  tombstones: false\n",
    );
    let variables = [
        ("HEADWATER_NAME", "shop"),
        ("HEADWATER_SOURCE__USER", "u"),
        ("HEADWATER_SOURCE__PORT", "5433"),
        ("HEADWATER_SOURCE__TABLES", "public.*,sales.orders"),
        ("HEADWATER_KAFKA__BROKERS", "k1:9092"),
        ("HEADWATER_KAFKA__COMMIT_INTERVAL", "50ms"),
        ("HEADWATER_KAFKA__PROPERTIES__COMPRESSION_TYPE", "zstd"),
        ("HEADWATER_EVENTS__TOMBSTONES", "false"),
    ];
    let shown = |arguments: &[&str], environment: &[(&str, &str)]| {
        let shown = headwater(&[&["config", "show"], arguments].concat(), environment);
        shown.expect(0, &["port = 5433"]);
        // Without where each value comes from.
        shown.text.lines().map(|line| line.split(" # ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_toml = shown(&["--config", &toml], &[]);
    assert_eq!(shown(&["--config", &yaml], &[]), of_toml);
    assert_eq!(shown(&[], &variables), of_toml);
    assert_eq!(shown(&[], &[&variables[..], &[("HEADWATER_CONFIG", &yaml)]].concat()), of_toml);
    // Files, then variables, then flags.
    let overridden = headwater(
        &["config", "show", "--config", &toml, "--set", "limits.memory=128MiB"],
        &[
            ("HEADWATER_SOURCE__PORT", "5434"),
            ("HEADWATER_LIMITS__MEMORY", "96MiB"),
            ("HEADWATER_SOURCE__PASSWORD", "Wrong-7303"),
        ],
    );
    overridden.expect(
        0,
        &[
            "port = 5434 # environment variable HEADWATER_SOURCE__PORT",
            "memory = \"128MiB\" # --set limits.memory",
            "password = \"<redacted>\"",
        ],
    );
    assert!(!overridden.text.contains("Wrong-7303"));
}

#[test]
fn what_is_printed_and_shipped_can_be_loaded() {
    for (file, variable) in [
        ("config/headwater.toml", ("UNUSED", "")),
        ("docker/headwater.toml", ("HEADWATER_SOURCE__PASSWORD", "demo")),
    ] {
        headwater(&["--config", file, "config", "show"], &[variable]).expect(0, &["name = \"shop\""]);
    }
    let defaults = headwater(&["config", "defaults"], &[]);
    let directory = reaper::directory();
    let path = directory.path().join("defaults.toml");
    std::fs::write(&path, &defaults.text).unwrap();
    let path = path.display().to_string();
    let required = ["--set", "name=shop", "--set", "source.user=u", "--set", "kafka.brokers=k:9092"];
    headwater(&[&["config", "show", "--config", &path], &required[..]].concat(), &[])
        .expect(0, &["name = \"shop\""]);
    let schema = headwater(&["config", "schema"], &[]);
    let schema: serde_json::Value = serde_json::from_str(&schema.text).unwrap();
    let defaults: toml::Table = defaults.text.parse().unwrap();
    for (section, keys) in &defaults {
        let of_section = &schema["properties"][section];
        assert!(of_section.is_object(), "{section}");
        for key in keys.as_table().into_iter().flat_map(toml::Table::keys) {
            assert!(of_section["properties"][key].is_object(), "{section}.{key}");
        }
    }
}

#[test]
fn a_database_that_is_not_there_is_waited_for() {
    let server = Postgres::start(18, &[]);
    let db = server.database("away");
    table(&db);
    server.stop(crate::support::Shutdown::Fast);
    let builder =
        crate::support::Daemon::builder(&db, Kafka::shared()).set("sink.type", "stdout").unset("kafka");
    let builder = builder.unset("checkpoint").set("retry.max", "200ms");
    let mut daemon = builder.allow_log("session failed").spawn();
    daemon.wait_metric("headwater_restarts_total", |times| times >= 6.0);
    let status = daemon.status();
    let error = &status["last_error"];
    assert_eq!(
        (status["state"].as_str(), error["kind"].as_str()),
        (Some("connecting"), Some("source_unreachable"))
    );
    for part in ["127.0.0.1", &server.port().to_string()] {
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    assert!(error["hint"].as_str().unwrap().contains("it is tried again"), "{error}");
    assert_eq!(daemon.get("/healthz").unwrap().status, 200, "nothing is owed: another start would not help");
    assert_eq!(daemon.get("/readyz").unwrap().status, 503);
    assert!(
        daemon.metrics().get("headwater_errors_total", &[("kind", "source_unreachable")]).unwrap() >= 6.0
    );
    let lines = daemon.log().lines().filter(|line| line.contains("session failed")).count();
    assert!((1..=4).contains(&lines), "{}", daemon.log());
    server.resume();
    daemon.wait_ready();
    server.stop(crate::support::Shutdown::Fast);
    set(&daemon, "retry", "give_up_after", "300ms");
    daemon.terminate();
    daemon.resume();
    outcome_of(&mut daemon).expect_error(75, "source_unreachable", &["127.0.0.1", "check source.url"]);
    server.resume();
}

#[test]
fn brokers_that_are_not_there_are_waited_for() {
    let db = Postgres::shared(18).database("away");
    table(&db);
    let brokers = format!("127.0.0.1:{}", free_port());
    let builder = crate::support::Daemon::builder(&db, Kafka::shared()).brokers(brokers.clone());
    let ended = outcome(builder.set("retry.give_up_after", "1ms"));
    ended.expect_error(
        75,
        "sink_unreachable",
        &[&brokers, "refused", "check kafka.brokers and that the brokers run"],
    );
    assert!(ended.text.lines().count() < 10, "{}", ended.text);
    let report =
        super::check(crate::support::Daemon::builder(&db, Kafka::shared()).brokers("nowhere.invalid:9092"));
    report.expect(69, &["Kafka brokers nowhere.invalid:9092", "check kafka.brokers"]);
}
