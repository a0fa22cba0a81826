//! Transactions: which one is open, what it counts, and which of its events are durable already. It gives every record
//! its ordinal, from which the stable id is made.
//!
//! The ordinal of a record depends only on the transaction's content, never on what is configured to be written: BEGIN
//! is 0 whether or not it is written, a delete takes two numbers whether or not tombstones are. So an id stays the same
//! after any replay, and a skip decided by (commit LSN, ordinal) never drops a record that was not published.

use std::sync::Arc;

use crate::decode::{OldTuple, ReplicaIdentity, Tuple, Value};
use crate::event::{Event, KeyOf, Op, OtherKey, Row, Table, TableSlot, TransactionContext};
use crate::lsn::{Lsn, UnixMicros, Xid};

/// Where publishing goes on after a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Transactions whose commit record lies before this position are durable in whole.
    pub end_lsn: Lsn,
    /// The transaction that commits at this position is durable below this ordinal.
    pub partial: Option<(Lsn, u64)>,
    /// End of the commit record of the last transaction published before.
    pub last_commit_end_lsn: Option<Lsn>,
}

/// The one open transaction and what came before it.
#[derive(Debug)]
pub struct Assembler {
    resume: Resume,
    /// Operations that are not written, and so have no place in the order of events.
    left_out: Vec<Op>,
    context: TransactionContext,
    /// The name that came last: a node has few peers, and one name is in every transaction of a burst.
    origin: Option<Arc<str>>,
    open: bool,
    /// The transaction is durable in whole.
    skip: bool,
    /// Ordinals below this one are durable.
    skip_below: u64,
    next_ordinal: u64,
    total_order: u64,
    begun: bool,
    /// Per table: the transaction it was last counted in, and its count there.
    counts: Vec<Count>,
    /// Tables of this transaction, in the order of their first event.
    touched: Vec<TableSlot>,
    /// Messages of this transaction that are written.
    messages: u64,
    sequence: u64,
    old_rows: OldRows,
}

/// Which old rows of updates stand in `before`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OldRows {
    /// Those that are known whole: the replica identity alone says nothing that `after` does not.
    #[default]
    Whole,
    /// Those that were sent, be it the replica identity alone, as with Debezium.
    Sent,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sequence: u64,
    events: u64,
}

/// A row change as it was decoded.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    Insert(Tuple<'a>),
    Update {
        old: Option<OldTuple<'a>>,
        new: Tuple<'a>,
    },
    /// An update that moves the row to another key, as the keys that are written tell.
    Move {
        old: OldTuple<'a>,
        new: Tuple<'a>,
    },
    /// An update that leaves the row its key, as the keys that are written tell.
    Stay {
        old: OldTuple<'a>,
        new: Tuple<'a>,
    },
    Delete(OldTuple<'a>),
    Truncate,
}

impl Change<'_> {
    /// The operation of the statement. An update that changes the key becomes events of others.
    pub const fn op(&self) -> Op {
        match self {
            Self::Insert(_) => Op::Create,
            Self::Update { .. } | Self::Move { .. } | Self::Stay { .. } => Op::Update,
            Self::Delete(_) => Op::Delete,
            Self::Truncate => Op::Truncate,
        }
    }
}

/// Where a logical decoding message stands in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessagePlace {
    pub ordinal: u64,
    /// From 1, among the events that are written.
    pub total_order: u64,
    pub data_collection_order: u64,
}

/// The one or two events of a change; the second is the create of a key change.
#[derive(Debug)]
pub struct Events<'a> {
    pub first: Event<'a>,
    pub second: Option<Event<'a>>,
}

impl Assembler {
    /// Nothing is open; publishing goes on at `resume`. Events of the operations in `left_out` get their ordinals but
    /// are not counted.
    pub fn new(resume: Resume, left_out: Vec<Op>) -> Self {
        let context = TransactionContext {
            xid: Xid(0),
            commit_lsn: Lsn::INVALID,
            commit_time: UnixMicros(0),
            previous_end_lsn: resume.last_commit_end_lsn,
            origin: None,
        };
        Self {
            resume,
            left_out,
            context,
            origin: None,
            open: false,
            skip: false,
            skip_below: 0,
            next_ordinal: 0,
            total_order: 0,
            begun: false,
            counts: Vec::new(),
            touched: Vec::new(),
            messages: 0,
            sequence: 0,
            old_rows: OldRows::default(),
        }
    }

