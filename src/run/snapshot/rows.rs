//! Rows of COPY into records: decoded, marked with their place in the snapshot, encoded. No socket, no clock.
//!
//! Which row is the last of a table is known when it is read; which one is the last of all is not, as the tables behind it may be
//! empty. So the last row of a table waits for the next row of any.

use crate::decode::CopyRow;
use crate::encode::{JsonEncoder, Records};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, KeyOf, Op, Row, SnapshotRecord, Table, TransactionContext};
use crate::observe::{Metrics, TableCounters};
use crate::run::replaced;
use crate::run::snapshot::tables::Source;

/// Decoder and encoder of a snapshot.
pub(in crate::run) struct Rows {
    encoder: JsonEncoder,
    context: TransactionContext,
    tables: Vec<Counted>,
    row: CopyRow,
    /// The last row of a table, and which one.
    waiting: Option<(usize, u64)>,
    waiting_row: CopyRow,
    /// A row was written.
    begun: bool,
    /// The first row of all is the first one only in the first table, as with Debezium.
    quirky: bool,
    /// What the encoder is prepared for.
    prepared: Option<(usize, SnapshotRecord)>,
    /// Rows since [`Rows::flush`].
    fresh: u64,
}

struct Counted {
    table: Table,
    columns: u16,
    rows: u64,
    counters: TableCounters,
}

impl Rows {
    /// No row was read yet; `encoder` is prepared for the tables.
    pub(in crate::run) fn new(
        encoder: JsonEncoder,
        sources: &[Source],
        context: TransactionContext,
        metrics: &Metrics,
    ) -> Self {
        let encoder_is_quirky = encoder.is_quirky();
        let mut tables = Vec::with_capacity(sources.len());
        for Source { table, columns, .. } in sources {
            let counters = metrics.table(&table.schema, &table.name);
            tables.push(Counted { table: table.clone(), columns: *columns, rows: 0, counters });
        }
        Self {
            encoder,
            context,
            tables,
            row: CopyRow::default(),
            waiting: None,
            waiting_row: CopyRow::default(),
            begun: false,
            quirky: encoder_is_quirky,
            prepared: None,
            fresh: 0,
        }
    }

    /// A row of the table with that number, perhaps its last one.
    pub(in crate::run) fn row(
        &mut self,
        index: usize,
        (line, last): (&[u8], bool),
        now_ns: i64,
        out: &mut Records,
    ) -> Result<()> {
        self.release(SnapshotRecord::LastInDataCollection, now_ns, out)?;
        let counted = self.tables.get_mut(index).ok_or_else(unknown)?;
        counted.rows += 1;
        self.fresh += 1;
        let number = counted.rows;
        self.row.read(line, counted.columns)?;
        if last {
            std::mem::swap(&mut self.row, &mut self.waiting_row);
            self.waiting = Some((index, number));
            return Ok(());
        }
        let record = match number {
            _ if self.is_first(index) => SnapshotRecord::First,
            1 => SnapshotRecord::FirstInDataCollection,
            _ => SnapshotRecord::True,
        };
        self.write(index, number, record, now_ns, out)
    }

    /// There are no more rows.
    pub(super) fn finish(&mut self, now_ns: i64, out: &mut Records) -> Result<()> {
        self.release(SnapshotRecord::Last, now_ns, out)
    }

    /// Rows of one table so far.
    pub(super) fn of(&self, index: usize) -> u64 {
        self.tables.get(index).map_or(0, |counted| counted.rows)
    }

    /// Rows of all tables so far.
    pub(super) fn total(&self) -> u64 {
        self.tables.iter().map(|counted| counted.rows).sum()
    }

    /// Publishes what was counted per table; how many rows there were since the last time.
    pub(in crate::run) fn flush(&mut self) -> u64 {
        for counted in &mut self.tables {
            counted.counters.flush();
        }
        std::mem::take(&mut self.fresh)
    }

    /// Whether a row of the table, the next that is written, is the first of all.
    fn is_first(&self, index: usize) -> bool {
        !(self.begun || self.quirky && index > 0)
    }

    /// Writes the row that waits, with `record` unless it is the first of all and others follow.
    fn release(&mut self, record: SnapshotRecord, now_ns: i64, out: &mut Records) -> Result<()> {
        let Some((index, number)) = self.waiting.take() else { return Ok(()) };
        let first = self.is_first(index) && record != SnapshotRecord::Last;
        std::mem::swap(&mut self.row, &mut self.waiting_row);
        self.write(index, number, if first { SnapshotRecord::First } else { record }, now_ns, out)
    }

    /// Writes `self.row`.
    fn write(
        &mut self,
        index: usize,
        number: u64,
        record: SnapshotRecord,
        now_ns: i64,
        out: &mut Records,
    ) -> Result<()> {
        let Self { encoder, context, tables, row, prepared, begun, .. } = self;
        let Counted { table, counters, .. } = tables.get_mut(index).ok_or_else(unknown)?;
        *begun = true;
        if *prepared != Some((index, record)) {
            encoder.begin_snapshot(context, table.oid, record);
            *prepared = Some((index, record));
        }
        let event = Event {
            table,
            op: Op::Read,
            before: None,
            after: Some(Row::Full(row.tuple())),
            old: None,
            key: if table.key.is_empty() { KeyOf::None } else { KeyOf::After },
            other_key: None,
            lsn: context.commit_lsn,
            tombstone: false,
            ordinal: number,
            total_order: 0,
            data_collection_order: 0,
        };
        let before = out.byte_len();
        let written = encoder.change(&event, now_ns, out)?;
        counters.inc(Op::Read, (out.byte_len() - before) as u64);
        replaced::tell(written, &event, encoder, counters);
        Ok(())
    }
}

