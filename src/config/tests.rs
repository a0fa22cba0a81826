//! The configuration as a whole: precedence, secrets, contradictions, and the report that a person reads.

use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::modes::{Modes, Schemas};

const MINIMAL: &str = r#"
name = "shop"
[source]
url = "postgres://app@127.0.0.1/shop"
[kafka]
brokers = ["k:9092"]
"#;

/// A directory with files, and what is loaded from it.
pub(super) struct Case {
    directory: tempfile::TempDir,
    pub(super) options: LoadOptions,
}

impl Case {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), options: LoadOptions::default() }
    }

    fn minimal() -> Self {
        Self::new().file("headwater.toml", MINIMAL)
    }

    pub(super) fn toml(text: &str) -> Self {
        Self::new().file("headwater.toml", text)
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    pub(super) fn write(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    pub(super) fn file(self, name: &str, text: &str) -> Self {
        let mut case = self.write(name, text);
        case.options.files.push(case.path(name).into());
        case
    }

    pub(super) fn env(mut self, name: &str, text: &str) -> Self {
        self.options.environment.insert(name.to_owned(), text.to_owned());
        self
    }

    pub(super) fn set(mut self, key: &str, text: &str) -> Self {
        self.options.overrides.push((key.to_owned(), text.to_owned()));
        self
    }

    pub(super) fn loaded(&self) -> Loaded {
        match load(&self.options) {
            Ok(loaded) => loaded,
            Err(error) => panic!("{error}"),
        }
    }

    fn config(&self) -> Config {
        self.loaded().pipelines.remove(0)
    }

    /// The report with the directory taken away.
    pub(super) fn report(&self) -> String {
        let error = load(&self.options).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        error.to_string().replace(&format!("{}/", self.directory.path().display()), "")
    }
}

fn property<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    config.kafka.properties.get(name).map(ExposeSecret::expose_secret)
}

#[test]
fn six_lines_suffice() {
    let config = Case::minimal().config();
    assert_eq!(config.source.host, "127.0.0.1");
    assert_eq!((config.source.port, &*config.source.database, &*config.source.user), (5432, "shop", "app"));
    assert_eq!(config.source.sslmode, SslMode::Disable);
    assert!(config.source.password.is_none());
    assert_eq!(config.source.slot, "headwater_shop");
    assert_eq!(config.source.publication, "headwater_shop");
    assert_eq!(config.source.tables, ["public.*"]);
    assert_eq!(config.topics.transaction, "shop.transaction");
    assert_eq!(config.kafka.delivery, Delivery::ExactlyOnce);
    assert_eq!(config.kafka.transactional_id, "shop");
    assert_eq!(config.kafka.commit_interval, Duration::from_millis(100));
    assert_eq!(config.checkpoint.file, Path::new("shop.checkpoint"));
    assert_eq!((config.limits.memory, config.limits.max_message), (64 << 20, 16 << 20));
    let process = Case::minimal().loaded().process;
    assert_eq!((process.admin.listen.map(|address| address.port()), process.several), (Some(8642), false));
    assert_eq!(config.events.transaction_metadata, TransactionMetadata::Full);
    assert_eq!(config.events.modes, Modes::default());
    assert_eq!(config.retry.give_up_after, None);
    assert_eq!(config.topics.partitions, None);
}

#[test]
fn yaml_says_the_same_as_toml() {
    let toml = Case::toml(
        r#"
name = "shop"
[source]
host = "db.example"
port = 5433
user = "app"
tables = ["public.a", "sales.*"]
[events]
transaction_metadata = false
tombstones = false
skipped_operations = ["t"]
[topics]
partitions = 3
[topics.settings]
"retention.ms" = 1000
[kafka]
brokers = ["k1:9092", "k2:9092"]
commit_interval = "250ms"
[kafka.properties]
"compression.type" = "lz4"
"linger.ms" = 5
[limits]
memory = "128MiB"
"#,
    );
    let yaml = Case::new().file(
        "headwater.yaml",
        r"
name: shop
source:
  host: db.example
  port: 5433
  user: app
  tables: [public.a, 'sales.*']
events:
  transaction_metadata: false
  tombstones: no-such
  skipped_operations:
    - t
topics:
  partitions: 3
  settings:
    retention.ms: 1000
kafka:
  brokers:
    - k1:9092
    - k2:9092
  commit_interval: 250ms
  properties:
    compression.type: lz4
    linger.ms: 5
limits:
  memory: 128MiB
retry:
"
        .replace("no-such", "false")
        .as_str(),
    );
    let (toml, yaml) = (toml.config(), yaml.config());
    assert_eq!(format!("{toml:?}"), format!("{yaml:?}"));
    for config in [toml, yaml] {
        assert_eq!(property(&config, "compression.type"), Some("lz4"));
        assert_eq!(property(&config, "linger.ms"), Some("5"));
        assert_eq!(config.topics.settings["retention.ms"], "1000");
        assert_eq!(config.source.sslmode, SslMode::VerifyFull);
    }
}

