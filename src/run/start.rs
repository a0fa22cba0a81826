//! From nothing to a running stream, in the order that keeps the promises: publication before slot, the slot's holder
//! asked for before another producer is fenced, the producer fenced before the checkpoint is read, the checkpoint held
//! against the slot before a byte is streamed. What that order leaves free is done at once: the brokers are connected to
//! while the catalog is read ([`Brokers`]), and nothing is asked once per table.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::checkpoint::{self, Partial, Position};
use crate::config::{Config, Sink as SinkConfig, SnapshotMode, TransactionMetadata};
use crate::encode::{EncodeSettings, JsonEncoder, SnapshotStatus};
use crate::error::{Error, Kind, Result};
use crate::event::{Op, Resume, Router, Selection, TopicId};
use crate::lsn::Lsn;
use crate::modes::TextEncoding;
use crate::observe::Metrics;
use crate::observe::status::Server;
use crate::run::brokers::{self, Brokers};
use crate::run::budget::Budget;
use crate::run::control::Control;
use crate::run::feedback::{Feedback, Times};
use crate::run::group::Group;
use crate::run::heartbeat::Heartbeat;
use crate::run::lookup::Lookup;
use crate::run::notify::Notifier;
use crate::run::publish::{self, Publisher};
use crate::run::reconcile::{Facts, Plan, SnapshotSlot, reconcile};
use crate::run::session::{Ended, Parts};
use crate::run::snapshot::{self, Job, Taken};
use crate::run::steps::Steps;
use crate::run::streamed::{Broken, Streamed};
use crate::run::supervise::Shared;
use crate::run::telemetry::Telemetry;
use crate::run::timeline;
use crate::run::translate::{self, Translator};
use crate::sink::{LinesSink, Sink, transaction_timeout};
use crate::source::Sql;
use crate::source::catalog::CapturedTable;
use crate::source::publication::Prepared;
use crate::source::slot::SlotState;
use crate::source::{
    Connection, Identity, NewSlot, ReplicationStream, ServerVersion, SlotSnapshot, StreamOptions, identity,
    publication, slot,
};
use crate::spool::{self, Spool};

/// Opens both sides. Blocks the data thread; a stop during it loses nothing, since nothing was read yet.
pub(crate) fn open(shared: &Shared, control: &Arc<Control>, runtime: &Handle) -> Result<Opened> {
    let config = &*shared.config;
    let mut steps = Steps::begin();
    let sql = Arc::new(runtime.block_on(Sql::connect(&config.name, &config.source))?);
    // Who waits for the slot of another for hours leaves the brokers alone.
    not_busy(config, runtime.block_on(slot::inspect(&sql, &config.source.slot))?.as_ref())?;
    steps.done("log_in");
    let budget = Budget::new(&config.limits);
    shared.metrics.pipeline().queue_capacity(budget.queue, 0);
    let destination = Destination::connect(shared, &budget, control)?;
    let captured = runtime.block_on(publish_tables(&sql, config))?;
    let state = runtime.block_on(slot::inspect(&sql, &config.source.slot))?;
    not_busy(config, state.as_ref())?;
    steps.done("publication");
    let mut routes = Routes::new(config, &captured);
    destination.take_over(&routes.router);
    let oids = captured.iter().map(|table| table.oid).collect();
    let lookup = Lookup::prefetch(Arc::clone(&sql), runtime.clone(), oids, config.events.modes.quirky());
    let mut connection = Connection::open(&config.name, &config.source, config.limits.max_message)?;
    let identity = connection.identify_system()?;
    let encoder = encode_settings(config, identity.system_id, text_encoding(config, &connection));
    steps.done("replication_log_in");
    let (sink, checkpoint) = destination.opened(config, control, &routes.router, &mut steps)?;
    let capacity = sink.capacity();
    shared.metrics.pipeline().queue_capacity(capacity.bytes, capacity.records);
    let mode = match config.snapshot.mode {
        SnapshotMode::Always if shared.snapshots.is_taken() => SnapshotMode::WhenNeeded,
        mode => mode,
    };
    let plan = plan((config, mode), (&mut connection, &identity), checkpoint.as_ref(), state.as_ref())?;
    let notifier = Notifier::new(routes.notification, &encoder);
    let ready = Ready {
        shared,
        control,
        runtime,
        sql: &sql,
        captured: &captured,
        router: &mut routes.router,
        budget: &budget,
        identity: &identity,
        encoder: &encoder,
        notifier,
        checkpoint: checkpoint.as_ref(),
        slot: state.as_ref(),
    };
    let (connection, publisher, lsn, resume) = match ready.first(plan, connection, sink)? {
        First::Stream { connection, publisher, lsn, resume } => (connection, *publisher, lsn, resume),
        First::Ended(ended) => return Ok(Opened::Ended(ended)),
    };
    let position = start_position(config, &identity, lsn, &resume);
    let version = connection.version();
    let spool = open_spool(shared, &budget, version);
    let streaming = spool.is_some();
    let stream = start_stream(config, connection, lsn, streaming)?;
    steps.done("stream");
    shared.metrics.start().record(steps.total(), steps.iter());
    tracing::info!(
        slot = config.source.slot,
        publication = config.source.publication,
        start_lsn = %lsn,
        tables = captured.len(),
        server_version = %version,
        in_progress = streaming,
        start_ms = steps.total().as_millis(),
        steps_ms = %steps,
        "streaming"
    );
    shared.status.connected(Server {
        system_id: identity.system_id.to_string(),
        timeline: identity.timeline,
        version: version.to_string(),
    });
    let times = Times {
        interval: config.source.status_interval,
        // As the server does with us.
        silence: config.source.wal_sender_timeout / 2,
    };
    let heartbeat = routes.heartbeat.map(|(topic, interval)| Heartbeat::new(topic, interval, Instant::now()));
    Ok(Opened::Streaming(Box::new(Parts {
        stream,
        streamed: Streamed::new(spool, version),
        fallback: Arc::clone(&shared.fallback),
        translator: Translator::new(translation(config, &shared.metrics, routes, encoder)?, resume),
        describe: Box::new(lookup),
        publisher,
        feedback: Feedback::new(times, lsn),
        telemetry: Telemetry::new(&shared.metrics, &position),
        heartbeat,
        control: Arc::clone(control),
        position,
        drain_timeout: config.limits.drain_timeout,
        sql,
    })))
}

