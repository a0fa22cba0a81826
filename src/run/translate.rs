//! The pure middle of the house in one value: a message of the stream in, records out. No socket, no clock.

use crate::decode::{self, Message, Mode, OldTuple, Relation, RelationBody, RelationCache, Tuple};
use crate::encode::{
    self, CollectionCount, JsonEncoder, MESSAGE_COLLECTION, MessageEvent, MessageScope, Records,
    TransactionRecord,
};
use crate::error::{Error, Kind, Result};
use crate::event::{
    self, Assembler, Change, OldRows, Op, Resume, Router, Selection, Table, TableSlot, TopicId,
};
use crate::lsn::{Lsn, Oid, UnixMicros};
use crate::observe::{Metrics, TableCounters};
use crate::run::describe::Describe;
use crate::run::streamed::{Order, StreamCommit};
use crate::run::{prepare, replaced};

/// Decoder, assembler and encoder with what they know of the relations of this session.
pub(crate) struct Translator {
    relations: RelationCache,
    /// When the definition of each relation that is in force for the stream was received.
    defined: Vec<Order>,
    /// What a transaction that was received before has put in the place of a newer definition, for its own rows.
    displaced: Vec<(u32, Relation)>,
    tables: Vec<Option<Captured>>,
    selection: Selection,
    router: Router,
    assembler: Assembler,
    encoder: JsonEncoder,
    settings: Settings,
    metrics: Metrics,
    replayed: u64,
    filtered: Filtered,
    messages: u64,
}

/// Events that were left out because the configuration says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filtered {
    pub operation: u64,
    pub table: u64,
    /// By the prefix of a message.
    pub prefix: u64,
    /// Updates of nothing that is written.
    pub unchanged: u64,
}

/// A table that is captured, and its counters.
struct Captured {
    table: Table,
    counters: TableCounters,
}

/// What a [`Translator`] is made of.
pub(crate) struct Parts {
    pub selection: Selection,
    pub router: Router,
    pub encoder: JsonEncoder,
    pub settings: Settings,
    /// Operations that give no events.
    pub skip: Vec<Op>,
    pub metrics: Metrics,
}

/// What the configuration says about events.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where BEGIN and END records go; none when they are off.
    pub transaction_topic: Option<TopicId>,
    /// Where logical decoding messages go; none when the operation is left out. Known to the router from the first one on,
    /// so that no topic is created that stays empty.
    pub message_topic: Option<String>,
    pub tombstones: bool,
    /// Updates that change nothing give no events.
    pub skip_unchanged: bool,
}

/// Where a message stands, and when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    /// Start of its XLogData.
    pub lsn: Lsn,
    pub now: Now,
    pub order: Order,
}

/// What a message meant for the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing that concerns the position.
    Inside,
    /// A transaction ended here.
    /// `published`: it had changes that are not durable yet.
    Committed { end_lsn: Lsn, commit_time: UnixMicros, published: bool },
    /// A message outside of transactions, which is as good as one.
    Message { end_lsn: Lsn },
}

/// A message of `pg_logical_emit_message`.
#[derive(Clone, Copy)]
struct Logical<'a> {
    lsn: Lsn,
    prefix: &'a str,
    content: &'a [u8],
}

impl Translator {
    /// Nothing was read yet; publishing goes on at `resume`.
    pub(crate) fn new(parts: Parts, resume: Resume) -> Self {
        let Parts { selection, router, encoder, settings, skip, metrics } = parts;
        let old_rows = if encoder.is_quirky() { OldRows::Sent } else { OldRows::Whole };
        Self {
            relations: RelationCache::default(),
            defined: Vec::new(),
            displaced: Vec::new(),
            tables: Vec::new(),
            selection,
            router,
            assembler: Assembler::new(resume, skip).showing(old_rows),
            encoder,
            settings,
            metrics,
            replayed: 0,
            filtered: Filtered::default(),
            messages: 0,
        }
    }

    /// The transaction that is open, if any, and how far it has come.
    pub(crate) fn assembler(&self) -> &Assembler {
        &self.assembler
    }

