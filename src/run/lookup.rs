//! [`Describe`] on the ordinary connection: what was read for all tables at the start is used once and soon, for the burst
//! of Relation messages that a start brings; a relation whose message comes later or again may have changed, and is read
//! anew. The data thread waits for the answer, so the wait is bounded well below `wal_sender_timeout`.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::error::{Error, Kind, Result};
use crate::lsn::Oid;
use crate::run::describe::Describe;
use crate::source::Sql;
use crate::source::catalog::{self, TableDetails, TypeDetails};

/// Asks the catalog from the data thread, which waits for the answer.
pub(crate) struct Lookup {
    sql: Arc<Sql>,
    runtime: Handle,
    tables: HashMap<Oid, TableDetails>,
    types: HashMap<Oid, TypeDetails>,
    prefetched: Instant,
}

impl Lookup {
    /// Reads what is known of `captured` in one go, so that a start with a thousand tables takes two queries.
    pub(crate) fn prefetch(sql: Arc<Sql>, runtime: Handle, captured: &[Oid]) -> Result<Self> {
        let tables: HashMap<Oid, TableDetails> = runtime
            .block_on(catalog::table_details(&sql, captured))?
            .into_iter()
            .map(|table| (table.oid, table))
            .collect();
        let mut lookup = Self { sql, runtime, tables, types: HashMap::new(), prefetched: Instant::now() };
        let mut oids: Vec<Oid> = lookup
            .tables
            .values()
            .flat_map(|table| table.columns.iter().map(|column| column.type_oid))
            .collect();
        oids.sort_unstable();
        oids.dedup();
        lookup.fetch_types(&oids)?;
        Ok(lookup)
    }

    fn fetch_types(&mut self, oids: &[Oid]) -> Result<()> {
        let unknown: Vec<Oid> = oids.iter().copied().filter(|oid| !self.types.contains_key(oid)).collect();
        if !unknown.is_empty() {
            let found = self.ask(catalog::type_details(&self.sql, &unknown))?;
            self.types.extend(found.into_iter().map(|details| (details.oid, details)));
        }
        Ok(())
    }

    fn ask<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        let silent = |_| Error::new(Kind::SourceUnreachable, "the catalog did not answer in time");
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, question).await })
            .map_err(silent)
            .and_then(|answer| answer)
            .map_err(|error| error.context("describe relation"))
    }
}

impl Describe for Lookup {
    fn table(&mut self, oid: Oid, types: &[Oid]) -> Result<Option<TableDetails>> {
        if self.prefetched.elapsed() > FRESH {
            self.tables = HashMap::new();
        }
        if let Some(details) = self.tables.remove(&oid) {
            self.fetch_types(types)?;
            return Ok(Some(details));
        }
        // Labels of an enum may have changed with the relation.
        for oid in types {
            self.types.remove(oid);
        }
        self.fetch_types(types)?;
        let found = self.ask(catalog::table_details(&self.sql, &[oid]))?;
        Ok(found.into_iter().next())
    }

    fn type_details(&self, oid: Oid) -> Option<TypeDetails> {
        self.types.get(&oid).cloned()
    }
}

/// How long what was read at the start is taken for what the stream means.
const FRESH: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(20);