/// The checkpoint held against the slot. `mode` is `snapshot.mode`, or what is left of it.
pub(super) fn plan(
    (config, mode): (&Config, SnapshotMode),
    (connection, identity): (&mut Connection, &Identity),
    checkpoint: Option<&Position>,
    slot: Option<&SlotState>,
) -> Result<Plan> {
    reconcile(&Facts {
        slot_name: &config.source.slot,
        database: &config.source.database,
        system_id: identity.system_id,
        timeline: identity.timeline,
        switch_lsn: switch_lsn(connection, identity, checkpoint)?,
        checkpoint,
        slot,
        on_gap: config.source.on_gap,
        snapshot: mode,
    })
}

/// What is known when both sides are open.
struct Ready<'a> {
    shared: &'a Shared,
    control: &'a Control,
    runtime: &'a Handle,
    sql: &'a Arc<Sql>,
    captured: &'a [CapturedTable],
    router: &'a mut Router,
    budget: &'a Budget,
    identity: &'a Identity,
    encoder: &'a EncodeSettings,
    notifier: Notifier,
    checkpoint: Option<&'a Position>,
    slot: Option<&'a SlotState>,
}

/// What became of the plan.
enum First {
    Stream {
        connection: Connection,
        publisher: Box<Publisher>,
        lsn: Lsn,
        resume: Resume,
    },
    /// There is nothing to stream.
    Ended(Ended),
}