    /// The names of the topics.
    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// Publishes what was counted per table; whether there was anything.
    pub(crate) fn flush_counters(&mut self) -> bool {
        let mut any = false;
        for captured in self.tables.iter_mut().flatten() {
            any |= captured.counters.flush();
        }
        any
    }

    /// Events left out because they were durable before the restart, since the last call.
    pub(crate) fn take_replayed(&mut self) -> u64 {
        std::mem::take(&mut self.replayed)
    }

    /// Events left out by the configuration, since the last call.
    pub(crate) fn take_filtered(&mut self) -> Filtered {
        std::mem::take(&mut self.filtered)
    }

    /// Logical decoding messages that were written, since the last call.
    pub(crate) fn take_messages(&mut self) -> u64 {
        std::mem::take(&mut self.messages)
    }

    /// A transaction that was received while it was in progress is committed; its messages follow.
    pub(crate) fn begin(&mut self, commit: &StreamCommit) {
        self.assembler.begin(commit.commit_lsn, commit.commit_time, commit.xid);
    }

    /// All messages of that transaction were translated.
    pub(crate) fn commit(
        &mut self,
        commit: &StreamCommit,
        describe: &mut dyn Describe,
        out: &mut Records,
    ) -> Result<Step> {
        let &StreamCommit { end_lsn, commit_time, .. } = commit;
        let published = self.end(end_lsn, out)?;
        for (slot, relation) in std::mem::take(&mut self.displaced) {
            self.relations.restore(slot, relation);
            self.capture(slot, describe)?;
        }
        Ok(Step::Committed { end_lsn, commit_time, published })
    }

    /// Appends a heartbeat to `out`.
    pub(crate) fn heartbeat(&mut self, topic: TopicId, now: Now, out: &mut Records) {
        self.encoder.heartbeat(topic, now.millis(), out);
    }

    /// Translates one message; its records are appended to `out`.
    pub(crate) fn message(
        &mut self,
        At { lsn, now, order }: At,
        body: &[u8],
        describe: &mut dyn Describe,
        out: &mut Records,
    ) -> Result<Step> {
        let mode = Mode { in_stream: order.is_in_stream(), parallel_abort: false };
        match decode::parse(body, mode)? {
            Message::Insert { relation, new, .. } => {
                self.change(relation, Change::Insert(new), (lsn, now), out)?;
            }
            Message::Update { relation, old, new, .. } => {
                self.change(relation, Change::Update { old, new }, (lsn, now), out)?;
            }
            Message::Delete { relation, old, .. } => {
                self.change(relation, Change::Delete(old), (lsn, now), out)?;
            }
            Message::Begin { final_lsn, commit_time, xid } => {
                self.assembler.begin(final_lsn, commit_time, xid);
            }
            Message::Commit { end_lsn, commit_time, .. } => {
                let published = self.end(end_lsn, out)?;
                return Ok(Step::Committed { end_lsn, commit_time, published });
            }
            Message::Truncate { relations, .. } => {
                for relation in relations.iter() {
                    self.change(relation, Change::Truncate, (lsn, now), out)?;
                }
            }
            Message::Relation { relation, .. } => self.relation(&relation, order, describe)?,
            Message::Origin { lsn, name } => self.assembler.origin(name, lsn),
            Message::Type { body, .. } => self.relations.replace_type(&body),
            Message::Logical { transactional: true, lsn, prefix, content, .. } => {
                self.message_inside(Logical { lsn, prefix, content }, now, out)?;
            }
            Message::Logical { transactional: false, lsn, prefix, content, .. } => {
                return self.message_outside(Logical { lsn, prefix, content }, now, out);
            }
            // The daemon does not ask for two-phase commit, and what belongs to a transaction in progress does not come
            // here before its commit (`run::streamed`).
            other @ (Message::StreamStart { .. }
            | Message::StreamStop
            | Message::StreamCommit { .. }
            | Message::StreamAbort { .. }
            | Message::BeginPrepare { .. }
            | Message::Prepare { .. }
            | Message::CommitPrepared { .. }
            | Message::RollbackPrepared { .. }
            | Message::StreamPrepare { .. }) => return Err(unasked(&other)),
        }
        Ok(Step::Inside)
    }

