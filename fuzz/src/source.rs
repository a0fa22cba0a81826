//! The shapes of types that `src/source/catalog.rs` has, without its queries: the compiler says when they differ.

pub mod catalog {
    use crate::lsn::Oid;

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TypeDetails {
        pub oid: Oid,
        pub schema: String,
        pub name: String,
        pub kind: TypeKind,
    }

    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum TypeKind {
        Base,
        Array { element: Box<TypeDetails>, delimiter: u8 },
        Enum { labels: Vec<String> },
        Domain { base: Box<TypeDetails>, typmod: i32 },
        Composite,
        Range,
        Multirange,
        Pseudo,
    }
}
