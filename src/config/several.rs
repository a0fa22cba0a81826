//! Tests of `[[pipeline]]`: what is inherited, what is overridden and by whom, what two pipelines must not share, and how
//! the memory is divided.

use secrecy::ExposeSecret;

use super::tests::Case;
use super::*;

/// Two databases, one Kafka.
const TWO: &str = r#"
[source]
user = "app"
password = "of all"
tables = ["public.*"]
[kafka]
brokers = ["k:9092"]
[kafka.properties]
"linger.ms" = 7
"batch.size" = 100000
[retry]
max = "20s"
[[pipeline]]
name = "shop"
source.host = "127.0.0.1"
[[pipeline]]
name = "crm.eu"
[pipeline.source]
url = "postgres://crm@127.0.0.2/crm"
tables = ["sales.*"]
[pipeline.kafka.properties]
"linger.ms" = 9
"#;

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.pipelines.iter().map(|config| config.name.as_str()).collect()
}

fn password(config: &Config) -> &str {
    config.source.password.as_ref().unwrap().expose_secret()
}

#[test]
fn the_top_is_inherited_key_by_key() {
    let loaded = Case::toml(TWO).loaded();
    assert_eq!(names(&loaded), ["shop", "crm.eu"]);
    let [shop, crm] = loaded.pipelines.as_slice() else { panic!() };
    assert_eq!((&*shop.source.host, &*shop.source.user), ("127.0.0.1", "app"));
    assert_eq!((&*crm.source.host, &*crm.source.user, &*crm.source.database), ("127.0.0.2", "crm", "crm"));
    assert_eq!(
        (shop.source.tables.as_slice(), crm.source.tables.as_slice()),
        (&["public.*".to_owned()][..], &["sales.*".to_owned()][..])
    );
    assert_eq!((&*shop.source.slot, &*crm.source.slot), ("headwater_shop", "headwater_crm_eu"));
    assert_eq!(
        (&*shop.topics.transaction, &*crm.topics.transaction),
        ("shop.transaction", "crm.eu.transaction")
    );
    for config in &loaded.pipelines {
        assert_eq!(config.retry.max, Duration::from_secs(20));
        assert_eq!(config.kafka.brokers, ["k:9092"]);
        assert_eq!(config.kafka.properties["batch.size"].expose_secret(), "100000");
        assert_eq!(password(config), "of all");
    }
    let linger = |config: &Config| config.kafka.properties["linger.ms"].expose_secret().to_owned();
    assert_eq!((linger(shop), linger(crm)), ("7".to_owned(), "9".to_owned()));
    assert!(loaded.process.several);
}

#[test]
fn yaml_says_the_same() {
    let yaml = "source: {user: app, password: of all, tables: [public.*]}\nkafka:\n  brokers: [\"k:9092\"]\n  properties: {linger.ms: 7, batch.size: 100000}\n\
                retry: {max: 20s}\npipeline:\n  - name: shop\n    source:\n      host: 127.0.0.1\n  - name: crm.eu\n    source:\n      \
                url: postgres://crm@127.0.0.2/crm\n      tables: [sales.*]\n    kafka: {properties: {linger.ms: 9}}\n";
    let of = |case: Case| format!("{:?}", case.loaded().pipelines);
    assert_eq!(of(Case::new().file("a.yaml", yaml)), of(Case::toml(TWO)));
}

#[test]
fn what_is_said_of_one_rules_over_what_is_said_of_all() {
    let case = Case::toml(TWO)
        .file("more.toml", "[[pipeline]]\nname = \"crm.eu\"\nretry.max = \"9s\"\n[[pipeline]]\nname = \"hr\"\nsource.slot = \"hr\"\n")
        .env("HEADWATER_RETRY__MAX", "11s")
        .env("HEADWATER_PIPELINE__CRM_EU__SOURCE__PASSWORD", "of crm")
        .env("HEADWATER_PIPELINE__SHOP__KAFKA__PROPERTIES__LINGER_MS", "8")
        .env("HEADWATER_PIPELINE__HR__RETRY__INITIAL", "4s")
        .set("pipeline.hr.retry.initial", "3s")
        .set("pipeline.crm.eu.source.slot", "crm_slot")
        .set("pipeline.\"shop\".topics.settings.retention.ms", "5");
    let loaded = case.loaded();
    assert_eq!(names(&loaded), ["shop", "crm.eu", "hr"]);
    let [shop, crm, hr] = loaded.pipelines.as_slice() else { panic!() };
    assert_eq!([shop, crm, hr].map(|config| config.retry.max.as_secs()), [11, 9, 11]);
    assert_eq!([shop, crm, hr].map(password), ["of all", "of crm", "of all"]);
    assert_eq!(shop.kafka.properties["linger.ms"].expose_secret(), "8");
    assert_eq!((&*crm.source.slot, &*hr.source.slot), ("crm_slot", "hr"));
    assert_eq!(hr.retry.initial, Duration::from_secs(3));
    assert_eq!(shop.topics.settings["retention.ms"], "5");
}

