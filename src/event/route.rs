//! Names of topics: the pattern filled in per table, and characters that Kafka does not allow made `_` as Debezium does.

use std::collections::HashMap;

use crate::event::TopicId;

/// Gives every topic of a session a dense number.
#[derive(Debug)]
pub struct Router {
    name: String,
    pattern: String,
    topics: Vec<String>,
    numbers: HashMap<String, TopicId>,
}

impl Router {
    /// A router for the pipeline `name` and `topics.pattern`.
    pub fn new(name: &str, pattern: &str) -> Self {
        Self {
            name: name.to_owned(),
            pattern: pattern.to_owned(),
            topics: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// The topic of a table. Two tables may share one.
    pub fn table(&mut self, schema: &str, table: &str) -> TopicId {
        let name = self.table_name(schema, table);
        self.named(&name)
    }

    /// The name of a table's topic.
    pub fn table_name(&self, schema: &str, table: &str) -> String {
        let filled = fill(&self.pattern, &[("{name}", &self.name), ("{schema}", schema), ("{table}", table)]);
        sanitize(&filled)
    }

    /// A topic by its name.
    pub fn named(&mut self, name: &str) -> TopicId {
        if let Some(id) = self.numbers.get(name) {
            return *id;
        }
        // More topics than a u32 counts would not fit into memory.
        let id = TopicId(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push(name.to_owned());
        self.numbers.insert(name.to_owned(), id);
        id
    }

    /// The name of a topic given by this router.
    pub fn name(&self, id: TopicId) -> &str {
        self.topics.get(id.0 as usize).map_or("", String::as_str)
    }

    /// Topics known so far.
    pub fn len(&self) -> usize {
        self.topics.len()
    }

    /// Whether no topic is known.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Names from `first` on, in the order of their numbers.
    pub fn names_from(&self, first: usize) -> impl Iterator<Item = (TopicId, &str)> {
        (0..).map(TopicId).zip(self.topics.iter().map(String::as_str)).skip(first)
    }
}

/// Fills placeholders in one pass, so that a name that looks like a placeholder stays as it is.
fn fill(pattern: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(pattern.len() + 32);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let hit = values.iter().find(|(placeholder, _)| rest.starts_with(placeholder));
        if let Some((placeholder, value)) = hit {
            filled.push_str(value);
            rest = rest.get(placeholder.len()..).unwrap_or_default();
        } else {
            filled.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    filled
}

/// Kafka allows `[A-Za-z0-9._-]`; each other unit of UTF-16 becomes one `_`.
fn sanitize(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sanitized = |c: char| {
        let (c, count) = if allowed(c) { (c, 1) } else { ('_', c.len_utf16()) };
        std::iter::repeat_n(c, count)
    };
    name.chars().flat_map(sanitized).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_debezium() {
        let router = Router::new("shop", "{name}.{schema}.{table}");
        assert_eq!(router.table_name("public", "orders"), "shop.public.orders");
        assert_eq!(router.table_name("My Schema", "ünï"), "shop.My_Schema._n_");
        assert_eq!(router.table_name("a.b", "{schema}"), "shop.a.b._schema_");
        assert_eq!(router.table_name("public", "emoji😀"), "shop.public.emoji__");
    }

    #[test]
    fn one_number_per_name() {
        let mut router = Router::new("shop", "{name}.all");
        let first = router.table("public", "a");
        assert_eq!(router.table("public", "b"), first);
        assert_eq!(router.name(first), "shop.all");
        assert_ne!(router.named("shop.transaction"), first);
        assert_eq!(router.names_from(1).map(|(_, name)| name).collect::<Vec<_>>(), ["shop.transaction"]);
    }
}