    /// Shows those old rows in `before` of updates.
    #[must_use]
    pub fn showing(mut self, old_rows: OldRows) -> Self {
        self.old_rows = old_rows;
        self
    }

    /// A transaction begins. Returns whether any of it is to be published.
    pub fn begin(&mut self, commit_lsn: Lsn, commit_time: UnixMicros, xid: Xid) -> bool {
        self.context.xid = xid;
        self.context.commit_lsn = commit_lsn;
        self.context.commit_time = commit_time;
        self.context.origin = None;
        self.open = true;
        self.skip = commit_lsn < self.resume.end_lsn;
        self.skip_below = match self.resume.partial {
            Some((partial, ordinal)) if partial == commit_lsn => ordinal,
            _ => 0,
        };
        self.next_ordinal = 1;
        self.total_order = 0;
        self.begun = false;
        self.touched.clear();
        self.messages = 0;
        self.sequence += 1;
        !self.skip
    }

    /// Whether truncates are the one operation that is not written.
    pub fn leaves_out_truncates_alone(&self) -> bool {
        self.left_out == [Op::Truncate]
    }

    /// Whether events of this operation are written.
    pub fn takes(&self, op: Op) -> bool {
        !self.left_out.contains(&op)
    }

    /// The open transaction came from a replication origin.
    pub fn origin(&mut self, name: &str, lsn: Lsn) {
        if self.origin.as_deref() != Some(name) {
            self.origin = Some(name.into());
        }
        self.context.origin = self.origin.clone().map(|name| (name, lsn));
    }

    /// The transaction is committed; its end becomes the next one's `previous_end_lsn`.
    pub fn commit(&mut self, end_lsn: Lsn) {
        self.open = false;
        self.context.previous_end_lsn = Some(end_lsn);
        self.resume.partial =
            self.resume.partial.filter(|(commit_lsn, _)| *commit_lsn > self.context.commit_lsn);
    }

    /// The transaction of which records are encoded but not the end: its commit LSN and the first ordinal that is not
    /// encoded. After a restart that is the one of the checkpoint, until it has come again and gone past.
    pub fn partial(&self) -> Option<(Lsn, u64)> {
        if self.open && self.begun && !self.skip {
            Some((self.context.commit_lsn, self.next_ordinal.max(self.skip_below)))
        } else {
            self.resume.partial
        }
    }

    /// What is open, or was last.
    pub fn context(&self) -> &TransactionContext {
        &self.context
    }

    /// Whether a transaction is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the open transaction is durable in whole already.
    pub fn is_skipped(&self) -> bool {
        self.skip
    }