#[test]
fn later_files_then_environment_then_flags_win() {
    let case = Case::minimal()
        .file(
            "second.yaml",
            "limits: {memory: 100MiB}\nretry: {initial: 1s}\nlog: {level: warn}\nsource: {slot: a}",
        )
        .env("HEADWATER_RETRY__INITIAL", "2s")
        .env("HEADWATER_LOG__LEVEL", "debug")
        .set("log.level", "trace");
    let config = case.config();
    assert_eq!(config.name, "shop");
    assert_eq!((config.limits.memory, case.loaded().process.memory), (100 << 20, 100 << 20));
    assert_eq!(config.retry.initial, Duration::from_secs(2));
    assert_eq!(case.loaded().process.log.level, "trace");
    assert_eq!(config.source.user, "app", "tables are merged, not replaced");
    let shown = show(&case.loaded());
    assert!(shown.contains("level = \"trace\" # --set log.level"), "{shown}");
    assert!(shown.contains("initial = \"2s\" # environment variable HEADWATER_RETRY__INITIAL"), "{shown}");
    assert!(shown.contains("second.yaml:1\n"), "{shown}");
    assert!(shown.contains("max = \"30s\" # default"), "{shown}");
}

#[test]
fn bare_text_takes_the_type_of_its_key() {
    let config = Case::new()
        .env("HEADWATER_NAME", "shop")
        .env("HEADWATER_SOURCE__USER", "app")
        .env("HEADWATER_SOURCE__PASSWORD", "00123")
        .env("HEADWATER_SOURCE__PORT", "6000")
        .env("HEADWATER_SOURCE__TABLES", "public.a, public.b")
        .env("HEADWATER_KAFKA__BROKERS", "[\"k:1\", \"k:2\"]")
        .env("HEADWATER_KAFKA__PROPERTIES__COMPRESSION_TYPE", "zstd")
        .env("HEADWATER_EVENTS__TOMBSTONES", "false")
        .env("HEADWATER_TOPICS__PARTITIONS", "")
        .env("HEADWATER_ADMIN__LISTEN", "")
        .set("events.transaction_metadata", "block")
        .set("topics.settings.retention.ms", "5");
    assert_eq!(config.loaded().process.admin.listen, None);
    let config = config.config();
    assert_eq!(config.source.password.unwrap().expose_secret(), "00123");
    assert_eq!(config.source.port, 6000);
    assert_eq!(config.source.tables, ["public.a", "public.b"]);
    assert_eq!(config.kafka.brokers, ["k:1", "k:2"]);
    assert_eq!(config.kafka.properties["compression.type"].expose_secret(), "zstd");
    assert!(!config.events.tombstones);
    assert_eq!(config.topics.partitions, None);
    assert_eq!(config.events.transaction_metadata, TransactionMetadata::Block);
    assert_eq!(config.topics.settings["retention.ms"], "5");
}

#[test]
fn schemas_are_wanted_on_both_parts_or_one() {
    for (said, schemas) in [
        ("true", Schemas::Both),
        ("\"key\"", Schemas::Key),
        ("\"value\"", Schemas::Value),
        ("false", Schemas::None),
    ] {
        let case = Case::minimal().file("more.toml", &format!("[events]\nschemas = {said}\n"));
        assert_eq!(case.config().events.modes.schemas, schemas, "{said}");
    }
}

#[test]
fn variables_of_others_are_left_alone_and_near_misses_are_not() {
    let case = Case::minimal()
        .env("HEADWATER_SERVICE_HOST", "10.0.0.1")
        .env("HEADWATER_PORT_8642_TCP_ADDR", "10.0.0.1")
        .env("HEADWATER_CONFIG", "elsewhere.toml");
    assert_eq!(case.config().name, "shop");
    let report = case.env("HEADWATER_SOURCE_PASWORD", "hunter2").report();
    assert!(report.contains("did you mean HEADWATER_SOURCE__PASSWORD?"), "{report}");
    assert!(!report.contains("hunter2"), "{report}");
}

