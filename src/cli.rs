//! The command line: what can be said, and the commands that only print a text. A command returns what is to be printed;
//! `main` prints it. Mistakes of usage end with exit code 64, as mistakes of the configuration do.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, LoadOptions, Loaded, Process};
use crate::error::{Error, Kind, Result};
use crate::import::{self, Imported};
use crate::run::TakeOver;

/// The exit code of bad usage, as in sysexits.h.
pub const EXIT_USAGE: u8 = 64;
/// The exit code of `headwater status --health` for everything but good health.
const EXIT_UNHEALTHY: u8 = 1;

/// Captures the changes of a PostgreSQL database and publishes them to Kafka, exactly once.
#[derive(Debug, Parser)]
#[command(name = "headwater", version = VERSION.as_str(), propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub options: Options,
}

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct Options {
    /// Configuration file, TOML or YAML; several are merged in their order
    #[arg(short, long, value_name = "FILE", env = "HEADWATER_CONFIG", global = true)]
    pub config: Vec<PathBuf>,
    /// Sets one key, above files and environment; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value, global = true)]
    pub set: Vec<(String, String)>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Capture and publish until stopped
    Run(Selected),
    /// Check configuration, database and brokers, and say what is missing
    Check(Selected),
    /// Print what the running process reports of itself
    Status(StatusOptions),
    /// Print the configuration in one of its forms
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Take over from another tool
    #[command(subcommand)]
    Import(ImportCommand),
}

/// From what to take over.
#[derive(Clone, Debug, Subcommand)]
pub enum ImportCommand {
    /// Print a configuration that does what a connector of Debezium does
    Debezium(ImportDebezium),
    /// Write the checkpoint that goes on where Debezium stopped
    DebeziumOffsets(ImportOffsets),
}

/// Where the connector's configuration is.
#[derive(Clone, Debug, Args)]
pub struct ImportDebezium {
    /// Properties, or JSON of Kafka Connect's REST interface
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The worker's properties, for brokers and converters
    #[arg(long, value_name = "FILE")]
    pub worker: Option<PathBuf>,
    /// Choose one of several connectors
    #[arg(long, value_name = "NAME")]
    pub connector: Option<String>,
    /// Brokers to write to; several with commas between them
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub brokers: Vec<String>,
}

/// Where Kafka Connect keeps the connector's offsets.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("offsets").required(true).args(["file", "topic"]))]
pub struct ImportOffsets {
    /// A standalone worker's file, or the answer of GET /connectors/NAME/offsets
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The workers' topic (offset.storage.topic), on the brokers of the configuration
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Choose one of several connectors
    #[arg(long, value_name = "NAME")]
    pub connector: Option<String>,
    /// topic.prefix of the connector, when it is not the pipeline's name
    #[arg(long, value_name = "PREFIX")]
    pub server: Option<String>,
    /// Which of several pipelines takes over
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
    /// Replace a checkpoint that is there
    #[arg(long)]
    pub force: bool,
    /// Say where it would go on, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Which of several pipelines.
#[derive(Clone, Debug, Default, Args)]
pub struct Selected {
    /// Take only this one of the pipelines; may be repeated
    #[arg(long, value_name = "NAME")]
    pub pipeline: Vec<String>,
}

/// What to ask the running process.
#[derive(Clone, Debug, Args)]
pub struct StatusOptions {
    /// Ask about one of several pipelines
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<String>,
    /// Ask /healthz instead: exit code 0 when it is healthy, 1 when it is not or does not answer
    #[arg(long)]
    pub health: bool,
}

/// What to print of the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every key with its default, as TOML
    Defaults,
    /// The JSON Schema of a file
    Schema,
    /// What is in force, with the origin of each value and without secrets
    Show,
}

/// Version, commit where the build knew it, platform, and the version of the Kafka client.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let (version, commit) = (env!("CARGO_PKG_VERSION"), option_env!("HEADWATER_COMMIT").unwrap_or("unknown"));
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    format!("{version} (commit {commit}, {arch}-{os}, librdkafka {librdkafka})")
});

/// Reads the arguments, the program's name first. Help, version and mistakes are printed here; the error is the exit code.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> std::result::Result<Cli, u8> {
    Cli::try_parse_from(arguments).map_err(|error| {
        // Nobody is left to tell when the terminal is gone.
        let _ = error.print();
        if error.exit_code() == 0 { 0 } else { EXIT_USAGE }
    })
}

/// Loads the configuration that the arguments and the environment of the process name, with all pipelines or `only` those of
/// these names.
pub fn load(options: &Options, only: &[String]) -> Result<Loaded> {
    config::load(&LoadOptions {
        files: options.config.clone(),
        environment: config::environment(),
        overrides: options.set.clone(),
        only: only.to_vec(),
    })
}

/// The text that a `config` command prints.
pub fn config_text(command: ConfigCommand, options: &Options) -> Result<String> {
    match command {
        ConfigCommand::Defaults => Ok(config::defaults_toml()),
        ConfigCommand::Schema => Ok(format!("{:#}\n", config::schema_json())),
        ConfigCommand::Show => Ok(config::show(&load(options, &[])?)),
    }
}