    /// A relation is defined as `body` says from here on. That of a transaction in progress came with its rows, perhaps
    /// before one that is in force for the stream by now: it holds for the rest of this transaction alone. The server goes
    /// by what it sent last, so the order of receipt decides, not that of commits.
    fn relation(&mut self, body: &RelationBody<'_>, order: Order, describe: &mut dyn Describe) -> Result<()> {
        let known = self.relations.get(body.oid);
        let newer = known.and_then(|slot| Some((slot, *self.defined.get(slot as usize)?)));
        if let Some((slot, _)) = newer.filter(|(_, defined)| order < *defined) {
            let is_saved = self.displaced.iter().any(|(displaced, _)| *displaced == slot);
            let relation = self.relations.relation(slot).filter(|_| !is_saved);
            self.displaced.extend(relation.cloned().map(|relation| (slot, relation)));
        } else if let Some(slot) = known {
            self.displaced.retain(|(displaced, _)| *displaced != slot);
        }
        let (slot, _) = self.relations.replace(body);
        let index = slot as usize;
        if index >= self.defined.len() {
            self.defined.resize(index + 1, order);
        }
        if let Some(defined) = self.defined.get_mut(index) {
            *defined = order.max(*defined);
        }
        self.capture(slot, describe)
    }

    /// Prepares the relation in a slot for its rows, if it is captured.
    fn capture(&mut self, number: u32, describe: &mut dyn Describe) -> Result<()> {
        let slot = TableSlot(number);
        let Some(relation) = self.relations.relation(number) else { return Ok(()) };
        let chosen = self.selection.table(&relation.schema, &relation.name);
        let captured = if chosen {
            let names = relation.columns.iter().map(|column| column.name.as_str());
            let selected = self.selection.columns(&relation.schema, &relation.name, names);
            let topic = self.router.table(&relation.schema, &relation.name);
            let details = describe.table(relation)?;
            let find = |oid| describe.type_details(oid);
            let mut table = event::resolve(relation, (slot, topic), details.as_ref(), find, &selected);
            let left_out =
                prepare::table(&mut table, &self.selection, &mut self.encoder, self.router.name(topic));
            let counters = self.metrics.table(&table.schema, &table.name);
            counters.left_out_columns(left_out);
            Some(Captured { table, counters })
        } else {
            None
        };
        let index = number as usize;
        if index >= self.tables.len() {
            self.tables.resize_with(index + 1, || None);
        }
        if let Some(place) = self.tables.get_mut(index) {
            *place = captured;
        }
        Ok(())
    }