fn unknown() -> Error {
    Error::new(Kind::Internal, "a row of a table that is not part of the snapshot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ReplicaIdentity;
    use crate::encode::{EncodeSettings, Modes, Naming};
    use crate::event::{Column, TableSlot, TopicId};
    use crate::lsn::{Lsn, Oid, UnixMicros, Xid};
    use crate::modes::{Quirks, TextEncoding};
    use crate::observe::About;
    use crate::source::catalog::{TypeDetails, TypeKind};

    fn source(number: u32) -> Source {
        let ty = TypeDetails {
            oid: Oid(23),
            schema: "pg_catalog".into(),
            name: "int4".into(),
            kind: TypeKind::Base,
        };
        let column = Column {
            name: "id".into(),
            ty,
            typmod: -1,
            not_null: true,
            default: None,
            identity: false,
            selected: true,
            mask: None,
        };
        let table = Table {
            slot: TableSlot(number),
            oid: Oid(16_384 + number),
            schema: "public".into(),
            name: format!("t{number}"),
            topic: TopicId(number),
            replica_identity: ReplicaIdentity::Default,
            columns: vec![column],
            key: vec![0],
        };
        Source::of(table, 1)
    }

    fn rows(tables: u32) -> Rows {
        rows_with(tables, Modes::default())
    }

    fn rows_with(tables: u32, modes: Modes) -> Rows {
        let mut encoder = JsonEncoder::new(EncodeSettings {
            name: "shop".into(),
            database: "db".into(),
            version: "1".into(),
            system_id: 7,
            transaction_block: true,
            context_headers: true,
            placeholder: String::new(),
            texts: TextEncoding::Utf8,
            modes,
            flat: None,
        });
        let context = TransactionContext {
            xid: Xid(700),
            commit_lsn: Lsn(500),
            commit_time: UnixMicros(1_000_000),
            previous_end_lsn: None,
            origin: None,
        };
        let sources: Vec<_> = (0..tables).map(source).collect();
        for source in &sources {
            encoder.set_table(&source.table, Naming { topic: "t", source_types: &[] });
        }
        let metrics = Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap();
        Rows::new(encoder, &sources, context, &metrics)
    }

    /// Table, row and marker of each record.
    fn marks(records: &Records) -> Vec<(u32, String, String)> {
        (0..records.len())
            .map(|index| {
                let record = records.get(index).unwrap();
                let value: serde_json::Value = serde_json::from_slice(record.value.unwrap()).unwrap();
                assert_eq!((&value["op"], &value["transaction"]), (&"r".into(), &serde_json::Value::Null));
                let id = record.headers().find(|(name, _)| *name == b"headwater.id").unwrap().1.unwrap();
                let id = std::str::from_utf8(id).unwrap().strip_prefix("7:500:").unwrap().to_owned();
                (record.topic.0, id, value["source"]["snapshot"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    fn taken(tables: u32, lines: &[(usize, bool)]) -> Vec<(u32, String, String)> {
        taken_by(rows(tables), lines)
    }

    fn taken_by(mut rows: Rows, lines: &[(usize, bool)]) -> Vec<(u32, String, String)> {
        let mut out = Records::default();
        for (table, last) in lines {
            rows.row(*table, (b"1\n", *last), 0, &mut out).unwrap();
        }
        rows.finish(0, &mut out).unwrap();
        assert_eq!(rows.total(), lines.len() as u64);
        marks(&out)
    }

    fn of(table: u32, row: u64, mark: &str) -> (u32, String, String) {
        (table, format!("r{}.{row}", 16_384 + table), mark.to_owned())
    }

    #[test]
    fn every_row_knows_its_place() {
        let lines = [(0, false), (0, false), (0, true), (1, true), (3, false), (3, true)];
        let expected = [
            of(0, 1, "first"),
            of(0, 2, "true"),
            of(0, 3, "last_in_data_collection"),
            of(1, 1, "last_in_data_collection"),
            of(3, 1, "first_in_data_collection"),
            of(3, 2, "last"),
        ];
        assert_eq!(taken(5, &lines), expected, "the tables behind the last row are empty");
        assert_eq!(taken(1, &[(0, true)]), [of(0, 1, "last")]);
        assert_eq!(taken(2, &[(0, true), (1, true)]), [of(0, 1, "first"), of(1, 1, "last")]);
        assert_eq!(taken(2, &[]), []);
    }

    #[test]
    fn debezium_has_no_first_row_when_the_first_table_is_empty() {
        let lines = [(1, false), (1, true), (2, true)];
        let quirky = Modes { quirks: Quirks::Debezium, ..Modes::default() };
        let expected =
            [of(1, 1, "first_in_data_collection"), of(1, 2, "last_in_data_collection"), of(2, 1, "last")];
        assert_eq!(taken_by(rows_with(3, quirky), &lines), expected);
        assert_eq!(taken(3, &lines)[0], of(1, 1, "first"));
        assert_eq!(taken_by(rows_with(1, quirky), &[(0, false), (0, true)])[0], of(0, 1, "first"));
    }

    #[test]
    fn tables_that_are_read_at_the_same_time_keep_their_numbers() {
        let lines = [(0, false), (1, false), (0, false), (1, true), (0, true)];
        let expected = [
            of(0, 1, "first"),
            of(1, 1, "first_in_data_collection"),
            of(0, 2, "true"),
            of(1, 2, "last_in_data_collection"),
            of(0, 3, "last"),
        ];
        assert_eq!(taken(2, &lines), expected);
    }

    #[test]
    fn a_row_that_does_not_fit_is_an_error_without_its_values() {
        let error = rows(1).row(0, (b"1\tsecret\n", false), 0, &mut Records::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Decode);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
