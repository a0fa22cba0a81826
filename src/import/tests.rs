//! Tests of the translation as a whole: every property has its answer, and what comes of real connectors is a configuration.

use std::collections::BTreeMap;

use super::*;
use crate::config::{self, Config, LoadOptions};

/// Every property, with a value that asks for something.
const PROPERTIES: &str = include_str!("../../tests/import/properties.txt");
/// What the cases of the oracle tell Debezium beside [`BASE`].
const CORPUS: &str = include_str!("../../tests/import/corpus.txt");
const BASE: &str = include_str!("../../tests/golden/base.properties");

fn import(text: &str) -> Imported {
    debezium(&Request { origin: "connector.properties", text, ..Request::default() }).unwrap()
}

fn base() -> String {
    let fill = [
        ("@HOST@", "db.example"),
        ("@PORT@", "5433"),
        ("@USER@", "u"),
        ("@PASSWORD@", "hunter2"),
        ("@NAME@", "shop"),
    ];
    fill.iter().fold(BASE.to_owned(), |text, (mark, value)| text.replace(mark, value))
}

fn try_load(text: &str, variables: &[(&str, &str)]) -> Result<Config> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("headwater.toml");
    std::fs::write(&path, text).unwrap();
    let environment: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let loaded = config::load(&LoadOptions { files: vec![path], environment, ..LoadOptions::default() })?;
    Ok(loaded.pipelines.into_iter().next().unwrap())
}