#[test]
fn another_way_to_say_the_same_thing_replaces_what_was_inherited() {
    let case = Case::toml(
        "[source]\nurl = \"postgres://app:secret@db/shop\"\nsslmode = \"require\"\n[kafka]\nbrokers = [\"k:1\"]\n\
         [[pipeline]]\nname = \"a\"\nsource.password_env = \"OF_A\"\n\
         [[pipeline]]\nname = \"b\"\nsource.host = \"other\"\n\
         [[pipeline]]\nname = \"c\"\nsource.url = \"postgres://c:own@third/c?sslmode=disable\"\n",
    );
    let loaded = case.env("OF_A", "from a variable").loaded();
    let [a, b, c] = loaded.pipelines.as_slice() else { panic!() };
    assert_eq!([a, b, c].map(password), ["from a variable", "secret", "own"]);
    assert_eq!([a, b, c].map(|config| &*config.source.host), ["db", "other", "third"]);
    assert_eq!([a, b, c].map(|config| &*config.source.database), ["shop", "shop", "c"]);
    assert_eq!(c.source.sslmode, SslMode::Disable);
    let file = Case::new();
    let file = file.write("pw", "from a file\n");
    let text = format!(
        "[source]\nuser = \"u\"\npassword_file = {:?}\n[kafka]\nbrokers = [\"k:1\"]\n[[pipeline]]\nname = \"a\"\nsource.url = \"postgres://u:own@h/d\"\n",
        file.path("pw")
    );
    assert_eq!(password(&file.file("headwater.toml", &text).loaded().pipelines[0]), "own");
}

#[test]
fn one_table_is_a_pipeline_that_is_named() {
    let loaded =
        Case::toml("[[pipeline]]\nname = \"shop\"\nsource.user = \"u\"\nkafka.brokers = [\"k:1\"]\n")
            .loaded();
    assert!(loaded.process.several);
    assert_eq!(loaded.pipelines[0].limits.memory, 48 << 20, "the program is taken off");
}