#[test]
fn secrets_come_from_files_and_variables() {
    let case = Case::minimal().write("pw", "s3cret \n").write("key", "k\r\n");
    let (password, key) = (case.path("pw"), case.path("key"));
    let case = case
        .set("source.password_file", &password)
        .env("KAFKA_PW", "kafka-pw")
        .env("HEADWATER_KAFKA__SASL_PASSWORD_ENV", "KAFKA_PW")
        .set("kafka.security_protocol", "sasl_ssl")
        .set("kafka.sasl_mechanism", "PLAIN")
        .set("kafka.properties.ssl.key.password_file", &key);
    let config = case.config();
    assert_eq!(config.source.password.as_ref().unwrap().expose_secret(), "s3cret ");
    assert_eq!(property(&config, "sasl.password"), Some("kafka-pw"));
    assert_eq!(property(&config, "security.protocol"), Some("sasl_ssl"));
    assert_eq!(property(&config, "sasl.mechanism"), Some("PLAIN"));
    assert_eq!(property(&config, "ssl.key.password"), Some("k"));
    let told = format!("{config:?}{}", show(&case.loaded()));
    assert!(!told.contains("s3cret") && !told.contains("kafka-pw"), "{told}");
}

#[test]
fn properties_may_be_given_without_quotes_in_toml() {
    let text = format!("{MINIMAL}[kafka.properties]\ncompression.type = \"zstd\"\nacks = \"all\"\n");
    let config = Case::toml(&text).config();
    assert_eq!(property(&config, "compression.type"), Some("zstd"));
    assert_eq!(property(&config, "acks"), None);
}

#[test]
fn url_and_keys_complete_each_other() {
    let config = Case::minimal()
        .set("source.url", "postgres://app:p%40w@db.example:6432?sslmode=require&sslrootcert=system")
        .set("source.database", "other")
        .set("source.host", "db.example")
        .config();
    assert_eq!((&*config.source.database, config.source.port), ("other", 6432));
    assert_eq!(config.source.password.unwrap().expose_secret(), "p@w");
    assert_eq!(config.source.sslmode, SslMode::Require);
    assert_eq!(config.source.sslrootcert, None);
    let socket = Case::minimal().set("source.url", "postgres://app@/shop?host=/var/run/postgresql").config();
    assert_eq!((&*socket.source.host, socket.source.sslmode), ("/var/run/postgresql", SslMode::Disable));
}

#[test]
fn other_sinks_need_no_brokers() {
    let case = Case::toml(
        "name = \"a.b-C\"\nsource.user = \"u\"\nsink.type = \"file\"\nsink.path = \"out.jsonl\"\n",
    );
    let config = case.config();
    assert_eq!(config.sink, Sink::File { path: "out.jsonl".into() });
    assert_eq!((&*config.source.slot, &*config.source.database), ("headwater_a_b_c", "u"));
    assert_eq!(config.checkpoint.file, Path::new("a.b-C.checkpoint"));
}