#[track_caller]
fn load(text: &str) -> Config {
    try_load(text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn every_property_has_its_answer_and_its_comment() {
    let lines = PROPERTIES.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    let imported = import(PROPERTIES);
    for line in lines {
        let (property, _) = line.split_once('=').unwrap();
        let of_other = property.starts_with("isbn.") || property.starts_with("reselector.");
        assert!(of_other || table::answer(property).is_some(), "{property}");
        let named = shown(property);
        let mut comments = imported.text.lines().filter(|line| line.starts_with("# "));
        assert!(comments.any(|line| line.contains(&named)), "{property}:\n{}", imported.text);
        count += 1;
    }
    assert!(count > 140, "{count}");
    assert!(!imported.text.contains("unknown to Headwater"), "{}", imported.text);
}

#[test]
fn no_secret_is_in_a_comment_or_a_warning() {
    let imported = import(PROPERTIES);
    let comments = imported.text.lines().filter(|line| line.starts_with('#'));
    for line in comments.chain(imported.warnings.iter().map(String::as_str)) {
        assert!(!line.contains("hunter2") && !line.contains("CzQMA0cB5K"), "{line}");
    }
    let keys: Vec<&str> = imported.text.lines().filter(|line| line.contains("hunter2")).collect();
    assert_eq!(keys, ["password = \"hunter2\"", "sasl_password = \"hunter2\""]);
}

#[test]
fn every_case_of_the_oracle_becomes_a_configuration() {
    let mut cases: Vec<(&str, String)> = Vec::new();
    for line in CORPUS.lines().filter(|line| !line.starts_with('#')) {
        if let Some(case) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            cases.push((case, base()));
        } else {
            let (_, text) = cases.last_mut().unwrap();
            text.push_str(&line.replace("@NAME@", "shop").replace('\\', "\\\\"));
            text.push('\n');
        }
    }
    assert!(cases.len() > 100, "{}", cases.len());
    for (case, text) in cases {
        let imported = import(&text);
        let config = try_load(&imported.text, &[])
            .unwrap_or_else(|error| panic!("{case}: {error}\n{}", imported.text));
        assert_eq!(
            (config.source.slot.as_str(), config.source.publication.as_str()),
            ("shop", "shop"),
            "{case}"
        );
        assert_eq!((config.name.as_str(), config.source.host.as_str()), ("shop", "db.example"), "{case}");
        assert!(
            config.events.modes.quirky()
                && config.events.modes.null_as_default
                    != text.contains("value.converter.replace.null.with.default=false"),
            "{case}"
        );
    }
}

#[test]
fn what_is_said_comes_through() {
    let config = load(&import(&format!(
        "{}{}",
        base(),
        "table.include.list=public\\\\.orders,s1\\\\.(a|b)\nschema.exclude.list=audit\ncolumn.exclude.list=.*\\\\.ssn\n\
         skipped.operations=none\nprovide.transaction.metadata=true\ntopic.delimiter=-\ntopic.transaction=tx\n\
         publication.autocreate.mode=disabled\nstatus.update.interval.ms=30000\ntombstones.on.delete=false\n\
         time.precision.mode=connect\nvalue.converter.decimal.format=NUMERIC\nextended.headers.enabled=false\n\
         producer.override.linger.ms=7\nproducer.override.security.protocol=SSL\ntopic.creation.default.partitions=3\n"
    )).text);
    assert_eq!(config.source.tables, ["public.orders", r"/s1\.(a|b)/"]);
    assert_eq!(config.source.exclude_tables, ["audit.*"]);
    assert_eq!(config.source.exclude_columns, [r"/.*\.ssn/"]);
    assert!(config.events.skipped_operations.is_empty() && !config.events.tombstones);
    assert!(!config.events.context_headers);
    assert_eq!(config.events.transaction_metadata, config::TransactionMetadata::Full);
    assert_eq!(
        (config.topics.pattern.as_str(), config.topics.transaction.as_str()),
        ("{name}-{schema}-{table}", "shop-tx")
    );
    assert_eq!(config.source.publication_mode, config::PublicationMode::Disabled);
    assert_eq!(config.source.status_interval.as_secs() * 3, config.source.wal_sender_timeout.as_secs());
    assert_eq!(config.events.modes.time, crate::modes::TimeMode::Connect);
    assert_eq!(config.events.modes.decimal_format, crate::modes::DecimalFormat::Numeric);
    assert_eq!(config.kafka.delivery, config::Delivery::ExactlyOnce);
    assert_eq!(config.topics.partitions, Some(3));
    assert!(config.kafka.properties.contains_key("linger.ms"));
}

#[test]
fn rules_of_tables_and_columns_come_through() {
    let imported = import(&format!(
        "{}{}",
        base(),
        "message.key.columns=public.t:b, a;s\\\\.(x|y):c\nskip.messages.without.change=true\npublish.via.partition.root=true\n\
         column.mask.with.8.chars=public.p.ssn\ncolumn.truncate.to.5.chars=public.p.ssn,public.p.note\n\
         column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K=.*\\\\.card\n\
         replica.identity.autoset.values=public.a:FULL,public\\\\.(b|c):INDEX i\n\
         message.prefix.include.list=app,a\\\\.b\nmessage.prefix.exclude.list=App.*\n\
         column.propagate.source.type=.*\\\\.v\n"
    ));
    let source = load(&imported.text).source;
    assert_eq!(source.key_columns, ["public.t:b,a", r"/s\.(x|y)/:c"]);
    assert!(source.publish_via_partition_root);
    let full = ("public.a".to_owned(), config::ReplicaIdentityRule::Full);
    let index = (r"/public\.(b|c)/".to_owned(), config::ReplicaIdentityRule::Index("i".to_owned()));
    assert!(source.replica_identity.len() == 2 && source.replica_identity.contains(&full));
    assert!(source.replica_identity.contains(&index), "{:?}", source.replica_identity);
    let masks: Vec<(&str, String)> =
        source.mask_columns.iter().map(|(pattern, mask)| (pattern.as_str(), format!("{mask:?}"))).collect();
    let hash = "Hash { version: V2, algorithm: Sha256, salt: Salt(<redacted>) }";
    assert_eq!(
        masks,
        [
            ("public.p.ssn", "Stars { chars: 8 }".to_owned()),
            (r"/.*\.card/", hash.to_owned()),
            ("public.p.note", "Truncate { chars: 5 }".to_owned())
        ]
    );
    assert_eq!(
        (source.messages, source.exclude_messages),
        (vec!["app".into(), r"/a\.b/".into()], vec!["/App.*/".into()])
    );
    let events = load(&imported.text).events;
    assert!(events.skip_unchanged);
    assert_eq!(events.column_propagate_source_type, [r"/.*\.v/"]);
    let warned = |part: &str| imported.warnings.iter().any(|line| line.contains(part));
    assert!(
        warned("column.mask.hash.v2.SHA-256.with.salt.…: the salt is in the file"),
        "{:?}",
        imported.warnings
    );
    let imported = import(&format!("{}message.key.columns=public.t:a.*\n", base()));
    let mut warnings = imported.warnings.iter();
    assert!(warnings.any(|line| line.contains("columns by regular expressions")));
}

#[test]
fn heartbeats_keep_their_topic() {
    let load = |lines: &str| load(&import(&format!("{}{lines}", base())).text);
    let config =
        load("heartbeat.interval.ms=200\nheartbeat.action.query=select 1\ntopic.heartbeat.prefix=hb\n");
    assert_eq!(config.events.heartbeat_interval, Some(std::time::Duration::from_millis(200)));
    assert_eq!(
        (config.topics.heartbeat.as_str(), config.source.heartbeat_query.as_deref()),
        ("hb.shop", Some("select 1"))
    );
    let config = load("heartbeat.interval.ms=200\ntopic.delimiter=-\n");
    assert_eq!(config.topics.heartbeat, "__debezium-heartbeat-shop");
    let config = load(
        "heartbeat.interval.ms=200\ntopic.delimiter=-\ntopic.heartbeat.prefix=hb\ntopic.heartbeat.name=all\n",
    );
    assert_eq!(config.topics.heartbeat, "all");
    let config =
        load("heartbeat.interval.ms=0\nheartbeat.action.query=select 1\ntopic.heartbeat.prefix=hb\n");
    assert_eq!((config.events.heartbeat_interval, config.source.heartbeat_query), (None, None));
}

#[test]
fn notifications_go_to_their_topic_and_other_channels_are_told() {
    let imported = |lines: &str| import(&format!("{}{lines}", base()));
    let topic = |lines: &str| load(&imported(lines).text).topics.notification;
    let name = "notification.sink.topic.name=notes\n";
    assert_eq!(topic(&format!("notification.enabled.channels=log, sink\n{name}")).as_deref(), Some("notes"));
    assert_eq!(topic(name), None);
    assert_eq!(imported(name).warnings, imported("").warnings);
    let warned = imported("notification.enabled.channels=jmx,sink,http\nnotification.http.url=http://x\n");
    for what in [
        "channels: not supported: jmx",
        "sink, which needs",
        "http: topics.notification",
        "http.url: not supported",
    ] {
        assert!(warned.warnings.iter().any(|line| line.contains(what)), "{what}: {:?}", warned.warnings);
    }
}

#[test]
fn schemas_are_those_of_the_converters() {
    use crate::modes::{FieldNames, Schemas};
    let json = "org.apache.kafka.connect.json.JsonConverter";
    let modes = |text: &str| {
        load(&import(&format!("topic.prefix=s\ndatabase.user=u\ndatabase.hostname=h\n{text}")).text)
            .events
            .modes
    };
    assert_eq!(modes(&format!("key.converter={json}\nvalue.converter={json}\n")).schemas, Schemas::Both);
    let off = "value.converter.schemas.enable=false\n";
    assert_eq!(modes(&format!("key.converter={json}\nvalue.converter={json}\n{off}")).schemas, Schemas::Key);
    assert_eq!(
        modes(&format!("value.converter={json}\nkey.converter={json}\nkey.converter.schemas.enable=false\n"))
            .schemas,
        Schemas::Value
    );
    assert_eq!(modes(&format!("{off}key.converter.schemas.enable=false\n")).schemas, Schemas::None);
    assert_eq!(modes("").schemas, Schemas::None);
    let names = modes("schema.name.adjustment.mode=avro\nfield.name.adjustment.mode=avro_unicode\n");
    assert_eq!((names.schema_names, names.field_names), (FieldNames::Avro, FieldNames::AvroUnicode));
    let worker = format!(
        "key.converter={json}\nvalue.converter={json}\nvalue.converter.schemas.enable=true\nkey.converter.schemas.enable=false\n"
    );
    let text = "topic.prefix=shop\ndatabase.user=u\ndatabase.hostname=h\n";
    let request = Request { origin: "c", text, worker: Some(("w", &worker)), ..Request::default() };
    assert_eq!(load(&debezium(&request).unwrap().text).events.modes.schemas, Schemas::Value);
    let text = format!("{text}value.converter.schemas.enable=false\n");
    let imported = debezium(&Request { text: &text, ..request }).unwrap();
    assert_eq!(load(&imported.text).events.modes.schemas, Schemas::Value);
    let warned = "value.converter.schemas.enable: Connect passes over it";
    assert!(imported.warnings.iter().any(|line| line.starts_with(warned)), "{:?}", imported.warnings);
}

#[test]
fn snapshots_are_those_of_debezium() {
    let base = base().replace("snapshot.mode=no_data\n", "");
    let import = |lines: &str| import(&format!("{base}{lines}"));
    for (lines, expected, told) in [
        ("", config::SnapshotMode::Initial, false),
        ("snapshot.mode=initial\n", config::SnapshotMode::Initial, false),
        ("snapshot.mode=always\n", config::SnapshotMode::Always, false),
        ("snapshot.mode=initial_only\n", config::SnapshotMode::Only, false),
        ("snapshot.mode=when_needed\n", config::SnapshotMode::WhenNeeded, false),
        ("snapshot.mode=no_data\n", config::SnapshotMode::Never, false),
        ("snapshot.mode=never\n", config::SnapshotMode::Never, false),
        ("snapshot.mode=custom\nsnapshot.mode.custom.name=a\n", config::SnapshotMode::Never, true),
    ] {
        let imported = import(lines);
        assert_eq!(load(&imported.text).snapshot.mode, expected, "{lines}");
        let warned = imported.warnings.iter().any(|line| line.starts_with("snapshot.mode: not supported"));
        assert_eq!(warned, told, "{lines}");
    }
    let imported = import(
        "snapshot.include.collection.list=public.a,public\\\\.(b|c)\nsnapshot.max.threads=99\nsnapshot.lock.timeout.ms=2500\n\
         snapshot.select.statement.overrides=public.a,public.b\nsnapshot.select.statement.overrides.public.a=SELECT 1\n\
         snapshot.select.statement.overrides.public.c=SELECT 2\n",
    );
    let snapshot = load(&imported.text).snapshot;
    assert_eq!(snapshot.tables, ["public.a", r"/public\.(b|c)/"]);
    assert_eq!((snapshot.threads, snapshot.lock_timeout.as_millis()), (16, 2500));
    assert_eq!(snapshot.select_statement_overrides, BTreeMap::from([("public.a".into(), "SELECT 1".into())]));
    let missing = "snapshot.select.statement.overrides.public.b: not supported: it is not there";
    assert!(imported.warnings.iter().any(|line| line.starts_with(missing)), "{:?}", imported.warnings);
}

#[test]
fn debeziums_defaults_are_kept_where_ours_are_others() {
    let config = load(&import("topic.prefix=shop\ndatabase.user=u\ndatabase.hostname=h\n").text);
    assert_eq!(
        (config.source.slot.as_str(), config.source.publication.as_str()),
        ("debezium", "dbz_publication")
    );
    assert_eq!(config.source.tables, ["*.*"]);
    assert_eq!(config.source.sslmode, config::SslMode::Prefer);
    assert_eq!(config.events.skipped_operations, [config::Operation::Truncate]);
    assert_eq!(config.events.transaction_metadata, config::TransactionMetadata::Off);
    assert_eq!(config.kafka.brokers, ["localhost:9092"]);
}

#[test]
fn the_worker_says_what_the_connector_does_not() {
    let worker = "bootstrap.servers=PLAINTEXT://a:1,b:2\nvalue.converter=io.confluent.connect.avro.AvroConverter\n\
                  key.converter=org.apache.kafka.connect.json.JsonConverter\nproducer.linger.ms=3\noffset.storage.topic=o\n";
    let text = "topic.prefix=shop\nkey.converter=org.apache.kafka.connect.json.JsonConverter\nkey.converter.schemas.enable=false\n";
    let request = Request { origin: "c", text, worker: Some(("w", worker)), ..Request::default() };
    let imported = debezium(&request).unwrap();
    assert!(
        imported.text.contains("brokers = [\"a:1\", \"b:2\"]") && imported.text.contains("\"linger.ms\" = 3")
    );
    assert!(imported.warnings.iter().any(|line| line.starts_with("value.converter: not supported: Avro")));
    assert!(!imported.warnings.iter().any(|line| line.contains("key.converter")), "{:?}", imported.warnings);
    let own = ["x:9".to_owned()];
    let imported = debezium(&Request { brokers: &own, ..request }).unwrap();
    assert!(imported.text.contains("brokers = [\"x:9\"]"));
}

#[test]
fn placeholders_are_followed_or_stop_the_file() {
    let secret = |value: &str| {
        let text =
            format!("topic.prefix=shop\ndatabase.user=u\ndatabase.hostname=h\ndatabase.password={value}\n");
        import(&text)
    };
    assert!(secret("${env:PG}").text.contains("password_env = \"PG\""));
    assert!(secret("${dir:/run/secrets:pg}").text.contains("password_file = \"/run/secrets/pg\""));
    let elsewhere = secret("${file:/etc/pg.properties:password}");
    assert!(elsewhere.text.contains("password_env = \"DATABASE_PASSWORD\""));
    assert!(elsewhere.warnings.iter().any(|line| line.contains("DATABASE_PASSWORD")));
    assert!(try_load(&elsewhere.text, &[]).unwrap_err().to_string().contains("DATABASE_PASSWORD"));
    assert!(try_load(&elsewhere.text, &[("DATABASE_PASSWORD", "x")]).is_ok());
    for line in ["database.port=${env:PORT}", "topic.prefix=${file:/a:b}", "database.hostname=${file:/a:b}"] {
        let name = if line.starts_with("topic") { "" } else { "topic.prefix=shop\n" };
        let imported = import(&format!("database.user=u\n{name}{line}\n"));
        assert!(imported.warnings.iter().any(|line| line.contains("placeholder")), "{line}");
        assert!(try_load(&imported.text, &[]).is_err(), "{line}");
    }
}

#[test]
fn what_cannot_be_had_stops_the_file_or_is_told() {
    let imported = import(&format!("{}table.include.list=public.(?!tmp).*\n", base()));
    assert!(imported.warnings.iter().any(|line| line.contains("look-around")));
    assert!(try_load(&imported.text, &[]).unwrap_err().to_string().contains("source.tables"));
    let imported = import(&format!("{}what.is.this=1\nslot.name=other\n", base()));
    for part in
        ["what.is.this: not supported: unknown to Headwater", "slot.name: stands there more than once"]
    {
        assert!(
            imported.warnings.iter().any(|line| line.starts_with(part)),
            "{part}: {:?}",
            imported.warnings
        );
    }
    assert_eq!(load(&imported.text).source.slot, "other");
}

#[test]
fn schemas_and_tables_are_both_heeded() {
    let tables = |lines: &str| load(&import(&format!("{}{lines}", base())).text).source.tables;
    assert_eq!(tables("schema.include.list=s1,S2\n"), ["s1.*", r"/(?:S2)\..*/"]);
    assert_eq!(tables("schema.include.list=s1\ntable.include.list=s1.a,s2.a\n"), ["s1.a"]);
    assert_eq!(tables("table.include.list=.*\\\\.a\n"), ["*.a"]);
}

const UNWRAP: &str =
    "transforms=flatten\ntransforms.flatten.type=io.debezium.transforms.ExtractNewRecordState\n";

#[test]
fn unwrap_by_itself_is_the_flat_form() {
    use crate::flat::{Added, Flat};
    use crate::modes::DeleteHandling;
    let options = |options: &[&str]| -> String {
        options.iter().flat_map(|option| ["transforms.flatten.", option, "\n"]).collect()
    };
    let imported = |lines: &[&str]| import(&format!("{}{UNWRAP}{}", base(), options(lines)));
    let flat = |lines: &[&str]| load(&imported(lines).text).events.flat.unwrap();
    assert_eq!(flat(&[]), Flat::default());
    assert!(!imported(&[]).warnings.iter().any(|line| line.contains("transforms")));
    let added = |prefix, entries: &[&str]| -> Vec<Added> {
        entries.iter().map(|entry| Added::parse(prefix, entry).unwrap()).collect()
    };
    let all = flat(&[
        "delete.tombstone.handling.mode=Rewrite-With-Tombstone",
        "add.fields=op, source.ts_ms:at,before.v",
        "add.fields.prefix=",
        "add.headers=op,id",
        "add.headers.prefix=x-",
        "drop.fields.header.name=h",
        "drop.fields.from.key=true",
    ]);
    let expected = Flat {
        deletes: DeleteHandling::RewriteWithTombstone,
        fields: added("", &["op", "source.ts_ms:at", "before.v"]),
        headers: added("x-", &["op", "id"]),
    };
    assert_eq!(all, expected);
    for (lines, deletes) in [
        (&["delete.handling.mode=drop", "drop.tombstones=false"][..], DeleteHandling::DeleteToTombstone),
        (&["delete.handling.mode=rewrite"], DeleteHandling::Rewrite),
        (&["delete.handling.mode=rewrite", "drop.tombstones=false"], DeleteHandling::RewriteWithTombstone),
        (&["delete.handling.mode=none"], DeleteHandling::Tombstone),
        (&["drop.tombstones=true"], DeleteHandling::Drop),
        (&["drop.tombstones=false", "delete.tombstone.handling.mode=rewrite"], DeleteHandling::Rewrite),
    ] {
        assert_eq!(flat(lines).deletes, deletes, "{lines:?}");
        let warned = imported(lines).warnings.iter().any(|line| line.contains("as Debezium 2 does"));
        assert_eq!(warned, !lines.iter().any(|line| line.contains("tombstone.handling")), "{lines:?}");
    }
}

#[test]
fn defaults_are_put_in_where_unwrap_does() {
    let replaces = |lines: &str| {
        let text = format!("{}{UNWRAP}value.converter.replace.null.with.default=false\n{lines}", base());
        load(&import(&text).text).events.modes.null_as_default
    };
    let rewrite = "transforms.flatten.delete.tombstone.handling.mode=rewrite\n";
    assert!(replaces(rewrite) && replaces("transforms.flatten.delete.handling.mode=rewrite\n"));
    assert!(!replaces(&format!("{rewrite}transforms.flatten.replace.null.with.default=false\n")));
    assert!(!replaces(""), "a row that no field is added to stays as it is");
}

#[test]
fn what_unwrap_does_not_do_here_is_told() {
    let told = |lines: &str, part: &str| {
        let imported = import(&format!("{}{lines}", base()));
        let warned = imported.warnings.iter().any(|line| line.contains(part));
        assert!(warned, "{part}: {:?}", imported.warnings);
        load(&imported.text).events.flat.is_some()
    };
    for (option, part) in [
        ("route.by.field=v", "topics by the values of a column"),
        ("add.headers=after.v", "a column as a header"),
        ("add.fields=op,source", "\"source\" is a whole block"),
        ("add.fields=nothing", "\"nothing\" is no field of an event"),
        ("delete.handling.mode=none\ntransforms.flatten.drop.tombstones=false", "this way to write deletes"),
        ("what.is.this=1", "no option of ExtractNewRecordState"),
    ] {
        assert!(told(&format!("{UNWRAP}transforms.flatten.{option}\n"), part), "{option}");
    }
    let predicate = "transforms.flatten.predicate=p\npredicates=p\npredicates.p.type=x\n";
    assert!(!told(
        &format!("{UNWRAP}{predicate}"),
        "ExtractNewRecordState: beside others, or with a predicate"
    ));
    let chain = UNWRAP.replace("=flatten\n", "=flatten,other\n");
    assert!(!told(&format!("{chain}transforms.other.type=a.RegexRouter\n"), "beside others"));
}
