//! What the translator asks of the catalog.

use crate::decode::Relation;
use crate::error::Result;
use crate::lsn::Oid;
use crate::source::catalog::{TableDetails, TypeDetails};

/// Answers about relations and types. Asked once per Relation message, never per row.
pub(crate) trait Describe {
    /// The table of the relation, none when it is gone; the types of the columns are known to [`Describe::type_details`] afterwards.
    fn table(&mut self, relation: &Relation) -> Result<Option<TableDetails>>;

    /// A type that a call of [`Describe::table`] named.
    fn type_details(&self, oid: Oid) -> Option<TypeDetails>;
}