impl Ready<'_> {
    /// Does what the plan says comes before the stream.
    fn first(self, plan: Plan, mut connection: Connection, sink: Box<dyn Sink>) -> Result<First> {
        let Self {
            shared,
            control,
            runtime,
            sql,
            captured,
            router,
            budget,
            identity,
            checkpoint,
            slot,
            notifier,
            ..
        } = self;
        let config = &*shared.config;
        let plan = match plan {
            Plan::Nothing(reason) => {
                tracing::info!(reason, "nothing to do");
                if let Some(position) = checkpoint.filter(|_| notifier.is_on()) {
                    let publisher = publisher(config, budget, sink, position.clone(), false);
                    snapshot::skipped((shared, control), &notifier, publisher, position)?;
                }
                return Ok(First::Ended(Ended::Finished));
            }
            Plan::Snapshot(plan) => {
                let kept = match plan.slot {
                    SnapshotSlot::Kept { lsn, resume } => Some((lsn, resume)),
                    _ => None,
                };
                let (lsn, resume) = kept.unwrap_or((Lsn::INVALID, Resume::default()));
                let position = start_position(config, identity, lsn, &resume);
                let publisher = publisher(config, budget, sink, position.clone(), false);
                let encoder = self.encoder.clone();
                let job =
                    Job { shared, control, runtime, sql, captured, router, encoder, notifier, position };
                let (publisher, lsn) = match snapshot::take(job, &plan, connection, publisher)? {
                    Taken::Through { publisher, lsn } => (publisher, lsn),
                    Taken::Ended(ended) => return Ok(First::Ended(ended)),
                };
                let connection = Connection::open(&config.name, &config.source, config.limits.max_message)?;
                let resume = match kept {
                    Some((_, resume)) => resume,
                    None => Resume { end_lsn: lsn, ..Resume::default() },
                };
                return Ok(First::Stream { connection, publisher, lsn, resume });
            }
            plan => plan,
        };
        let known = checkpoint.filter(|position| position.snapshot.is_none());
        if let (None, Some(slot)) = (known, slot) {
            let at = slot.confirmed_flush_lsn.unwrap_or(Lsn::INVALID);
            tracing::info!(slot = config.source.slot, %at, "no checkpoint yet: starting where the slot is");
        }
        let (lsn, resume) = carry_out(plan, shared, sql, &mut connection, runtime)?;
        let position = start_position(config, identity, lsn, &resume);
        // Also when a gap was accepted: the next start must not meet the same gap again.
        let store_first = checkpoint != Some(&position);
        let mut publisher = Box::new(publisher(config, budget, sink, position, store_first));
        notifier.tell(SnapshotStatus::Skipped, &mut publisher);
        Ok(First::Stream { connection, publisher, lsn, resume })
    }
}

/// A session that is ready, or why there is none.
pub(crate) enum Opened {
    Streaming(Box<Parts>),
    Ended(Ended),
}

fn publisher(
    config: &Config,
    budget: &Budget,
    sink: Box<dyn Sink>,
    position: Position,
    store_first: bool,
) -> Publisher {
    let settings = publish::Settings {
        name: config.name.clone(),
        buffer_bytes: budget.records,
        checkpoint_interval: config.checkpoint.interval,
    };
    let longest = LONGEST_BATCH.min(transaction_timeout(config) / 4);
    let group = Group::new(config.kafka.commit_interval, config.kafka.commit_max_bytes, longest);
    Publisher::new(settings, sink, group, position, store_first)
}

/// Whoever holds the slot is at work: it must not be fenced by a producer that cannot have the slot anyway.
fn not_busy(config: &Config, state: Option<&SlotState>) -> Result<()> {
    match state.map(|slot| slot.usable(&config.source.slot, &config.source.database)) {
        Some(Err(busy)) if busy.kind() == Kind::SlotBusy => Err(busy),
        // Other obstacles are weighed against the checkpoint.
        _ => Ok(()),
    }
}

/// The topics known before the first change.
pub(super) struct Routes {
    router: Router,
    transaction_topic: Option<TopicId>,
    heartbeat: Option<(TopicId, Duration)>,
    notification: Option<TopicId>,
}

impl Routes {
    pub(super) fn new(config: &Config, captured: &[CapturedTable]) -> Self {
        let mut router = Router::new(&config.name, &config.topics.pattern);
        let full = config.events.transaction_metadata == TransactionMetadata::Full;
        let transaction_topic = full.then(|| router.named(&config.topics.transaction));
        let interval = config.events.heartbeat_interval;
        let heartbeat = interval.map(|interval| (router.named(&config.topics.heartbeat), interval));
        let notification = config.topics.notification.as_ref().map(|topic| router.named(topic));
        for table in captured {
            router.table(&table.schema, &table.name);
        }
        Self { router, transaction_topic, heartbeat, notification }
    }
}

