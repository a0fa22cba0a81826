//! The course of a snapshot, for those who read `topics.notification`: which tables it reads, and how far it is.

use crate::encode::{Records, SnapshotStatus};
use crate::run::notify::Notifier;
use crate::run::publish::Publisher;
use crate::run::snapshot::tables::Source;
use crate::source::catalog::CapturedTable;

/// What is told of one snapshot.
pub(super) struct Course {
    notifier: Notifier,
    /// The tables in the order in which they are read, and in that of their names; empty when nobody wants to know.
    read: String,
    sorted: String,
}

impl Course {
    pub(super) fn new(notifier: Notifier, tables: &[CapturedTable]) -> Self {
        let tables = if notifier.is_on() { tables } else { &[] };
        let mut names: Vec<String> =
            tables.iter().map(|table| format!("{}.{}", table.schema, table.name)).collect();
        let read = list(&names);
        names.sort_unstable();
        Self { notifier, read, sorted: list(&names) }
    }

    /// The tables are known, and nothing of them is read.
    pub(super) fn started(&self, publisher: &mut Publisher) {
        self.notifier.tell(SnapshotStatus::Started, publisher);
        self.notifier.tell(SnapshotStatus::Resolved { tables: &self.sorted }, publisher);
    }

    /// A table is read from now on.
    pub(super) fn reading(&self, source: &Source, out: &mut Records) {
        if self.notifier.is_on() {
            let status = SnapshotStatus::InProgress { table: &source.full_name(), tables: &self.read };
            self.notifier.write(status, out);
        }
    }

    /// A table is read to its end. (The last of its rows waits for the next row of any table.)
    pub(super) fn scanned(&self, source: &Source, rows: u64, out: &mut Records) {
        if self.notifier.is_on() {
            let (table, tables) = (&*source.full_name(), &*self.read);
            self.notifier.write(SnapshotStatus::Scanned { table, tables, rows }, out);
        }
    }

    /// The database refused to give a table.
    pub(super) fn refused(&self, source: &Source, publisher: &mut Publisher) {
        self.notifier.tell(SnapshotStatus::Refused { table: &source.full_name() }, publisher);
    }

    /// Everything was read and is in the batch that is open, or durable.
    pub(super) fn completed(&self, publisher: &mut Publisher) {
        self.notifier.tell(SnapshotStatus::Completed, publisher);
    }

    /// It ends before its end; whether somebody wants to know.
    pub(super) fn aborted(&self, publisher: &mut Publisher) -> bool {
        self.notifier.tell(SnapshotStatus::Aborted, publisher);
        self.notifier.is_on()
    }
}

/// Names parted by commas, as many as fit into [`LIST_BYTES`].
fn list(names: &[String]) -> String {
    let mut list = String::new();
    for name in names {
        if list.len() + name.len() >= LIST_BYTES {
            tracing::warn!(
                tables = names.len(),
                LIST_BYTES,
                "notifications name the first tables alone: their list is too long"
            );
            break;
        }
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(name);
    }
    list
}

/// Two notifications per table hold the list of all: beyond this, thousands of tables would be gigabytes of names.
const LIST_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_before_it_is_too_long() {
        let names: Vec<String> = (0..3000).map(|number| format!("public.table_number_{number:08}")).collect();
        assert_eq!(list(&names[..2]), "public.table_number_00000000,public.table_number_00000001");
        let cut = list(&names);
        assert!(cut.len() < LIST_BYTES && cut.len() > LIST_BYTES - 40, "{}", cut.len());
        assert!(names.iter().any(|name| cut.ends_with(name.as_str())), "the last name is whole");
        assert_eq!(list(&[]), "");
    }
}
