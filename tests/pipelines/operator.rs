//! What a person sees of several pipelines: mistakes with their places, `check` of all and of some, `status` of one.

use super::{database, of, pipeline, several};
use crate::operator::{Outcome, outcome};
use crate::support::daemon::Builder;
use crate::support::{Daemon, Kafka, Postgres, free_port};

#[test]
fn clashes_and_mistakes_are_in_one_report() {
    let text = "[source]\nuser = \"u\"\nsslmode = \"strict\"\n[kafka]\nbrokers = [\"k:1\"]\n\
                [[pipeline]]\nname = \"shop\"\nsource.slot = \"s\"\n\
                [[pipeline]]\nname = \"crm\"\nsource.slot = \"s\"\nadmin.listen = \"\"\nsource.prot = 1\n\
                [[pipeline]]\nname = \"hr\"\nsource.password = \"Wrong-7303\"\nsource.password_env = \"ABSENT\"\n";
    for command in ["run", "check", "status"] {
        let ended = outcome(Builder::new("ignored").text(text).arguments(&[command]));
        ended.expect(
            64,
            &[
                "headwater.toml:3: source.sslmode = \"strict\"",
                "headwater.toml:11: pipeline[1].source.slot = \"s\"\n    \"s\" is the slot of shop too",
                "headwater.toml:12: pipeline[1].admin.listen\n    concerns the process",
                "headwater.toml:13: pipeline[1].source.prot\n    unknown key\n    fix: did you mean source.port?",
                "headwater.toml:17: pipeline[2].source.password_env = \"ABSENT\"",
            ],
        );
        assert_eq!(ended.text.matches("source.sslmode").count(), 1, "{}", ended.text);
        assert!(!ended.text.contains("Wrong-7303"), "{}", ended.text);
    }
}

#[test]
fn check_takes_all_or_some_and_says_whose_each_line_is() {
    let (server, kafka) = (Postgres::shared(18), Kafka::shared());
    let ((good, _), (bad, _)) = (database(server, "good"), database(server, "bad"));
    let nobody = format!("127.0.0.1:{}", free_port());
    let away = format!("source.port = {}\n", free_port());
    let check = |arguments: &[&str]| -> Outcome {
        let bad = pipeline(&bad, bad.name(), &format!("kafka.brokers = [{nobody:?}]"));
        let mut gone = pipeline(&good, "gone", &away);
        let source = gone["source"].as_table_mut().unwrap();
        source.remove("url");
        source.insert("user".into(), "postgres".into());
        outcome(several(kafka, &[of(&good), bad, gone]).arguments(&[&["check"], arguments].concat()))
    };
    let all = check(&[]);
    all.expect(
        69,
        &[
            &format!("{}: ok: both sides are ready", good.name()),
            &format!("{}: ERROR Kafka brokers {nobody}", bad.name()),
            &format!("{}: not ready: ", bad.name()),
            "gone: ERROR ",
        ],
    );
    let names = [good.name(), bad.name(), "gone"];
    let told =
        all.text.lines().filter(|line| !names.iter().any(|name| line.starts_with(&format!("{name}: "))));
    assert_eq!(told.count(), 0, "{}", all.text);
    let some = check(&["--pipeline", good.name()]);
    some.expect(0, &[&format!("{}: ok", good.name())]);
    assert!(some.text.lines().all(|line| line.starts_with(good.name())), "{}", some.text);
    check(&["--pipeline", "gon"])
        .expect(64, &["--pipeline gon\n    no pipeline has this name\n    fix: did you mean gone?"]);
}

#[test]
fn some_run_with_all_the_memory_and_status_is_of_one() {
    let (server, kafka) = (Postgres::shared(18), Kafka::shared());
    let ((db, mut consumer), (other, _)) = (database(server, "runs"), database(server, "rests"));
    let arguments = ["run", "--pipeline", db.name()];
    let mut daemon = several(kafka, &[of(&db), of(&other)]).arguments(&arguments).start();
    super::row_arrives(&db, &mut consumer, 1);
    let page = daemon.status();
    assert_eq!(page["pipelines"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(
        other.query("select 1 from pg_replication_slots where database = current_database()").len(),
        0
    );
    let ask = |daemon: &Daemon, arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headwater"));
        let output =
            command.args(["status", "--config"]).arg(daemon.config_path()).args(arguments).output().unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, text) = ask(&daemon, &["--pipeline", db.name()]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["name"], db.name());
    assert_eq!(ask(&daemon, &["--health", "--pipeline", db.name()]), (0, "ok\n".to_owned()));
    let (code, text) = ask(&daemon, &["--pipeline", other.name()]);
    assert!(code == 64 && text.contains("no such pipeline; there is"), "{code} {text}");
    assert!(daemon.terminate().success());
}
