//! The file that comes of it: keys by section, each below the comments that say which property it comes from; then what has
//! no key, and why.

use std::fmt::Write as _;

/// Headwater's file, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    keys: Vec<Key>,
    /// Comments about properties that need no key.
    same: Vec<String>,
    /// Comments about what is not to be had.
    missing: Vec<String>,
    /// What a person must look at, for the terminal.
    pub warnings: Vec<String>,
}

#[derive(Debug)]
struct Key {
    section: &'static str,
    name: String,
    /// As TOML.
    value: String,
    comments: Vec<String>,
}

impl Draft {
    /// Sets a key, `name` as it stands in the file; a later word replaces an earlier one and keeps its comments.
    pub(crate) fn set(&mut self, (section, name): (&'static str, &str), value: String, comment: &str) {
        let comment = (!comment.is_empty()).then(|| comment.to_owned());
        match self.keys.iter_mut().find(|key| key.section == section && key.name == name) {
            Some(key) => {
                key.value = value;
                key.comments.extend(comment);
            }
            None => self.keys.push(Key {
                section,
                name: name.to_owned(),
                value,
                comments: comment.into_iter().collect(),
            }),
        }
    }

    /// Whether a key is set.
    pub(crate) fn has(&self, (section, name): (&str, &str)) -> bool {
        self.keys.iter().any(|key| key.section == section && key.name == name)
    }

    /// A property that needs no key.
    pub(crate) fn same(&mut self, property: &str, why: &str) {
        self.same.push(format!("{property}: {why}"));
    }

    /// A property that asks for something that is not to be had.
    pub(crate) fn missing(&mut self, property: &str, what: &str) {
        self.missing.push(format!("{property}: not supported: {what}"));
        self.warn(property, &format!("not supported: {what}"));
    }

    /// A person must look at it.
    pub(crate) fn warn(&mut self, property: &str, what: &str) {
        self.warnings.push(format!("{property}: {what}"));
    }

    /// The text of the file.
    pub(crate) fn render(&self, heading: &str) -> String {
        let mut text = String::new();
        comment(&mut text, heading);
        for section in SECTIONS {
            let mut keys: Vec<&Key> = self.keys.iter().filter(|key| key.section == section).collect();
            if keys.is_empty() {
                continue;
            }
            keys.sort_by_key(|key| place(section, &key.name));
            text.push('\n');
            if !section.is_empty() {
                let _ = writeln!(text, "[{section}]");
            }
            for key in keys {
                for line in &key.comments {
                    comment(&mut text, line);
                }
                let _ = writeln!(text, "{} = {}", key.name, key.value);
            }
        }
        for (title, lines) in [(MISSING, &self.missing), (SAME, &self.same)] {
            if lines.is_empty() {
                continue;
            }
            text.push('\n');
            comment(&mut text, title);
            for line in lines {
                comment(&mut text, &format!("- {line}"));
            }
        }
        text
    }
}

/// Keys stand as in `config/headwater.toml`; those of others by name.
fn place(section: &str, name: &str) -> (usize, String) {
    let path = if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") };
    (crate::config::key_paths().position(|known| known == path).unwrap_or(usize::MAX), name.to_owned())
}

/// A text of Headwater's own or of the user's as a comment: one line, whatever is in it.
fn comment(text: &mut String, line: &str) {
    for line in line.lines() {
        let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(text, "# {clean}");
    }
}

/// A TOML string.
pub(crate) fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

/// A TOML list of strings.
pub(crate) fn list<T: AsRef<str>>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(|value| text(value.as_ref())).collect();
    format!("[{}]", values.join(", "))
}

/// The sections that anything is set in, in the order of the sample.
const SECTIONS: [&str; 12] = [
    "",
    "source",
    "source.replica_identity",
    "source.mask_columns",
    "snapshot",
    "snapshot.select_statement_overrides",
    "events",
    "topics",
    "topics.settings",
    "sink",
    "kafka",
    "kafka.properties",
];

const MISSING: &str = "NOT SUPPORTED by this version; look at each before you switch over:";
const SAME: &str = "Without a key, because Headwater does so anyway or has no need of it:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_their_sections_and_nothing_leaves_its_comment() {
        let mut draft = Draft::default();
        draft.set(("kafka.properties", "\"linger.ms\""), "5".into(), "");
        draft.set(("source", "slot"), text("s\"1"), "slot.name");
        draft.set(("source", "host"), text("h"), "database.hostname");
        draft.set(("", "name"), text("shop"), "topic.prefix");
        draft.set(("source", "slot"), text("s"), "said again\nin two lines");
        draft.missing("x\ny = 1", "z");
        draft.same("a", "b");
        assert_eq!(
            draft.render("From a file."),
            "# From a file.\n\n# topic.prefix\nname = \"shop\"\n\n[source]\n# database.hostname\nhost = \"h\"\n\
             # slot.name\n# said again\n# in two lines\nslot = \"s\"\n\n[kafka.properties]\n\"linger.ms\" = 5\n\n\
             # NOT SUPPORTED by this version; look at each before you switch over:\n# - x\n# y = 1: not supported: z\n\n\
             # Without a key, because Headwater does so anyway or has no need of it:\n# - a: b\n"
        );
        assert!(draft.has(("source", "slot")) && !draft.has(("source", "port")));
    }
}