    fn change(
        &mut self,
        oid: Oid,
        mut change: Change<'_>,
        (lsn, now): (Lsn, Now),
        out: &mut Records,
    ) -> Result<()> {
        if self.assembler.is_skipped() {
            self.replayed += 1;
            return Ok(());
        }
        let slot = self.relations.get(oid).ok_or_else(|| unknown_relation(oid))?;
        let Self { tables, assembler, encoder, settings, .. } = self;
        let captured = tables.get_mut(slot as usize).and_then(Option::as_mut);
        // A row without columns is none to Debezium.
        let is_row = !matches!(change, Change::Truncate);
        let is_nothing =
            |captured: &&mut Captured| is_row && encoder.is_quirky() && captured.table.columns.is_empty();
        let captured = captured.filter(|captured| !is_nothing(captured));
        if settings.skip_unchanged && assembler.takes(Op::Update) {
            if let (Some(Captured { table, .. }), Change::Update { old: Some(OldTuple::Full(old)), new }) =
                (&captured, change)
            {
                if encoder.is_unchanged(table.slot, old, new) {
                    if !assembler.has_begun() {
                        begin_encoded(assembler, encoder, settings, lsn, out)?;
                    }
                    assembler.leave_out_update();
                    self.filtered.unchanged += 1;
                    return Ok(());
                }
            }
        }
        if let (Some(Captured { table, .. }), Change::Update { old: Some(old), new }) = (&captured, change) {
            if encoder.is_quirky() {
                change = as_debezium(table, encoder, old, new);
            }
        }
        let taken = assembler.takes(change.op());
        let (events, mut counters) = match captured {
            Some(Captured { table, counters }) => {
                (Some(assembler.change(table, change, lsn)), Some(counters))
            }
            None => (None, None),
        };
        let events = events.map(|events| [Some(events.first), events.second]);
        // A change that is left out as what it was in the statement does not even begin a transaction; one of another table does,
        // and so does an update of a key whose two events are left out by themselves.
        if let Some(events) = events.as_ref().filter(|_| !taken) {
            self.filtered.operation += events.iter().flatten().count() as u64;
            // Debezium's publication has truncates unless it is told which operations to skip.
            let sent = matches!(change, Change::Truncate) && assembler.leaves_out_truncates_alone();
            if sent && encoder.is_quirky() && !assembler.has_begun() {
                begin_encoded(assembler, encoder, settings, lsn, out)?;
            }
            return Ok(());
        }
        if !assembler.has_begun() {
            begin_encoded(assembler, encoder, settings, lsn, out)?;
        }
        let (Some(events), Some(counters)) = (events, counters.as_mut()) else {
            self.filtered.table += 1;
            return Ok(());
        };
        for mut event in events.into_iter().flatten() {
            if !assembler.takes(event.op) {
                self.filtered.operation += 1;
            } else if assembler.is_durable(event.ordinal) {
                self.replayed += 1;
            } else {
                event.tombstone &= settings.tombstones;
                let before = out.byte_len();
                let written = encoder.change(&event, now.nanos(), out)?;
                if written.records == 0 {
                    self.filtered.operation += 1;
                    continue;
                }
                counters.inc(event.op, (out.byte_len() - before) as u64);
                replaced::tell(written, &event, encoder, counters);
            }
        }
        Ok(())
    }

    /// A message of the open transaction: an event like any other.
    fn message_inside(&mut self, message: Logical<'_>, now: Now, out: &mut Records) -> Result<()> {
        let Self { assembler, encoder, settings, selection, router, .. } = self;
        if !assembler.is_open() {
            return Err(misplaced("a message of a transaction came outside of transactions"));
        }
        if assembler.is_skipped() {
            self.replayed += 1;
            return Ok(());
        }
        let chosen = selection.message(message.prefix);
        let place = assembler.message(chosen && settings.message_topic.is_some());
        let Some(topic) = &settings.message_topic else {
            self.filtered.operation += 1;
            return Ok(());
        };
        if !assembler.has_begun() {
            begin_encoded(assembler, encoder, settings, message.lsn, out)?;
        }
        if !chosen {
            self.filtered.prefix += 1;
        } else if assembler.is_durable(place.ordinal) {
            self.replayed += 1;
        } else {
            let data_collection = if encoder.is_quirky() { 1 } else { place.data_collection_order };
            let order = encode::Order { total: place.total_order, data_collection };
            let scope = MessageScope::Transactional { ordinal: place.ordinal, order };
            encoder.message(&message.event(router.named(topic), scope), now.nanos(), out)?;
            self.messages += 1;
        }
        Ok(())
    }

    /// A message that was sent as soon as it was in the log, whatever became of the transaction around it. It never comes
    /// between a Begin and its Commit.
    fn message_outside(&mut self, message: Logical<'_>, now: Now, out: &mut Records) -> Result<Step> {
        let Self { assembler, encoder, settings, selection, router, .. } = self;
        if assembler.is_open() {
            return Err(misplaced("a message outside of transactions came inside one"));
        }
        let end_lsn = message.lsn;
        if !assembler.lone_message(end_lsn) {
            self.replayed += 1;
        } else if let Some(topic) = &settings.message_topic {
            if selection.message(message.prefix) {
                let last = assembler.context().commit_time;
                let time = if last == UnixMicros(0) { now.micros() } else { last };
                let event = message.event(router.named(topic), MessageScope::Lone { time });
                encoder.message(&event, now.nanos(), out)?;
                self.messages += 1;
            } else {
                self.filtered.prefix += 1;
            }
        } else {
            self.filtered.operation += 1;
        }
        Ok(Step::Message { end_lsn })
    }

