//! [`Describe`] on the ordinary connection: what was read for all tables at the start is used once; a relation whose
//! message comes again has changed, and is read anew.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::error::Result;
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
}

impl Lookup {
    /// Reads what is known of `captured` in one go, so that a start with a thousand tables takes two queries.
    pub(crate) fn prefetch(sql: Arc<Sql>, runtime: Handle, captured: &[Oid]) -> Result<Self> {
        let tables: HashMap<Oid, TableDetails> = runtime
            .block_on(catalog::table_details(&sql, captured))?
            .into_iter()
            .map(|table| (table.oid, table))
            .collect();
        let mut lookup = Self { sql, runtime, tables, types: HashMap::new() };
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
            let found = self.runtime.block_on(catalog::type_details(&self.sql, &unknown))?;
            self.types.extend(found.into_iter().map(|details| (details.oid, details)));
        }
        Ok(())
    }
}

impl Describe for Lookup {
    fn table(&mut self, oid: Oid, types: &[Oid]) -> Result<Option<TableDetails>> {
        if let Some(details) = self.tables.remove(&oid) {
            self.fetch_types(types)?;
            return Ok(Some(details));
        }
        // Labels of an enum may have changed with the relation.
        for oid in types {
            self.types.remove(oid);
        }
        self.fetch_types(types)?;
        let found = self.runtime.block_on(catalog::table_details(&self.sql, &[oid]))?;
        Ok(found.into_iter().next())
    }

    fn type_details(&self, oid: Oid) -> Option<TypeDetails> {
        self.types.get(&oid).cloned()
    }
}