fn switch_lsn(
    connection: &mut Connection,
    identity: &Identity,
    checkpoint: Option<&Position>,
) -> Result<Option<Lsn>> {
    match checkpoint {
        Some(position)
            if position.system_id == identity.system_id && position.timeline < identity.timeline =>
        {
            timeline::switch_lsn(connection, position.timeline, identity.timeline)
        }
        _ => Ok(None),
    }
}

fn start_position(config: &Config, identity: &Identity, lsn: Lsn, resume: &Resume) -> Position {
    Position {
        system_id: identity.system_id,
        timeline: identity.timeline,
        slot: config.source.slot.as_str().into(),
        end_lsn: lsn,
        last_commit_end_lsn: resume.last_commit_end_lsn,
        partial: resume.partial.map(|(commit_lsn, ordinal)| Partial { commit_lsn, ordinal }),
        snapshot: None,
    }
}

/// Where rows of transactions in progress go, when the server can send them and there is a place.
fn open_spool(shared: &Shared, budget: &Budget, version: ServerVersion) -> Option<Spool> {
    let Config { name, limits, .. } = &*shared.config;
    let directory = limits.spool_dir.clone().filter(|_| version.at_least(14))?;
    if shared.fallback.lasts(Instant::now()) {
        return None;
    }
    let settings =
        spool::Settings { directory, name: name.clone(), limit: limits.spool, buffer: budget.spool };
    match Spool::open(&settings) {
        Ok(spool) => {
            shared.metrics.spool().opened(limits.spool);
            Some(spool)
        }
        Err(why) => {
            tracing::warn!(%why, "limits.spool_dir cannot be used: transactions in progress are sent at their commit");
            shared.metrics.spool().fell_back(Broken::Spool(why).reason());
            shared.fallback.begin(Instant::now());
            None
        }
    }
}

pub(super) fn start_stream(
    config: &Config,
    connection: Connection,
    start: Lsn,
    streaming: bool,
) -> Result<ReplicationStream> {
    let protocol = match connection.version() {
        version if version.at_least(16) => 4,
        version if version.at_least(14) => 2,
        _ => 1,
    };
    connection.start(&StreamOptions {
        slot: &config.source.slot,
        publication: &config.source.publication,
        start,
        protocol,
        streaming,
        // Always, so that the ordinals of a transaction do not depend on whether messages are written.
        messages: true,
    })
}

/// What PostgreSQL sends in UTF-8 unless it cannot.
pub(super) fn text_encoding(config: &Config, connection: &Connection) -> TextEncoding {
    if !connection.is_sql_ascii() {
        return TextEncoding::Utf8;
    }
    let encoding = config.source.sql_ascii;
    tracing::info!(
        sql_ascii = encoding.word(),
        "the database is in SQL_ASCII: what its texts are is declared"
    );
    encoding
}

pub(super) fn translation(
    config: &Config,
    metrics: &Metrics,
    routes: Routes,
    encoder: EncodeSettings,
) -> Result<translate::Parts> {
    Ok(translate::Parts {
        selection: selection(config)?,
        router: routes.router,
        encoder: JsonEncoder::new(encoder),
        settings: translate::Settings {
            transaction_topic: routes.transaction_topic,
            message_topic: message_topic(config),
            tombstones: config.events.tombstones,
            skip_unchanged: config.events.skip_unchanged,
        },
        skip: config.events.skipped_operations.iter().filter_map(|operation| op(*operation)).collect(),
        metrics: metrics.clone(),
    })
}

/// The captured tables, in a publication that has them.
async fn publish_tables(sql: &Sql, config: &Config) -> Result<Vec<CapturedTable>> {
    let Prepared { captured, statements } = publication::ensure(sql, &config.source).await?;
    for statement in statements {
        tracing::info!(statement, "prepared the publication");
    }
    for statement in identity::ensure(sql, &config.source, &captured).await? {
        tracing::info!(statement, "set a replica identity");
    }
    Ok(captured)
}

/// The other half of the start.
enum Destination {
    Kafka(Brokers),
    Lines,
}

impl Destination {
    /// Begins to connect, which changes nothing there.
    fn connect(shared: &Shared, budget: &Budget, control: &Control) -> Result<Self> {
        Ok(match shared.config.sink {
            SinkConfig::Kafka => Self::Kafka(Brokers::connect(&shared.config, budget.queue, control.bell())?),
            _ => Self::Lines,
        })
    }

