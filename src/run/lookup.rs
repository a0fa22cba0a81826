//! [`Describe`] on the ordinary connection: what was read for all tables at the start is used once and soon, for the burst
//! of Relation messages that a start brings; a relation whose message comes later or again may have changed, and is read
//! anew. The data thread waits for the answer, so the wait is bounded well below `wal_sender_timeout`.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::decode::{Relation, RelationColumn};
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
    prefetch: Option<JoinHandle<Result<Prefetched>>>,
    asked: Instant,
    /// What is a key and a default: see [`catalog::table_details`].
    as_debezium: bool,
}

type Prefetched = (Vec<TableDetails>, Vec<TypeDetails>);

impl Lookup {
    /// Begins to read what is known of `captured` in one go, so that a start with a thousand tables takes two queries. The
    /// stream starts meanwhile; the first relation waits for the answer.
    pub(crate) fn prefetch(sql: Arc<Sql>, runtime: Handle, captured: Vec<Oid>, as_debezium: bool) -> Self {
        let prefetch = Some(runtime.spawn(read_all(Arc::clone(&sql), captured, as_debezium)));
        let (tables, types) = (HashMap::new(), HashMap::new());
        Self { sql, runtime, tables, types, prefetch, asked: Instant::now(), as_debezium }
    }

    fn take_prefetched(&mut self) -> Result<()> {
        let Some(reading) = self.prefetch.take() else { return Ok(()) };
        let panicked = |_| Err(Error::new(Kind::Internal, "the task that reads the catalog panicked"));
        let (tables, types) = self.ask(async { reading.await.unwrap_or_else(panicked) })?;
        self.tables = tables.into_iter().map(|table| (table.oid, table)).collect();
        self.types = types.into_iter().map(|details| (details.oid, details)).collect();
        Ok(())
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
    fn table(&mut self, relation: &Relation) -> Result<Option<TableDetails>> {
        self.take_prefetched()?;
        if self.asked.elapsed() > FRESH {
            self.tables = HashMap::new();
        }
        let types: Vec<Oid> = relation.columns.iter().map(|column| column.type_oid).collect();
        if let Some(details) = self.tables.remove(&relation.oid).filter(|details| fits(details, relation)) {
            self.fetch_types(&types)?;
            return Ok(Some(details));
        }
        // Labels of an enum may have changed with the relation.
        for oid in &types {
            self.types.remove(oid);
        }
        self.fetch_types(&types)?;
        let found = self.ask(catalog::table_details(&self.sql, &[relation.oid], self.as_debezium))?;
        Ok(found.into_iter().next())
    }

    fn type_details(&self, oid: Oid) -> Option<TypeDetails> {
        self.types.get(&oid).cloned()
    }
}

/// Whether all that the relation has is in what was read at the start; a table that was changed since is read anew.
fn fits(details: &TableDetails, relation: &Relation) -> bool {
    let known = |column: &RelationColumn| {
        details.columns.iter().any(|known| {
            (known.name.as_str(), known.type_oid, known.typmod)
                == (&*column.name, column.type_oid, column.typmod)
        })
    };
    (&details.schema, &details.name) == (&relation.schema, &relation.name)
        && relation.columns.iter().all(known)
}

async fn read_all(sql: Arc<Sql>, captured: Vec<Oid>, as_debezium: bool) -> Result<Prefetched> {
    let tables = catalog::table_details(&sql, &captured, as_debezium).await?;
    let mut oids: Vec<Oid> =
        tables.iter().flat_map(|table| table.columns.iter().map(|column| column.type_oid)).collect();
    oids.sort_unstable();
    oids.dedup();
    let types = catalog::type_details(&sql, &oids).await?;
    Ok((tables, types))
}

/// How long what was read at the start is taken for what the stream means.
const FRESH: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(20);