/// The configuration that a connector's becomes.
pub fn import_debezium(import: &ImportDebezium) -> Result<Imported> {
    let text = read_text(&import.file)?;
    let worker = import.worker.as_ref().map(|path| -> Result<_> {
        let text = read_text(path)?;
        Ok((path.display().to_string(), text))
    });
    let worker = worker.transpose()?;
    import::debezium(&import::Request {
        origin: &import.file.display().to_string(),
        text: &text,
        worker: worker.as_ref().map(|(origin, text)| (origin.as_str(), text.as_str())),
        connector: import.connector.as_deref(),
        brokers: &import.brokers,
    })
}

/// Which pipeline takes over, and from where.
pub fn import_offsets(import: &ImportOffsets, options: &Options) -> Result<(Config, TakeOver)> {
    use crate::import::offsets;

    let only: Vec<String> = import.pipeline.iter().cloned().collect();
    let mut pipelines = load(options, &only)?.pipelines;
    let (Some(config), true) = (pipelines.pop(), pipelines.is_empty()) else {
        return Err(Error::new(Kind::Config, "the configuration has several pipelines")
            .with_hint("choose the one that takes over with --pipeline NAME"));
    };
    let (origin, stored) = match (&import.file, &import.topic) {
        (Some(path), _) => {
            let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
            let origin = path.display().to_string();
            let stored = offsets::read(&origin, &bytes)?;
            (origin, stored)
        }
        (None, topic) => {
            let topic = topic.as_deref().unwrap_or_default();
            (format!("topic {topic}"), offsets::topic::read(&config, topic)?)
        }
    };
    let server = import.server.as_deref().unwrap_or(&config.name);
    let offset = offsets::choose(&origin, stored, server, import.connector.as_deref())?;
    Ok((config, TakeOver { offset, force: import.force, dry_run: import.dry_run }))
}

fn read_text(path: &std::path::Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, error))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = String::from_utf8_lossy(valid).split('\n').count();
        let place = format!("{}:{line}", path.display());
        Error::new(Kind::Config, format!("{place}: a byte that is not UTF-8"))
            .with_hint("save the file as UTF-8, or write the character as \\uXXXX")
    })
}

fn unreadable(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::new(Kind::Config, format!("{} cannot be read", path.display()))
        .with_source(error)
        .with_hint("check the path and its permissions")
}

/// What the running process answers at `/status`, of all pipelines or of one.
pub fn status(process: &Process, pipeline: Option<&str>) -> Result<String> {
    let path = of_pipeline("/status", pipeline);
    let answer = ask(process, &path)?;
    match (answer.code.as_str(), pipeline) {
        ("200", _) => Ok(answer.body),
        ("404", Some(name)) => {
            Err(Error::new(Kind::Config, format!("--pipeline {name}: {}", answer.body.trim_end()))
                .with_hint("name a pipeline of the running process"))
        }
        _ => {
            let detail = format!("http://{}{path} answered with {}", answer.address, answer.code);
            Err(Error::new(Kind::Config, detail)
                .with_hint("check that admin.listen is Headwater's and not another's"))
        }
    }
}

/// What the running process answers at `/healthz`, and the exit code: 0 when it is healthy, else 1. Container engines know
/// no other two.
pub fn health(process: &Process, pipeline: Option<&str>) -> (String, u8) {
    match ask(process, &of_pipeline("/healthz", pipeline)) {
        Ok(answer) if answer.code == "200" => (answer.body, 0),
        Ok(answer) => (answer.body, EXIT_UNHEALTHY),
        Err(error) => (format!("{error}\n"), EXIT_UNHEALTHY),
    }
}

fn of_pipeline(page: &str, pipeline: Option<&str>) -> String {
    pipeline.map_or_else(|| page.to_owned(), |name| format!("{page}/{name}"))
}

fn ask(process: &Process, path: &str) -> Result<Answer> {
    let listen = process.admin.listen.ok_or_else(|| {
        Error::new(Kind::Config, "admin.listen is empty: the process has no admin server to ask")
            .with_hint("set admin.listen and start the process again")
    })?;
    let address = reachable(listen);
    fetch(address, path).map_err(|error| {
        Error::new(Kind::AdminUnreachable, format!("no answer from http://{address}{path}"))
            .with_source(error)
    })
}

/// Who listens on every address is asked at loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, listen.port()).into(),
        _ => listen,
    }
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    address: SocketAddr,
    /// The three digits.
    code: String,
    body: String,
}

/// HTTP/1.0, so that the answer ends where the connection does.
fn fetch(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let first = head.lines().next().unwrap_or_default();
    match first.split_once(' ') {
        Some((version, rest)) if version.starts_with("HTTP/") => {
            let code = rest.split(' ').next().unwrap_or_default().to_owned();
            Ok(Answer { address, code, body: body.to_owned() })
        }
        _ => Err(std::io::Error::other(format!("the answer is not HTTP: {first:?}"))),
    }
}