    /// The slot is ours to take.
    fn take_over(&self, router: &Router) {
        if let Self::Kafka(brokers) = self {
            brokers.take_over(router.names_from(0).map(|(topic, name)| (topic, name.to_owned())).collect());
        }
    }

    /// The sink, and the checkpoint it keeps.
    fn opened(
        self,
        config: &Config,
        control: &Control,
        router: &Router,
        steps: &mut Steps,
    ) -> Result<(Box<dyn Sink>, Option<Position>)> {
        match self {
            Self::Kafka(brokers) => {
                let brokers::Opened { sink, checkpoint, steps: others } = brokers.opened()?;
                steps.join(&others);
                Ok((Box::new(sink), checkpoint))
            }
            Self::Lines => {
                let mut sink = LinesSink::open(config, control.bell())?;
                for (topic, name) in router.names_from(0) {
                    sink.register_topic(topic, name)?;
                }
                let checkpoint = checkpoint::file::read(config)?;
                steps.done("checkpoint");
                Ok((Box::new(sink), checkpoint))
            }
        }
    }
}

/// Where the stream starts, after the slot was created if that is the plan.
fn carry_out(
    plan: Plan,
    shared: &Shared,
    sql: &Sql,
    connection: &mut Connection,
    runtime: &Handle,
) -> Result<(Lsn, Resume)> {
    let name = &shared.config.source.slot;
    let accept = |gap: Option<String>| {
        if let Some(gap) = gap {
            shared.metrics.pipeline().gaps.inc();
            tracing::error!(gap, "changes are missing; going on because source.on_gap is \"continue\"");
        }
    };
    match plan {
        Plan::Start { lsn, resume, gap } => {
            accept(gap);
            Ok((lsn, resume))
        }
        Plan::Create { drop, gap } => {
            accept(gap);
            if drop {
                runtime.block_on(slot::drop(sql, name))?;
                tracing::warn!(slot = name, "dropped the invalidated slot");
            }
            tracing::info!(slot = name, "creating the slot; it waits for transactions that are in progress");
            let wanted = NewSlot { name, snapshot: SlotSnapshot::Nothing, two_phase: false, failover: false };
            let lsn = connection.create_slot(&wanted, SLOT_PATIENCE)?.consistent_point;
            Ok((lsn, Resume { end_lsn: lsn, ..Resume::default() }))
        }
        Plan::Snapshot(_) | Plan::Nothing(_) => {
            Err(Error::new(Kind::Internal, "a plan that is carried out elsewhere"))
        }
    }
}

/// What is captured, and how.
pub(super) fn selection(config: &Config) -> Result<Selection> {
    let events = &config.events;
    Selection::new(&config.source)?
        .as_debezium(config.events.modes.quirky())
        .with_source_types(&events.column_propagate_source_type, &events.datatype_propagate_source_type)
}

pub(super) fn encode_settings(config: &Config, system_id: u64, texts: TextEncoding) -> EncodeSettings {
    EncodeSettings {
        name: config.name.clone(),
        database: config.source.database.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system_id,
        transaction_block: config.events.transaction_metadata != TransactionMetadata::Off,
        context_headers: config.events.context_headers,
        placeholder: config.events.unavailable_value_placeholder.clone(),
        texts,
        modes: config.events.modes,
        flat: config.events.flat.clone(),
    }
}

/// None when `events.skipped_operations` has messages.
fn message_topic(config: &Config) -> Option<String> {
    let left_out = config.events.skipped_operations.contains(&crate::config::Operation::Message);
    (!left_out).then(|| config.topics.message.clone())
}

fn op(operation: crate::config::Operation) -> Option<Op> {
    use crate::config::Operation;
    match operation {
        Operation::Create => Some(Op::Create),
        Operation::Update => Some(Op::Update),
        Operation::Delete => Some(Op::Delete),
        Operation::Truncate => Some(Op::Truncate),
        Operation::Message => None,
    }
}

/// Creating a slot waits for every transaction in progress; a reporting query of an hour is no reason to give up.
pub(super) const SLOT_PATIENCE: Duration = Duration::from_secs(4 * 3600);
/// A batch is cut long before the broker's `transaction.timeout.ms` (60 s unless it is set) would end it.
pub(super) const LONGEST_BATCH: Duration = Duration::from_secs(15);