    /// True once per transaction, at its first change: BEGIN goes before it, with ordinal 0.
    pub fn begin_record_due(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true) && self.skip_below == 0
    }

    /// Whether a change was seen, so that END goes behind the last one. Its ordinal is [`Assembler::next_ordinal`].
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// The ordinal of the next record. What lies below it is encoded.
    pub fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    /// Whether the record with `ordinal` is durable already.
    pub fn is_durable(&self, ordinal: u64) -> bool {
        ordinal < self.skip_below
    }

    /// Events of the transaction so far: Debezium's `event_count`.
    pub fn event_count(&self) -> u64 {
        self.total_order
    }

    /// Tables of the transaction and their counts, in the order of their first event.
    pub fn table_counts(&self) -> impl Iterator<Item = (TableSlot, u64)> {
        self.touched
            .iter()
            .map(|slot| (*slot, self.counts.get(slot.0 as usize).map_or(0, |count| count.events)))
    }

    /// A logical decoding message of the open transaction. It has its ordinal whether or not it is `written`, and a place in
    /// the order of events only if it is.
    pub fn message(&mut self, written: bool) -> MessagePlace {
        let ordinal = self.next_ordinal;
        self.next_ordinal += 1;
        self.total_order += u64::from(written);
        self.messages += u64::from(written);
        MessagePlace { ordinal, total_order: self.total_order, data_collection_order: self.messages }
    }

    /// An update that is left out because nothing of it would be seen: it has its ordinal, and no place in the order of events.
    pub fn leave_out_update(&mut self) {
        self.next_ordinal += 1;
    }

    /// Messages of the transaction so far that are written.
    pub fn message_count(&self) -> u64 {
        self.messages
    }

    /// A message outside of transactions, whose record of the log ends at `end_lsn`. Returns whether it is still to be
    /// published. The server sends it when it meets the record, between two transactions: what it sent before commits
    /// before that place and what it sends later commits behind it, so the message is a unit of its own that lies before a
    /// position or behind it as a whole, and needs no ordinal to be found again. To what follows it is the predecessor.
    pub fn lone_message(&mut self, end_lsn: Lsn) -> bool {
        self.context.previous_end_lsn = Some(end_lsn);
        end_lsn > self.resume.end_lsn
    }

    /// The events of one change of `table` at `lsn`.
    pub fn change<'a>(&mut self, table: &'a Table, change: Change<'a>, lsn: Lsn) -> Events<'a> {
        match change {
            Change::Insert(new) => {
                let after = Some(Row::Full(new));
                Events {
                    first: self.event(Draft {
                        table,
                        op: Op::Create,
                        before: None,
                        after,
                        lsn,
                        of: Op::Create,
                    }),
                    second: None,
                }
            }
            Change::Delete(old) => {
                let before = Some(old.row());
                Events {
                    first: self.event(Draft {
                        table,
                        op: Op::Delete,
                        before,
                        after: None,
                        lsn,
                        of: Op::Delete,
                    }),
                    second: None,
                }
            }
            Change::Truncate => {
                let draft =
                    Draft { table, op: Op::Truncate, before: None, after: None, lsn, of: Op::Truncate };
                Events { first: self.event(draft), second: None }
            }
            Change::Update { old, new } => self.update(table, old, new, lsn),
            Change::Move { old, new } => self.moved(table, old.row(), new, lsn),
            Change::Stay { old, new } => self.stayed(table, Some(old.row()), new, lsn),
        }
    }

    fn update<'a>(
        &mut self,
        table: &'a Table,
        old: Option<OldTuple<'a>>,
        new: Tuple<'a>,
        lsn: Lsn,
    ) -> Events<'a> {
        let before = old.map(OldTuple::row);
        if let Some(before) = before.filter(|before| key_changed(table, *before, new)) {
            return self.moved(table, before, new, lsn);
        }
        self.stayed(table, before, new, lsn)
    }

    /// An update of a row that keeps its key.
    fn stayed<'a>(
        &mut self,
        table: &'a Table,
        before: Option<Row<'a>>,
        new: Tuple<'a>,
        lsn: Lsn,
    ) -> Events<'a> {
        let sent = self.old_rows == OldRows::Sent;
        let shown = before.filter(|before| sent || matches!(before, Row::Full(_)));
        let after = Some(Row::Full(new));
        let mut event =
            self.event(Draft { table, op: Op::Update, before: shown, after, lsn, of: Op::Update });
        event.old = event.old.filter(|old| matches!(old, Row::Full(_)));
        Events { first: event, second: None }
    }

    /// An update that is a delete and a create.
    fn moved<'a>(&mut self, table: &'a Table, before: Row<'a>, new: Tuple<'a>, lsn: Lsn) -> Events<'a> {
        let (before, after) = (Some(before), Some(Row::Full(new)));
        let mut delete =
            self.event(Draft { table, op: Op::Delete, before, after: None, lsn, of: Op::Update });
        delete.other_key = after.map(OtherKey::New);
        let mut create =
            self.event(Draft { table, op: Op::Create, before: None, after, lsn, of: Op::Update });
        create.old = before;
        create.other_key = before.map(OtherKey::Old);
        Events { first: delete, second: Some(create) }
    }

    fn event<'a>(&mut self, draft: Draft<'a>) -> Event<'a> {
        let Draft { table, op, before, after, lsn, of } = draft;
        let ordinal = self.next_ordinal;
        self.next_ordinal += if op == Op::Delete { 2 } else { 1 };
        let counted = self.takes(op) && self.takes(of);
        self.total_order += u64::from(counted);
        let key = match op {
            _ if table.key.is_empty() => KeyOf::None,
            Op::Truncate => KeyOf::None,
            Op::Delete => KeyOf::Before,
            Op::Create | Op::Update | Op::Read => KeyOf::After,
        };
        Event {
            table,
            op,
            before,
            after,
            old: before,
            key,
            other_key: None,
            lsn,
            tombstone: op == Op::Delete,
            ordinal,
            total_order: self.total_order,
            data_collection_order: if counted { self.count(table.slot) } else { 0 },
        }
    }

    fn count(&mut self, slot: TableSlot) -> u64 {
        let index = slot.0 as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, Count::default());
        }
        let Some(count) = self.counts.get_mut(index) else { return 0 };
        if count.sequence != self.sequence {
            *count = Count { sequence: self.sequence, events: 0 };
            self.touched.push(slot);
        }
        count.events += 1;
        count.events
    }
}

