//! A real Kafka broker, its own controller, with a data directory and ports of its own.
//!
//! Beside the plain listener there is one whose address, as told to clients, is that of a proxy: [`Kafka::proxy`].
//! A secured broker has TLS and SASL listeners too.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tempfile::TempDir;

use super::process::{self, Process};
use super::tls::Authority;
use super::{Consumer, DEADLINE, Isolation, Proxy, free_port, reaper, runtime, server_home, wait_until};

/// A user of the secured broker who may do everything, and her password.
pub(crate) const ALICE: (&str, &str) = ("alice", "alice-secret");
/// One who may do nothing.
pub(crate) const MALLORY: (&str, &str) = ("mallory", "mallory-secret");

/// A broker. Its methods take `&self`, so that a shared one and a private one are used alike.
pub(crate) struct Kafka {
    ports: Ports,
    secured: bool,
    jvm: &'static [&'static str],
    home: PathBuf,
    directory: TempDir,
    process: Mutex<Option<Process>>,
}

struct Ports {
    plain: u16,
    controller: u16,
    proxied: u16,
    proxy: u16,
    tls: u16,
    sasl: u16,
    sasl_tls: u16,
}

impl Kafka {
    /// The broker that the tests of this process share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A shared broker with TLS, SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) and access control: [`ALICE`] and clients
    /// without a name may do everything, [`MALLORY`] nothing.
    pub(crate) fn secured() -> &'static Self {
        static SECURED: OnceLock<Kafka> = OnceLock::new();
        SECURED.get_or_init(|| Self::launch(true, FRUGAL_JVM))
    }

    /// A broker of one's own.
    pub(crate) fn start() -> Self {
        Self::launch(false, FRUGAL_JVM)
    }

    /// A broker of one's own whose Java machine has these options.
    pub(crate) fn start_with(jvm: &'static [&'static str]) -> Self {
        Self::launch(false, jvm)
    }

    fn launch(secured: bool, jvm: &'static [&'static str]) -> Self {
        let ports = Ports {
            plain: free_port(),
            controller: free_port(),
            proxied: free_port(),
            proxy: free_port(),
            tls: free_port(),
            sasl: free_port(),
            sasl_tls: free_port(),
        };
        let home = server_home(&["kafka"]);
        let directory = reaper::directory();
        let broker = Self { ports, secured, jvm, home, directory, process: Mutex::new(None) };
        broker.format();
        broker.resume_stopped();
        broker
    }

    /// `host:port` of the plain listener.
    pub(crate) fn brokers(&self) -> String {
        address(self.ports.plain)
    }

    /// The TLS listener, with a certificate of [`Authority::shared`]; secured brokers only.
    pub(crate) fn tls_brokers(&self) -> String {
        assert!(self.secured);
        address(self.ports.tls)
    }

    /// The SASL listener without TLS; secured brokers only.
    pub(crate) fn sasl_brokers(&self) -> String {
        assert!(self.secured);
        address(self.ports.sasl)
    }

    /// The SASL listener with TLS; secured brokers only.
    pub(crate) fn sasl_tls_brokers(&self) -> String {
        assert!(self.secured);
        address(self.ports.sasl_tls)
    }

    /// A proxy in front of the broker: clients that start at its address stay behind it. One at a time, and for
    /// private brokers only: others would share its faults.
    pub(crate) fn proxy(&self) -> Proxy {
        Proxy::listen(self.ports.proxy, self.ports.proxied)
    }

    /// For a client of the test's own.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config
    }

    /// Reads the topics whose names begin with `prefix`, `read_committed`, from their beginning.
    pub(crate) fn consumer(&self, prefix: &str) -> Consumer {
        Consumer::new(&self.client_config(), prefix, Isolation::ReadCommitted)
    }

    /// [`Kafka::consumer`] that also sees what was aborted and what is not committed yet.
    pub(crate) fn uncommitted_consumer(&self, prefix: &str) -> Consumer {
        Consumer::new(&self.client_config(), prefix, Isolation::ReadUncommitted)
    }

    #[track_caller]
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            topic = topic.set(key, value);
        }
        let results = runtime().block_on(self.admin().create_topics([&topic], &AdminOptions::new()));
        for result in results.unwrap() {
            result.unwrap_or_else(|(name, error)| panic!("topic {name}: {error}"));
        }
    }

    #[track_caller]
    pub(crate) fn delete_topic(&self, name: &str) {
        self.delete_topics(&[name]);
    }

    #[track_caller]
    pub(crate) fn delete_topics(&self, names: &[&str]) {
        let results = runtime().block_on(self.admin().delete_topics(names, &AdminOptions::new()));
        for result in results.unwrap() {
            result.unwrap_or_else(|(name, error)| panic!("topic {name}: {error}"));
        }
    }

    /// Name and number of partitions of the topics whose names begin with `prefix`, sorted.
    pub(crate) fn topics(&self, prefix: &str) -> Vec<(String, usize)> {
        let metadata = self.admin().inner().fetch_metadata(None, DEADLINE).unwrap();
        let found = metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix));
        let mut topics: Vec<_> =
            found.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect();
        topics.sort();
        topics
    }

    /// The broker's process id.
    pub(crate) fn id(&self) -> u32 {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_ref().expect("a broker that runs").id()
    }

    /// Frozen with its connections open, as by a stalled disk.
    pub(crate) fn pause(&self) {
        self.with_process(|process| process.signal("STOP"));
    }

    /// Goes on after [`Kafka::pause`].
    pub(crate) fn resume(&self) {
        self.with_process(|process| process.signal("CONT"));
    }

    /// An orderly shutdown.
    pub(crate) fn stop(&self) {
        let mut process = self.take_process();
        process.signal("TERM");
        process.wait_exit(DEADLINE);
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        self.take_process().kill();
    }

    /// Starts a stopped or killed broker again, on the same ports and data, and waits until it answers.
    pub(crate) fn resume_stopped(&self) {
        let mut command = self.java();
        command.arg("kafka.Kafka").arg(self.config_path());
        let mut process = Process::spawn("Kafka", command, &self.log_path(), "KILL");
        let client: BaseConsumer = self.client_config().create().unwrap();
        wait_until(DEADLINE, "Kafka broker", || {
            process.assert_running();
            client
                .fetch_metadata(None, Duration::from_millis(250))
                .is_ok_and(|metadata| metadata.brokers().len() == 1)
        });
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
    }

    /// Down and up again.
    pub(crate) fn restart(&self) {
        self.stop();
        self.resume_stopped();
    }

    fn with_process(&self, action: impl FnOnce(&Process)) {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        action(process.as_ref().expect("a broker that runs"));
    }

    fn take_process(&self) -> Process {
        let process = self.process.lock().unwrap_or_else(PoisonError::into_inner).take();
        process.expect("a broker that runs")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client_config().create().unwrap()
    }

    fn config_path(&self) -> PathBuf {
        self.directory.path().join("server.properties")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn java(&self) -> Command {
        let mut command = Command::new("java");
        command.args(self.jvm);
        command.args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp"]);
        command.arg(self.home.join("libs/*")).current_dir(self.directory.path());
        command
    }

    fn format(&self) {
        fs::write(self.config_path(), self.properties()).unwrap();
        let mut format = self.java();
        format
            .args(["kafka.tools.StorageTool", "format", "-t", "aGVhZHdhdGVyLXRlc3RzIQ", "-c"])
            .arg(self.config_path());
        if self.secured {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                for (name, password) in [ALICE, MALLORY] {
                    format.args(["--add-scram", &format!("{mechanism}=[name={name},password={password}]")]);
                }
            }
        }
        process::run(format);
    }

    fn properties(&self) -> String {
        let Ports { plain, controller, proxied, proxy, tls, sasl, sasl_tls } = self.ports;
        let data = self.directory.path().join("data");
        let mut text = format!("{PROPERTIES}log.dirs={}\n", data.display());
        let mut listeners =
            vec![("PLAIN", "PLAINTEXT", plain, plain), ("PROXIED", "PLAINTEXT", proxied, proxy)];
        if self.secured {
            text += &secured_properties(&self.keystore());
            listeners.push(("TLS", "SSL", tls, tls));
            listeners.push(("SASL", "SASL_PLAINTEXT", sasl, sasl));
            listeners.push(("SASLTLS", "SASL_SSL", sasl_tls, sasl_tls));
        }
        let mut bound = format!("CONTROLLER://127.0.0.1:{controller}");
        let mut told = Vec::new();
        let mut protocols = "CONTROLLER:PLAINTEXT".to_owned();
        for (name, protocol, port, told_port) in listeners {
            write!(bound, ",{name}://127.0.0.1:{port}").unwrap();
            told.push(format!("{name}://127.0.0.1:{told_port}"));
            write!(protocols, ",{name}:{protocol}").unwrap();
        }
        writeln!(text, "controller.quorum.voters=1@127.0.0.1:{controller}").unwrap();
        writeln!(text, "listeners={bound}").unwrap();
        writeln!(text, "advertised.listeners={}", told.join(",")).unwrap();
        writeln!(text, "listener.security.protocol.map={protocols}").unwrap();
        text
    }

    /// The broker's key and certificate in one file, as Kafka wants them.
    fn keystore(&self) -> PathBuf {
        let identity = Authority::shared().server();
        let path = self.directory.path().join("keystore.pem");
        let text =
            fs::read_to_string(identity.key).unwrap() + &fs::read_to_string(identity.certificate).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

/// For many short runs on a small machine.
const FRUGAL_JVM: &[&str] = &["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// Index files are preallocated, and the first write to one may bring all of it into memory: hundreds of topics with the
/// default of 10 MiB would measure the disk's read-ahead.
const PROPERTIES: &str = "\
node.id=1
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAIN
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
message.max.bytes=4194304
log.cleaner.dedupe.buffer.size=16777216
log.index.size.max.bytes=262144
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=300
";

fn secured_properties(keystore: &std::path::Path) -> String {
    let [(alice, alice_password), (mallory, mallory_password)] = [ALICE, MALLORY];
    let plain = format!(
        "org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_{alice}=\"{alice_password}\" user_{mallory}=\"{mallory_password}\";"
    );
    let mut text = format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS;User:{alice}\n\
         ssl.keystore.type=PEM\nssl.keystore.location={}\nssl.truststore.type=PEM\nssl.truststore.location={}\n\
         ssl.client.auth=requested\n",
        keystore.display(),
        Authority::shared().certificate().display(),
    );
    for listener in ["sasl", "sasltls"] {
        let prefix = format!("listener.name.{listener}");
        writeln!(text, "{prefix}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512").unwrap();
        writeln!(text, "{prefix}.plain.sasl.jaas.config={plain}").unwrap();
        for mechanism in ["scram-sha-256", "scram-sha-512"] {
            let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
            writeln!(text, "{prefix}.{mechanism}.sasl.jaas.config={module}").unwrap();
        }
    }
    text
}

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
