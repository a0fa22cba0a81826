//! Names into SQL. Identifiers and literals that go where no parameter can: replication commands and DDL.

/// `"name"`, quotes in it doubled.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `"schema"."name"`.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// `'text'` for the grammar of replication commands, which knows doubled quotes and no backslashes.
pub(super) fn replication_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_needs_it() {
        assert_eq!(qualified("My \"S\"", "ünï"), "\"My \"\"S\"\"\".\"ünï\"");
        assert_eq!(replication_literal("it's"), "'it''s'");
    }
}