#[derive(Clone, Copy)]
struct Draft<'a> {
    table: &'a Table,
    op: Op,
    before: Option<Row<'a>>,
    after: Option<Row<'a>>,
    lsn: Lsn,
    /// The operation of the statement that it is of.
    of: Op,
}

impl<'a> OldTuple<'a> {
    /// The row that it is.
    pub fn row(self) -> Row<'a> {
        match self {
            OldTuple::Key(tuple) => Row::Key(tuple),
            OldTuple::Full(tuple) => Row::Full(tuple),
        }
    }
}

impl<'a> Row<'a> {
    /// The values of the row.
    pub fn tuple(self) -> Tuple<'a> {
        match self {
            Row::Full(tuple) | Row::Key(tuple) => tuple,
        }
    }
}

/// Whether an update moved the row to another key. Columns of the key that the old row does not hold (the key is not the
/// replica identity) cannot be compared and count as unchanged.
pub fn key_changed(table: &Table, before: Row<'_>, new: Tuple<'_>) -> bool {
    let whole = matches!(before, Row::Full(_)) || table.replica_identity == ReplicaIdentity::Full;
    let differs = |index: usize, column: &crate::event::Column| {
        if !whole && !column.identity {
            return false;
        }
        match (before.tuple().iter().nth(index), new.iter().nth(index)) {
            (_, Some(Value::Unchanged) | None) | (None, _) => false,
            (old, new) => old != new,
        }
    };
    table.key.iter().any(|&index| table.columns.get(index).is_some_and(|column| differs(index, column)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{self, Message, Mode};
    use crate::event::{Column, TopicId};
    use crate::lsn::Oid;
    use crate::source::catalog::{TypeDetails, TypeKind};

    fn table(slot: u32, key: &[usize]) -> Table {
        let column = |name: &str, identity| Column {
            name: name.into(),
            ty: TypeDetails {
                oid: Oid(25),
                schema: "pg_catalog".into(),
                name: "text".into(),
                kind: TypeKind::Base,
            },
            typmod: -1,
            not_null: false,
            default: None,
            identity,
            selected: true,
            mask: None,
        };
        Table {
            slot: TableSlot(slot),
            oid: Oid(slot),
            schema: "public".into(),
            name: format!("t{slot}"),
            topic: TopicId(slot),
            replica_identity: ReplicaIdentity::Default,
            columns: vec![column("a", true), column("b", true), column("c", false)],
            key: key.to_vec(),
        }
    }

    /// The bytes of an Insert of one row; `None` is an unchanged value, an empty text a null.
    fn row(values: [Option<&str>; 3]) -> Vec<u8> {
        let mut bytes = vec![b'I', 0, 0, 0, 1, b'N', 0, 3];
        for value in values {
            match value {
                None => bytes.push(b'u'),
                Some("") => bytes.push(b'n'),
                Some(text) => {
                    bytes.push(b't');
                    bytes.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        bytes
    }

    fn tuple(bytes: &[u8]) -> Tuple<'_> {
        match decode::parse(bytes, Mode::default()).unwrap() {
            Message::Insert { new, .. } => new,
            other => panic!("{other:?}"),
        }
    }

    fn begun(resume: Resume, commit_lsn: u64) -> Assembler {
        let mut assembler = Assembler::new(resume, Vec::new());
        assembler.begin(Lsn(commit_lsn), UnixMicros(0), Xid(7));
        assembler
    }

    #[test]
    fn ordinals_do_not_depend_on_what_is_written() {
        let (one, two) = (table(0, &[0, 1]), table(1, &[0, 1]));
        let (new, other) = (row([Some("1"), Some("x"), Some("c")]), row([Some("2"), Some("x"), Some("c")]));
        let mut assembler = begun(Resume::default(), 100);
        assert!(assembler.begin_record_due() && !assembler.begin_record_due());
        let insert = assembler.change(&one, Change::Insert(tuple(&new)), Lsn(1)).first;
        assert_eq!((insert.ordinal, insert.total_order, insert.data_collection_order), (1, 1, 1));
        let delete = assembler.change(&two, Change::Delete(OldTuple::Key(tuple(&new))), Lsn(2)).first;
        assert_eq!((delete.ordinal, delete.total_order, delete.data_collection_order), (2, 2, 1));
        assert!(delete.tombstone);
        let update = Change::Update { old: Some(OldTuple::Key(tuple(&new))), new: tuple(&other) };
        let moved = assembler.change(&one, update, Lsn(3));
        let create = moved.second.unwrap();
        assert_eq!((moved.first.op, moved.first.ordinal, moved.first.total_order), (Op::Delete, 4, 3));
        assert_eq!(
            (create.op, create.ordinal, create.total_order, create.data_collection_order),
            (Op::Create, 6, 4, 3)
        );
        assert_eq!(assembler.next_ordinal(), 7);
        assert_eq!(assembler.table_counts().collect::<Vec<_>>(), [(TableSlot(0), 3), (TableSlot(1), 1)]);
    }

    #[test]
    fn operations_left_out_have_ordinals_but_no_place_in_the_order() {
        let (table, new) = (table(0, &[0]), row([Some("1"), Some("x"), Some("c")]));
        let mut assembler = Assembler::new(Resume::default(), vec![Op::Delete]);
        assembler.begin(Lsn(100), UnixMicros(0), Xid(7));
        assembler.change(&table, Change::Delete(OldTuple::Key(tuple(&new))), Lsn(1));
        assert_eq!((assembler.event_count(), assembler.table_counts().count()), (0, 0));
        let insert = assembler.change(&table, Change::Insert(tuple(&new)), Lsn(2)).first;
        assert_eq!((insert.ordinal, insert.total_order, insert.data_collection_order), (3, 1, 1));
        assert!(assembler.takes(insert.op) && !assembler.takes(Op::Delete));
    }

    #[test]
    fn only_a_change_of_the_key_is_a_key_change() {
        let keyed = table(0, &[1]);
        let old = row([Some("1"), Some("x"), Some("c")]);
        for (new, op) in [
            (row([Some("2"), Some("x"), Some("d")]), Op::Update),
            (row([Some("2"), None, Some("d")]), Op::Update),
            (row([Some("1"), Some("y"), Some("c")]), Op::Delete),
            (row([Some("1"), Some(""), Some("c")]), Op::Delete),
        ] {
            for old in [OldTuple::Key(tuple(&old)), OldTuple::Full(tuple(&old))] {
                let mut assembler = begun(Resume::default(), 100);
                let events =
                    assembler.change(&keyed, Change::Update { old: Some(old), new: tuple(&new) }, Lsn(1));
                assert_eq!(events.first.op, op, "{new:?}");
                assert_eq!(events.second.is_some(), op == Op::Delete);
            }
        }
        // The key lies outside the replica identity: the old row does not hold it.
        let outside = table(0, &[2]);
        let new = row([Some("1"), Some("x"), Some("z")]);
        let update = Change::Update { old: Some(OldTuple::Key(tuple(&old))), new: tuple(&new) };
        assert_eq!(begun(Resume::default(), 100).change(&outside, update, Lsn(1)).first.op, Op::Update);
    }

    #[test]
    fn what_the_old_row_holds_is_shown_and_moves_as_debezium_has_it() {
        let outside = table(0, &[2]);
        let (old, new) = (row([Some("1"), Some("x"), None]), row([Some("1"), Some("y"), Some("z")]));
        let key = OldTuple::Key(tuple(&old));
        let update = Change::Update { old: Some(key), new: tuple(&new) };
        for (old_rows, shown) in [(OldRows::Whole, false), (OldRows::Sent, true)] {
            let mut assembler = begun(Resume::default(), 100).showing(old_rows);
            let event = assembler.change(&outside, update, Lsn(1)).first;
            assert_eq!((event.op, event.before.is_some()), (Op::Update, shown));
            assert!(event.old.is_none(), "it has no whole values");
        }
        let whole = Change::Stay { old: OldTuple::Full(tuple(&old)), new: tuple(&new) };
        let keyed = table(0, &[1]);
        let event = begun(Resume::default(), 100).change(&keyed, whole, Lsn(1)).first;
        assert_eq!((event.op, event.before.is_some()), (Op::Update, true), "whatever its values are");
        let moved = Change::Move { old: key, new: tuple(&new) };
        assert_eq!(moved.op(), Op::Update);
        let events = begun(Resume::default(), 100).change(&outside, moved, Lsn(1));
        assert_eq!((events.first.op, events.second.map(|event| event.op)), (Op::Delete, Some(Op::Create)));
    }

    #[test]
    fn a_table_without_key_gives_records_without_key() {
        let new = row([Some("1"), Some("x"), Some("c")]);
        let plain = table(0, &[]);
        assert_eq!(
            begun(Resume::default(), 1).change(&plain, Change::Insert(tuple(&new)), Lsn(1)).first.key,
            KeyOf::None
        );
    }

    #[test]
    fn messages_have_ordinals_whether_or_not_they_are_written() {
        let (table, new) = (table(0, &[0]), row([Some("1"), Some("x"), Some("c")]));
        let mut assembler = begun(Resume::default(), 100);
        let place = |ordinal, total_order, data_collection_order| MessagePlace {
            ordinal,
            total_order,
            data_collection_order,
        };
        assert_eq!(assembler.message(true), place(1, 1, 1));
        assembler.change(&table, Change::Insert(tuple(&new)), Lsn(1));
        assert_eq!(assembler.message(false).ordinal, 3);
        assert_eq!(assembler.message(true), place(4, 3, 2));
        assert_eq!((assembler.event_count(), assembler.message_count()), (3, 2));
        assembler.commit(Lsn(110));
        assembler.begin(Lsn(120), UnixMicros(0), Xid(8));
        assert_eq!((assembler.event_count(), assembler.message_count()), (0, 0));
    }

    #[test]
    fn a_message_outside_of_transactions_is_durable_up_to_the_position() {
        let resume = Resume { end_lsn: Lsn(50), ..Resume::default() };
        let mut assembler = Assembler::new(resume, Vec::new());
        assert!(!assembler.lone_message(Lsn(50)), "the position is the end of its record");
        assert!(assembler.lone_message(Lsn(58)));
        assembler.begin(Lsn(58), UnixMicros(0), Xid(7));
        assert_eq!(assembler.context().previous_end_lsn, Some(Lsn(58)), "the next record may begin there");
    }

    #[test]
    fn resumes_inside_a_transaction_by_commit_lsn_and_ordinal() {
        let resume =
            Resume { end_lsn: Lsn(50), partial: Some((Lsn(100), 3)), last_commit_end_lsn: Some(Lsn(40)) };
        let (keyed, new) = (table(0, &[0]), row([Some("1"), Some("x"), Some("c")]));
        let mut assembler = Assembler::new(resume, Vec::new());
        // A position that is written down before the transaction has come again keeps what is known of it.
        assert_eq!(assembler.partial(), Some((Lsn(100), 3)));
        assert!(!assembler.begin(Lsn(49), UnixMicros(0), Xid(1)), "durable in whole");
        assembler.commit(Lsn(50));
        assert_eq!(assembler.partial(), Some((Lsn(100), 3)));
        assert!(assembler.begin(Lsn(100), UnixMicros(0), Xid(2)));
        assert_eq!(assembler.context().previous_end_lsn, Some(Lsn(50)));
        assert!(!assembler.begin_record_due(), "BEGIN is durable");
        for durable in [true, true, false, false] {
            let ordinal = assembler.change(&keyed, Change::Insert(tuple(&new)), Lsn(1)).first.ordinal;
            assert_eq!(assembler.is_durable(ordinal), durable, "{ordinal}");
        }
        assert_eq!(assembler.partial(), Some((Lsn(100), 5)));
        assembler.commit(Lsn(120));
        assert_eq!(assembler.partial(), None);
        assert!(assembler.begin(Lsn(130), UnixMicros(0), Xid(3)));
        assert!(assembler.begin_record_due());
    }
}
