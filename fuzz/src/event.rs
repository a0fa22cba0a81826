//! The shape of a column that `src/event/model.rs` has, for the writers' stand-ins: the compiler says when they differ.

use crate::source::catalog::TypeDetails;

pub struct Column {
    pub name: String,
    pub ty: TypeDetails,
    pub typmod: i32,
    pub not_null: bool,
    pub default: Option<String>,
}