#[test]
fn mistakes_say_which_pipeline_and_what_is_inherited_is_told_once() {
    let report = Case::toml(
        "name = \"x\"\n[source]\nuser = \"u\"\ntables = [\"users\"]\n[retry]\nmax = \"soon\"\n[kafka]\nbrokers = [\"k:1\"]\n\
         [[pipeline]]\nname = \"a\"\nsource.prot = 1\nlog.level = \"debug\"\n\
         [[pipeline]]\nsource.slot = \"Bad Slot\"\n\
         [[pipeline]]\nname = \"c\"\nsource.port = \"many\"\n[pipeline.kafka.properties]\n\"acks\" = 1\n[[pipeline]]\nname = \"c\"\n",
    )
    .set("pipeline.b.source.slot", "x")
    .env("HEADWATER_PIPELINE__AA__SOURCE__SLOT", "x")
    .report();
    let expected = "9 mistakes in the configuration\n\n\
headwater.toml:1: name = \"x\"\n    names one pipeline, and there are [[pipeline]] tables\n    fix: remove it: each [[pipeline]] has a name of its own\n\n\
headwater.toml:4: source.tables = [\"users\"]\n    \"users\" is not a pattern of the form schema.table\n    fix: write \"public.users\"; * stands for any text, ? for one character, within one name\n\n\
headwater.toml:6: retry.max = \"soon\"\n    is not a duration\n";
    assert!(report.contains(&expected[expected.find("headwater.toml:1").unwrap()..]), "{report}");
    for part in [
        "headwater.toml:11: pipeline[0].source.prot\n    unknown key\n    fix: did you mean source.port?",
        "headwater.toml:12: pipeline[0].log.level\n    concerns the process",
        "headwater.toml:14: pipeline[1].source.slot = \"Bad Slot\"\n",
        "pipeline[1].name\n    is required and missing",
        "headwater.toml:17: pipeline[2].source.port = \"many\"",
        "headwater.toml:19: pipeline[2].kafka.properties.\"acks\"",
        "headwater.toml:21: pipeline[2].name = \"c\"\n    is the name of two pipelines in one file",
        "--set pipeline.b.source.slot: pipeline.b.source.slot\n    no [[pipeline]] is named b",
        "environment variable HEADWATER_PIPELINE__AA__SOURCE__SLOT: pipeline__aa__source__slot\n    no [[pipeline]] is named aa\n    fix: ",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    assert_eq!(report.matches("is not a pattern").count(), 1, "{report}");
}

#[test]
fn a_list_that_is_none_is_told_how_to_write_it() {
    for (text, reason) in [
        ("[pipeline]\nname = \"a\"", "is a table, not a list of tables"),
        ("pipeline = []", "has no table in it"),
        ("pipeline = [1]", "has a whole number in it"),
    ] {
        let report = Case::toml(text).report();
        assert!(report.contains(&format!("headwater.toml:1: pipeline\n    {reason}\n")), "{report}");
    }
}

#[test]
fn a_variable_that_may_mean_two_pipelines_means_none() {
    let two = "[source]\nuser = \"u\"\n[kafka]\nbrokers = [\"k:1\"]\n[[pipeline]]\nname = \"a-b\"\n[[pipeline]]\nname = \"a_b\"\nsource.slot = \"x\"\n";
    let report = Case::toml(two).env("HEADWATER_PIPELINE__A_B__SOURCE__PORT", "5").report();
    assert!(
        report.contains("may mean the pipelines a-b and a_b\n    fix: use --set pipeline.NAME.key=value"),
        "{report}"
    );
    assert_eq!(Case::toml(two).set("pipeline.a_b.source.port", "5").loaded().pipelines[1].source.port, 5);
}

/// What the report says of two pipelines on one server and one Kafka.
fn clash(first: &str, second: &str) -> String {
    let text = format!(
        "[source]\nurl = \"postgres://u@db/d\"\n[kafka]\nbrokers = [\"K:1\", \"k:2\"]\n[[pipeline]]\nname = \"a\"\n{first}\n[[pipeline]]\nname = \"b\"\n{second}\n"
    );
    match load(&Case::toml(&text).options) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_two_pipelines_must_not_share() {
    for (first, second, key) in [
        (
            "source.slot = \"s\"",
            "source.slot = \"s\"",
            "source.slot = \"s\"\n    \"s\" is the slot of a too, on the same server (pipeline[0].source.slot)",
        ),
        (
            "source.publication = \"p\"",
            "source.publication = \"p\"",
            "source.publication = \"p\"\n    \"p\" is the publication of a too",
        ),
        (
            "kafka.transactional_id = \"t\"",
            "kafka = {transactional_id = \"t\", brokers = [\"k:1\"]}",
            "kafka.transactional_id = \"t\"\n    \"t\" is that of a too",
        ),
        (
            "topics.pattern = \"x.{schema}.{table}\"",
            "topics.pattern = \"x.{schema}.{table}\"",
            "topics.pattern = \"x.{schema}.{table}\"\n    sends tables of one name",
        ),
        (
            "topics.pattern = \"b.{schema}.{table}\"",
            "",
            "topics.pattern = \"{name}.{schema}.{table}\"\n    sends tables of one name",
        ),
        (
            "topics.transaction = \"t\"",
            "topics.transaction = \"t\"",
            "topics.transaction = \"t\"\n    is the topic of a too",
        ),
        (
            "sink.type = \"stdout\"",
            "sink.type = \"stdout\"",
            "sink.type = \"stdout\"\n    a writes to standard output too",
        ),
        (
            "sink = {type = \"file\", path = \"x\"}",
            "sink = {type = \"file\", path = \"x\"}",
            "sink.path = \"x\"\n    is the file of a too",
        ),
        (
            "sink = {type = \"file\", path = \"x\"}\ncheckpoint.file = \"c\"",
            "sink.type = \"stdout\"\ncheckpoint.file = \"c\"",
            "checkpoint.file = \"c\"\n    is the file of a too",
        ),
    ] {
        let report = clash(first, second);
        assert!(report.starts_with("1 mistake in the configuration"), "{first} {second}: {report}");
        assert!(report.contains(&format!("pipeline[1].{key}")), "{key} in {report}");
    }
}

#[test]
fn what_two_pipelines_may_share() {
    for (first, second) in [
        ("", ""),
        ("source = {slot = \"s\", host = \"one\"}", "source = {slot = \"s\", host = \"two\"}"),
        ("source.slot = \"s\"", "source = {slot = \"s\", port = 5433}"),
        (
            "source = {publication = \"p\", publication_mode = \"disabled\"}",
            "source = {publication = \"p\", publication_mode = \"disabled\"}",
        ),
        ("source.publication = \"p\"", "source = {publication = \"p\", database = \"other\"}"),
        ("kafka.transactional_id = \"t\"", "kafka = {transactional_id = \"t\", brokers = [\"other:1\"]}"),
        (
            "kafka.transactional_id = \"t\"",
            "kafka = {transactional_id = \"t\", delivery = \"at_least_once\"}",
        ),
        ("checkpoint.file = \"c\"", "checkpoint.file = \"c\""),
        (
            "topics.pattern = \"x.{schema}.{table}\"\nsource.tables = [\"public.orders\"]",
            "topics.pattern = \"x.{schema}.{table}\"\nsource.exclude_tables = [\"public.orders\"]",
        ),
    ] {
        assert_eq!(clash(first, second), "", "{first} {second}");
    }
}

#[test]
fn memory_is_shared_and_too_little_of_it_is_told() {
    let of = |memory: &str, first: &str| {
        format!(
            "{memory}\n[source]\nuser = \"u\"\n[kafka]\nbrokers = [\"k:1\"]\n[[pipeline]]\nname = \"a\"\n{first}\n[[pipeline]]\nname = \"b\"\nsource.slot = \"x\"\n"
        )
    };
    let shares = |text: &str| {
        let loaded = Case::toml(text).loaded();
        (loaded.process.memory >> 20, [0, 1].map(|n| loaded.pipelines[n].limits.memory >> 20))
    };
    assert_eq!(shares(&of("", "")), (64, [24, 24]));
    assert_eq!(shares(&of("limits.memory = \"128MiB\"", "limits.memory = \"80MiB\"")), (128, [80, 32]));
    let report = Case::toml(&of("", "limits.memory = \"48MiB\"")).report();
    let reason = "limits.memory = \"64MiB\"\n    is too little for 2 pipelines: each needs 8MiB at least and the program 16MiB, of which 48MiB are asked for\n    fix: write \"72MiB\" or more at the top";
    assert!(report.contains(reason), "{report}");
    let report = Case::toml(&of("", "limits.memory = \"4MiB\"")).report();
    assert!(report.contains("pipeline[0].limits.memory = \"4MiB\""), "{report}");
    let report = Case::toml(&of("", "limits.max_message = \"13MiB\"")).report();
    assert!(report.contains("is more than half of the pipeline's share of limits.memory"), "{report}");
}

#[test]
fn pipelines_are_chosen_by_name_and_share_what_there_is() {
    let chosen = |only: &[&str]| {
        let mut case = Case::toml(TWO);
        case.options.only = only.iter().map(ToString::to_string).collect();
        case
    };
    let loaded = chosen(&["crm.eu"]).loaded();
    assert_eq!(names(&loaded), ["crm.eu"]);
    assert_eq!(loaded.pipelines[0].limits.memory, 48 << 20);
    let report = chosen(&["crm.e", "nothing-like-it"]).report();
    assert!(
        report.contains("--pipeline crm.e\n    no pipeline has this name\n    fix: did you mean crm.eu?"),
        "{report}"
    );
    assert!(report.contains("fix: the names are shop, crm.eu"), "{report}");
    let mut alone = Case::toml("name = \"shop\"\nsource.user = \"u\"\nkafka.brokers = [\"k:1\"]\n");
    alone.options.only = vec!["shop".to_owned()];
    assert!(!alone.loaded().process.several);
}

#[test]
fn what_is_shown_loads_again_as_the_same() {
    let case = Case::toml(TWO).set("pipeline.shop.source.slot", "own").set("log.level", "debug");
    let shown = show(&case.loaded()).replace("\"<redacted>\"", "\"of all\"");
    assert!(shown.contains("\n[[pipeline]]\nname = \"crm.eu\" # "), "{shown}");
    assert!(shown.contains("slot = \"own\" # --set pipeline.shop.source.slot\n"), "{shown}");
    assert!(
        !shown.contains("[pipeline.admin]") && shown.contains("level = \"debug\" # --set log.level\n"),
        "{shown}"
    );
    assert_eq!(
        format!("{:?}", Case::toml(&shown).loaded().pipelines),
        format!("{:?}", case.loaded().pipelines)
    );
}

#[test]
fn the_sample_is_as_it_says() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/config/pipelines.toml");
    let text = std::fs::read_to_string(sample).unwrap();
    let file = Case::new();
    let text = text.replace("/run/secrets/postgres", &file.path("pw"));
    let loaded = file.write("pw", "secret").file("headwater.toml", &text).loaded();
    assert_eq!(names(&loaded), ["shop", "crm", "web-clicks", "web-rest"]);
    assert!(loaded.pipelines.iter().all(|config| config.limits.memory == 24 << 20));
}