fn key_and_value(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        // A quoted name of a property may not hold an equals sign; none does.
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("write key=value, for example limits.memory=128MiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn arguments(line: &str) -> std::result::Result<Cli, u8> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn options_may_stand_before_and_behind_the_command() {
        for line in [
            "headwater --config a.toml -c b.yaml --set name=x run",
            "headwater run -c a.toml -c b.yaml --set name=x",
        ] {
            let cli = arguments(line).unwrap();
            assert!(matches!(cli.command, Command::Run(_)), "{line}");
            assert_eq!(cli.options.config, [PathBuf::from("a.toml"), PathBuf::from("b.yaml")]);
            assert_eq!(cli.options.set, [("name".to_owned(), "x".to_owned())]);
        }
    }

    #[test]
    fn pipelines_are_chosen_by_name() {
        let chosen = |line| match arguments(line).unwrap().command {
            Command::Run(selected) | Command::Check(selected) => selected.pipeline,
            other => panic!("{other:?}"),
        };
        assert_eq!(chosen("headwater run --pipeline a --config x.toml --pipeline b"), ["a", "b"]);
        assert_eq!(chosen("headwater check"), [""; 0]);
    }

    #[test]
    fn bad_usage_is_64_and_help_is_0() {
        for line in ["headwater", "headwater runn", "headwater run --sett a=b", "headwater run --set name"] {
            assert_eq!(arguments(line).unwrap_err(), 64, "{line}");
        }
        for line in ["headwater --help", "headwater --version", "headwater config show --help"] {
            assert_eq!(arguments(line).unwrap_err(), 0, "{line}");
        }
    }

    #[test]
    fn a_connector_becomes_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("connector.properties");
        std::fs::write(&path, "topic.prefix=shop\nplugin.name=pgoutput\n").unwrap();
        let line = format!("headwater import debezium {} --brokers a:1,b:2", path.display());
        let Command::Import(ImportCommand::Debezium(import)) = arguments(&line).unwrap().command else {
            panic!("{line}")
        };
        let text = import_debezium(&import).unwrap().text;
        assert!(
            text.contains("name = \"shop\"\n") && text.contains("brokers = [\"a:1\", \"b:2\"]\n"),
            "{text}"
        );
        std::fs::write(&path, b"a=b\nc=\xE9\n").unwrap();
        let error = import_debezium(&import).unwrap_err();
        assert!(error.to_string().contains("connector.properties:2: a byte"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(import_debezium(&import).unwrap_err().kind().exit_code(), 64);
        for line in ["headwater import", "headwater import debezium", "headwater import debezium-offsets"] {
            assert_eq!(arguments(line).unwrap_err(), 64, "{line}");
        }
        assert_eq!(arguments("headwater import debezium-offsets f --topic t").unwrap_err(), 64);
    }

    #[test]
    fn definitions_are_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn config_commands_return_their_texts() {
        let options = Options {
            config: vec!["config/headwater.toml".into()],
            set: vec![("source.password".to_owned(), "hunter2".to_owned())],
        };
        let text = |command| config_text(command, &options).unwrap();
        assert!(text(ConfigCommand::Defaults).starts_with("name = \"\"\n"));
        assert!(text(ConfigCommand::Schema).contains("\"additionalProperties\": false"));
        let shown = text(ConfigCommand::Show);
        assert!(shown.starts_with("name = \"shop\" # config/headwater.toml:10\n"), "{shown}");
        assert!(shown.contains("password = \"<redacted>\" # --set source.password\n"), "{shown}");
    }

    /// Answers one request with `answer`; the handle gives the request.
    fn serve(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        (address, server)
    }

    #[test]
    fn nobody_there_is_69() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let options = Options {
            config: vec!["config/headwater.toml".into()],
            set: vec![("admin.listen".to_owned(), free.to_string())],
        };
        let error = status(&load(&options, &[]).unwrap().process, None).unwrap_err();
        assert_eq!(error.kind().exit_code(), 69);
        assert!(error.to_string().contains(&format!("no answer from http://{free}/status")), "{error}");
    }

    #[test]
    fn an_answer_is_its_code_and_its_body() {
        let (address, server) =
            serve("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"ok\":true}");
        let answer = fetch(address, "/status").unwrap();
        assert_eq!((answer.code.as_str(), answer.body.as_str()), ("200", "{\"ok\":true}"));
        assert!(server.join().unwrap().starts_with("GET /status HTTP/1.0\r\n"));
        let (address, server) = serve("HTTP/1.1 503 Service Unavailable\r\n\r\nwork waits\n");
        let answer = fetch(address, "/healthz").unwrap();
        assert_eq!((answer.code.as_str(), answer.body.as_str()), ("503", "work waits\n"));
        server.join().unwrap();
        let (address, server) = serve("SSH-2.0-OpenSSH_9.2\r\n");
        assert!(fetch(address, "/status").unwrap_err().to_string().contains("SSH-2.0"));
        server.join().unwrap();
    }

    #[test]
    fn who_listens_everywhere_is_asked_at_home() {
        for (listen, asked) in [
            ("0.0.0.0:8642", "127.0.0.1:8642"),
            ("[::]:8642", "[::1]:8642"),
            ("10.0.0.7:8642", "10.0.0.7:8642"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), asked.parse().unwrap(), "{listen}");
        }
    }
}