    /// Whether the transaction had anything that was not durable already.
    fn end(&mut self, end_lsn: Lsn, out: &mut Records) -> Result<bool> {
        let Self { tables, assembler, encoder, settings, .. } = self;
        let due = assembler.has_begun() && !assembler.is_skipped();
        if let Some(topic) = settings.transaction_topic.filter(|_| due) {
            let counts = assembler.table_counts().filter_map(|(slot, events)| {
                let Captured { table, .. } = tables.get(slot.0 as usize)?.as_ref()?;
                Some(CollectionCount { schema: &table.schema, table: &table.name, events })
            });
            // To Debezium each message is a collection of its own.
            let messages = assembler.message_count();
            let (collections, events) = if encoder.is_quirky() { (messages, 1) } else { (1, messages) };
            let messages = CollectionCount { schema: "", table: MESSAGE_COLLECTION, events };
            let counts = counts.chain((0..collections).filter(|_| events > 0).map(|_| messages));
            let record = TransactionRecord { topic, lsn: end_lsn, ordinal: assembler.next_ordinal() };
            encoder.end_record(record, assembler.event_count(), counts, out)?;
        }
        assembler.commit(end_lsn);
        Ok(due)
    }
}

/// An update as Debezium sees it, which compares the keys that it writes: other values may be the same in a key, and fillers stand
/// for what the old row does not hold.
fn as_debezium<'a>(
    table: &Table,
    encoder: &mut JsonEncoder,
    old: OldTuple<'a>,
    new: Tuple<'a>,
) -> Change<'a> {
    let other = match old {
        OldTuple::Key(_) => true,
        OldTuple::Full(_) => event::key_changed(table, old.row(), new),
    };
    match old.row() {
        row if other && encoder.moves_key(table.slot, row, new) => Change::Move { old, new },
        _ => Change::Stay { old, new },
    }
}

/// What the events of the transaction share, and its BEGIN record, before the first of them.
fn begin_encoded(
    assembler: &mut Assembler,
    encoder: &mut JsonEncoder,
    settings: &Settings,
    lsn: Lsn,
    out: &mut Records,
) -> Result<()> {
    let begin = assembler.begin_record_due();
    encoder.begin_transaction(assembler.context());
    if let Some(topic) = settings.transaction_topic.filter(|_| begin) {
        encoder.begin_record(TransactionRecord { topic, lsn, ordinal: 0 }, out)?;
    }
    Ok(())
}

impl<'a> Logical<'a> {
    fn event(self, topic: TopicId, scope: MessageScope) -> MessageEvent<'a> {
        let Self { lsn, prefix, content } = self;
        MessageEvent { topic, prefix, content, lsn, scope }
    }
}

/// The wall clock, read once per batch of messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now(pub std::time::Duration);

impl Now {
    /// Milliseconds since 1970.
    pub(crate) fn millis(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// As the protocol's messages want it.
    pub(crate) fn micros(self) -> UnixMicros {
        UnixMicros(i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds since 1970.
    pub(crate) fn nanos(self) -> i64 {
        i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

fn unknown_relation(oid: Oid) -> Error {
    Error::new(Kind::Decode, format!("a change of relation {oid} came before its Relation message"))
}

fn misplaced(what: &'static str) -> Error {
    Error::new(Kind::Decode, what)
}

fn unasked(message: &Message<'_>) -> Error {
    let shown = format!("{message:?}");
    let name = shown.split([' ', '{', '(']).next().unwrap_or_default();
    Error::new(Kind::Decode, format!("the server sent a {name} message that was not asked for"))
}

#[cfg(test)]
pub(super) mod tests;