#[test]
fn nothing_given_names_what_is_required() {
    insta::assert_snapshot!(Case::new().report(), @r###"
    3 mistakes in the configuration

    name
        is required and missing
        fix: name = "shop": the prefix of the topics and a part of the slot's name

    source.user
        is required and missing
        fix: write source.url = "postgres://user@host:5432/database", or source.user

    kafka.brokers
        is required and missing
        fix: kafka.brokers = ["127.0.0.1:9092"], or another sink.type
    "###);
}

#[test]
fn names_of_other_tools_are_understood_and_refused() {
    let report = Case::toml(
        "topic.prefix = \"shop\"\n[source]\nslot.name = \"s\"\ndatabase.dbname = \"d\"\n[kafka]\nbootstrap.servers = \"k:9092\"\nbrokers = \"k:1,l:1\"\n",
    )
    .report();
    for words in [
        "toml:1: topic\n    unknown section\n    fix: did you mean topics?",
        "toml:3: source.slot.name\n    unknown key\n    fix: did you mean source.slot?",
        "toml:4: source.database.dbname\n    unknown key\n    fix: did you mean source.database?",
        "toml:6: kafka.bootstrap.servers\n    unknown key\n    fix: did you mean kafka.brokers?",
        "is a text, not a list of texts\n    fix: write [\"k:1\", \"l:1\"]",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
    let flat = Case::new().file("a.yaml", "name: shop\nsource.url: postgres://u@h/d\n").report();
    assert!(flat.contains("a.yaml:2: source.url\n    is one name with a dot in it"), "{flat}");
}

#[test]
fn sections_and_maps_are_merged_from_all_layers() {
    let case = Case::minimal()
        .file("second.yaml", "source:\nkafka: {properties: {linger.ms: 7, client.rack: 1.10}}\n")
        .file("third.toml", "[kafka.properties]\nlinger.ms = 8\n\"client.id\" = \"c\"\n")
        .env("HEADWATER_KAFKA__PROPERTIES__CLIENT_ID", "00123");
    let config = case.config();
    assert_eq!(config.source.user, "app", "an empty section says nothing");
    assert_eq!(property(&config, "linger.ms"), Some("8"));
    assert_eq!(property(&config, "client.rack"), Some("1.10"), "as it was written");
    assert_eq!(property(&config, "client.id"), Some("00123"));
    let shown = show(&case.loaded());
    assert!(shown.contains("second.yaml:2, "), "{shown}");
    assert!(
        shown.contains("third.toml:2, environment variable HEADWATER_KAFKA__PROPERTIES__CLIENT_ID"),
        "{shown}"
    );
    let twice = Case::minimal().file("a.toml", "[kafka.properties]\na.b = 1\n\"a.b\" = 2\n").report();
    assert!(twice.contains("kafka.properties.\"a.b\"\n    is given twice"), "{twice}");
}

/// One mistake of each kind, and what is said about them.
const MISTAKEN: &str = include_str!("tests/mistaken.toml");
const REPORT: &str = include_str!("tests/report.txt");

#[test]
fn all_mistakes_in_one_report() {
    let case = Case::toml(MISTAKEN);
    let report = case.report();
    assert!(!report.contains("hunter"), "{report}");
    assert_eq!(format!("{report}\n"), REPORT);
}

#[test]
fn syntax_errors_name_the_line_and_quote_nothing() {
    let toml = Case::toml("name = \"shop\"\n[source]\npassword = \"hunter2\nport = 1\n").report();
    assert!(toml.contains("headwater.toml:3: syntax") && !toml.contains("hunter2"), "{toml}");
    let yaml = Case::new().file("a.yml", "name: shop\nsource:\n  password: [hunter2\nx: }").report();
    assert!(yaml.contains("a.yml:") && yaml.contains("not YAML") && !yaml.contains("hunter2"), "{yaml}");
    let twice = Case::new().file("a.yml", "name: shop\nname: shop\n").report();
    assert!(twice.contains("a.yml:2: syntax") && twice.contains("given twice"), "{twice}");
    let alias = Case::new().file("a.yml", "name: &a shop\nsource: {user: *a}\n").report();
    assert!(alias.contains("aliases"), "{alias}");
}

#[test]
fn files_that_cannot_be_read_are_mistakes_like_others() {
    let mut case = Case::new().file("a.json", "{}").file("b.yaml", &"[".repeat(30));
    case.options.files.push(case.path("none.toml").into());
    let report = case.report();
    assert!(report.starts_with("3 mistakes"), "{report}");
    assert!(report.contains("none.toml\n    cannot be read"), "{report}");
    assert!(report.contains("a.json\n    the extension"), "{report}");
    assert!(report.contains("nested more than 16 levels"), "{report}");
}

/// Each line is a key, a wrong text, and words of the report.
#[test]
fn each_rule_has_its_words() {
    for (key, text, words) in [
        ("name", "..", "only dots"),
        ("source.slot", "Shop", "PostgreSQL takes for a slot"),
        ("source.slot", "{nam}", "only placeholder here"),
        ("source.publication", &"p".repeat(64), "takes for a publication"),
        ("source.tables", "", "captures nothing"),
        ("source.columns", "public.a", "schema.table.column"),
        ("source.key_columns", "public.a", "does not say which columns"),
        ("source.mask_columns.public.t.a", "mask.hash.MD5.with.hunter2", "is not a rule"),
        ("source.mask_columns.public.t.a", "mask.hash.MD6.with.salt.hunter2", "use one of MD5"),
        (
            "source.mask_columns.public.t.a",
            "mask.hash.MD5.with.salt_env.NO_SUCH_VARIABLE",
            "not set, or empty",
        ),
        ("source.heartbeat_query", "select 1", "without events.heartbeat_interval"),
        ("source.replica_identity.public.t", "half", "is not a replica identity"),
        ("source.replica_identity.public", "full", "is not a replica identity"),
        ("source.mask_columns.public.t", "mask.with.8.chars", "schema.table.column"),
        ("source.url", "postgres://app@b%2Fc/d", "not one host"),
        ("source.on_gap", "snapshot", "this version does not have it"),
        ("source.wal_sender_timeout", "20s", "more than a third"),
        ("source.password_env", "NO_SUCH_VARIABLE", "not set, or empty"),
        ("source.url", "postgres://app:hunter2@h:99999/d", "source.url → source.port"),
        ("source.url", "http://app:hunter2@h", "not a PostgreSQL URL"),
        ("snapshot.mode", "sometimes", "one of: initial, never, only, when_needed, always"),
        ("snapshot.tables", "orders", "not a pattern of the form schema.table"),
        ("snapshot.threads", "0", "out of range"),
        ("snapshot.select_statement_overrides.public.a", "DELETE FROM a", "is no SELECT"),
        ("snapshot.select_statement_overrides.a", "SELECT 1", "is not schema.table"),
        ("events.envelope", "cloudevents", "this version does not have it"),
        ("events.add_fields", "op", "flat form of events alone"),
        ("events.delete_tombstone_handling_mode", "drop", "flat form of events alone"),
        ("events.add_headers_prefix", "", "flat form of events alone"),
        ("events.tombstones", "maybe", "neither true nor false"),
        ("topics.pattern", "{name}", "send all tables to one topic"),
        ("topics.pattern", "{table}/x", "Kafka takes for a topic"),
        ("topics.transaction", "__headwater_checkpoints", "is also topics.transaction"),
        ("topics.message", "__headwater_checkpoints", "is also topics.message"),
        ("topics.partitions", "0", "out of range"),
        ("sink.type", "file", "sink.path"),
        ("kafka.brokers", "", "is empty"),
        ("kafka.brokers", "k:0", "not host:port"),
        ("kafka.commit_max_bytes", "1", "out of range"),
        ("kafka.sasl_username", "u", "is plaintext, which ignores kafka.sasl_username"),
        ("kafka.ssl_ca_location", "ca.pem", "is plaintext, which ignores kafka.ssl_ca_location"),
        ("kafka.security_protocol", "sasl_ssl", "kafka.sasl_mechanism"),
        ("kafka.sasl_mechanism", "GSSAPI", "this version does not have it"),
        ("kafka.properties.group.id", "g", "no consumer"),
        ("kafka.properties.dr_msg_cb", "g", "belongs to Headwater"),
        ("kafka.properties.queue.buffering.max.kbytes", "1", "use limits.memory"),
        ("kafka.properties.message.timeout.ms", "1", "retry.give_up_after"),
        ("kafka.properties.request.required.acks", "0", "not yet safe"),
        ("kafka.properties.sasl.password_env", "NO_SUCH_VARIABLE", "not set, or empty"),
        ("retry.initial", "1h", "longer than retry.max"),
        ("limits.memory", "31MiB", "out of range"),
        ("limits.max_message", "33MiB", "more than half"),
        ("limits.memory", "64M", "64MiB"),
        ("log.level", "a=b=c", "not a filter"),
    ] {
        let report = Case::minimal().set(key, text).report();
        assert!(report.contains(words), "{key} = {text}: {report}");
        assert!(!report.contains("hunter2"), "{report}");
        assert!(report.starts_with("1 mistake "), "{key} = {text}: {report}");
    }
}

#[test]
fn two_ways_of_one_secret_are_a_mistake() {
    let report = Case::minimal().set("source.password", "hunter2").set("source.password_env", "X").report();
    assert!(report.contains("source.password is given too (--set source.password)"), "{report}");
    let typed = Case::minimal()
        .set("kafka.sasl_password", "hunter2")
        .set("kafka.properties.sasl.password_env", "X")
        .set("kafka.sasl_mechanism", "PLAIN")
        .set("kafka.security_protocol", "sasl_ssl")
        .set("kafka.properties.sasl.mechanisms", "PLAIN")
        .report();
    assert!(
        typed.contains("use kafka.sasl_password alone") && typed.contains("use kafka.sasl_mechanism alone")
    );
    let url = Case::minimal()
        .set("source.url", "postgres://a:hunter2@h/d")
        .set("source.password", "hunter2")
        .report();
    assert!(url.contains("contradicts source.url"), "{url}");
    assert!(!format!("{report}{typed}{url}").contains("hunter2"));
}

#[test]
fn what_is_shown_has_effect_origin_and_no_secret() {
    let case = Case::minimal()
        .set("source.url", "postgres://app:hunter2@db.example/shop")
        .set("kafka.properties.ssl.key.password", "hunter3")
        .set("kafka.properties.linger.ms", "7")
        .set("source.mask_columns.public.t.a", "mask.hash.MD5.with.salt.hunter4");
    let shown = show(&case.loaded());
    for line in [
        "url = \"postgres://app:<redacted>@db.example/shop\" # --set source.url",
        "host = \"db.example\" # --set source.url",
        "password = \"<redacted>\" # --set source.url",
        "sslmode = \"verify-full\" # default",
        "slot = \"headwater_shop\" # default",
        "mask_columns = { \"public.t.a\" = \"mask.hash.MD5.with.salt.<redacted>\" } # --set source.mask_columns.public.t.a",
        "max_message = \"16MiB\" # default",
        "properties = { \"linger.ms\" = \"7\", \"ssl.key.password\" = \"<redacted>\" } # --set kafka.properties.linger.ms, --set kafka.properties.ssl.key.password",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(!shown.contains("hunter"), "{shown}");
}

#[test]
fn what_is_shown_loads_again_as_the_same() {
    let case =
        Case::minimal().set("kafka.properties.linger.ms", "7").set("events.transaction_metadata", "true");
    let again = Case::toml(&show(&case.loaded()));
    assert_eq!(format!("{:?}", again.config()), format!("{:?}", case.config()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_file_is_answered(text in r#"([a-z]{0,3}|name|pipeline|source|kafka|properties|[\[\]{}=:,.\-&*!|>#"'\n \t%@?]|\PC){0,60}"#) {
        for name in ["a.toml", "a.yaml"] {
            let mut report = Report::default();
            let tables = file::parse(name, &text, &mut report);
            let (layers, pipelines) = layers(vec![tables], &LoadOptions::default(), &mut report);
            let mut settings = merge(&layers, &mut report).unwrap();
            build::pipeline(&mut settings, (Share::whole(1 << 26), false), &BTreeMap::new(), &mut report);
            for (_, own) in pipelines.iter() {
                inherit(&layers, own, &mut report).unwrap();
            }
        }
    }

    #[test]
    fn any_text_for_any_key_is_answered(index in 0..keys::KEYS.len(), text in ".{0,40}", list in "\\[.{0,20}\\]") {
        for text in [text, list] {
            let path = keys::KEYS[index].path.to_owned();
            let options = LoadOptions { overrides: vec![(path, text)], ..LoadOptions::default() };
            prop_assert!(load(&options).is_err());
        }
    }
}

#[test]
fn the_flat_form_has_its_own_rules() {
    use crate::flat::{Added, Flat};
    use crate::modes::DeleteHandling;
    let flat = || Case::minimal().set("events.envelope", "flat");
    assert_eq!(Case::minimal().config().events.flat, None);
    let expected = Flat {
        deletes: DeleteHandling::Rewrite,
        fields: vec![Added::parse("", "op").unwrap(), Added::parse("", "before.v:old").unwrap()],
        headers: vec![Added::parse("__", "source.lsn").unwrap()],
    };
    let case = flat()
        .set("events.delete_tombstone_handling_mode", "rewrite")
        .set("events.add_fields", "op,before.v:old")
        .set("events.add_fields_prefix", "")
        .set("events.add_headers", "source.lsn");
    assert_eq!(case.config().events.flat, Some(expected));
    for (key, text, words) in [
        ("events.add_fields", "op,nothing", "\"nothing\" is no field of an event"),
        ("events.add_headers", "source", "is a whole block"),
        ("events.add_headers", "before.v", "which no header holds"),
        ("events.add_fields", "op,source.lsn:op", "gives two fields the name \"__op\""),
        ("events.add_fields", "op:deleted", "gives two fields the name \"__deleted\""),
        ("events.delete_tombstone_handling_mode", "keep", "one of: tombstone, drop, rewrite"),
    ] {
        let mut case = flat().set(key, text);
        if words.contains("__deleted") {
            case = case.set("events.delete_tombstone_handling_mode", "rewrite");
        }
        let report = case.report();
        assert!(report.contains(words) && report.starts_with("1 mistake "), "{key} = {text}: {report}");
    }
}
