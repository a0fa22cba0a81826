//! The database: the URL and the keys that say the same, who may be trusted by default, names of slot and publication,
//! patterns of tables.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::Builder;
use crate::config::model::{OnGap, PublicationMode, ReplicaIdentityRule, Source, SslMode};
use crate::config::report::{Mistake, Report};
use crate::config::settings::Settings;
use crate::config::typed::quote;
use crate::config::{key_columns, pattern, secret, url};
use crate::modes::TextEncoding;

/// PostgreSQL's NAMEDATALEN without the closing NUL.
const LONGEST_NAME: usize = 63;

/// Gives the keys what `source.url` says about them.
pub(super) fn take_url_apart(settings: &mut Settings, report: &mut Report) {
    let Some(text) = settings.text("source.url") else { return };
    match url::parse(text) {
        Ok(parts) => {
            for (path, text) in parts {
                settings.adopt(path, text, "source.url", report);
            }
        }
        Err((reason, fix)) => {
            report.add(settings.mistake("source.url", reason, fix));
            settings.mark_mistaken("source.user");
        }
    }
}

/// A name as part of a slot's name: `[a-z0-9_]`, and so short that `prefix` fits before it. A name that is cut ends in a
/// digest, so that two long names stay two slots.
pub(super) fn fitted(name: &str, prefix: &str) -> String {
    const DIGEST: usize = 8;
    let fit: String = name
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' })
        .collect();
    let room = LONGEST_NAME.saturating_sub(prefix.len());
    if fit.len() <= room {
        return fit;
    }
    let digest = Sha256::digest(name).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("{}_{}", &fit[..room.saturating_sub(DIGEST + 1)], &digest[..DIGEST])
}

fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Builder<'_> {
    pub(super) fn source(&mut self) -> Source {
        let user = self.text("source.user");
        if user.is_empty() {
            self.missing(
                "source.user",
                "write source.url = \"postgres://user@host:5432/database\", or source.user",
            );
        }
        let database = self.settings.text("source.database").unwrap_or(&user).to_owned();
        self.check_timeouts();
        Source {
            host: self.host(),
            port: self.settings.integer("source.port").and_then(|port| port.try_into().ok()).unwrap_or(5432),
            database,
            user,
            password: secret::of_key("source.password", self.settings, self.variables, self.report),
            sslmode: self.sslmode(),
            sslrootcert: self.settings.text("source.sslrootcert").map(Into::into),
            sslcert: self.client_file("source.sslcert", "source.sslkey"),
            sslkey: self.client_file("source.sslkey", "source.sslcert"),
            slot: self.slot(),
            publication: self.publication(),
            publication_mode: match self.settings.text("source.publication_mode") {
                Some("all_tables") => PublicationMode::AllTables,
                Some("disabled") => PublicationMode::Disabled,
                _ => PublicationMode::Tables,
            },
            replica_identity: self.replica_identity(),
            publish_via_partition_root: self.settings.truth("source.publish_via_partition_root"),
            tables: self.tables(),
            exclude_tables: self.patterns("source.exclude_tables", "schema.table"),
            columns: self.patterns("source.columns", "schema.table.column"),
            exclude_columns: self.patterns("source.exclude_columns", "schema.table.column"),
            key_columns: self.key_columns(),
            mask_columns: self.masks(),
            messages: self.prefixes("source.messages"),
            exclude_messages: self.prefixes("source.exclude_messages"),
            heartbeat_query: self.heartbeat_query(),
            discover_interval: self.duration("source.discover_interval"),
            sql_ascii: TextEncoding::of_word(self.settings.text("source.sql_ascii").unwrap_or_default())
                .unwrap_or_default(),
            on_gap: match self.settings.text("source.on_gap") {
                Some("continue") => OnGap::Continue,
                _ => OnGap::Stop,
            },
            connect_timeout: self.duration("source.connect_timeout"),
            status_interval: self.duration("source.status_interval"),
            wal_sender_timeout: self.duration("source.wal_sender_timeout"),
        }
    }

    fn host(&mut self) -> String {
        let host = self.text("source.host");
        if host.is_empty() || !host.starts_with('/') && host.contains(['/', '@', ',', ' ']) {
            self.wrong(
                "source.host",
                "is not one host",
                "write a name, an address or the directory of a socket; a URL goes into source.url",
            );
        }
        host
    }

    fn sslmode(&self) -> SslMode {
        match self.settings.text("source.sslmode") {
            Some("disable") => SslMode::Disable,
            Some("prefer") => SslMode::Prefer,
            Some("require") => SslMode::Require,
            Some("verify-ca") => SslMode::VerifyCa,
            None if is_local(&self.text("source.host")) => SslMode::Disable,
            _ => SslMode::VerifyFull,
        }
    }

    fn client_file(&mut self, path: &str, other: &str) -> Option<std::path::PathBuf> {
        let file = self.settings.text(path)?.into();
        if !self.settings.is_given(other) {
            self.wrong(path, format!("is given without {other}"), format!("give {other} too"));
        }
        Some(file)
    }

    fn slot(&mut self) -> String {
        let slot = self.named("source.slot");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let whole = !slot.is_empty() && slot.len() <= LONGEST_NAME && slot.chars().all(fits);
        if !whole && !slot.contains(['{', '}']) {
            self.wrong(
                "source.slot",
                "is not a name that PostgreSQL takes for a slot",
                "use a-z, 0-9 and '_', at most 63 of them",
            );
        }
        slot
    }

    fn publication(&mut self) -> String {
        let publication = self.named("source.publication");
        if publication.is_empty() || publication.len() > LONGEST_NAME || publication.contains('\0') {
            self.wrong(
                "source.publication",
                "is not a name that PostgreSQL takes for a publication",
                "use 1 to 63 bytes",
            );
        }
        publication
    }

    fn named(&mut self, path: &str) -> String {
        let around = self.text(path).replace("{name}", "");
        let name = fitted(&self.name, &around);
        self.with_name(path, &name)
    }

    fn tables(&mut self) -> Vec<String> {
        let tables = self.patterns("source.tables", "schema.table");
        if tables.is_empty() {
            self.wrong("source.tables", "captures nothing", "name at least one table: [\"public.*\"]");
        }
        tables
    }

    /// Patterns with as many parts as `shape` has.
    pub(super) fn patterns(&mut self, path: &str, shape: &str) -> Vec<String> {
        let parts = shape.split('.').count();
        let patterns = self.settings.list(path).to_vec();
        for pattern in &patterns {
            if self.expression(path, pattern) {
                continue;
            }
            let whole =
                pattern.split('.').count() >= parts && pattern.split('.').all(|part| !part.is_empty());
            if !whole || pattern.trim() != pattern || pattern.contains('\0') {
                let reason = format!("{pattern:?} is not a pattern of the form {shape}");
                let word = !pattern.is_empty() && !pattern.contains(['.', '\0', ' ']);
                let form =
                    if word && parts == 2 { format!("\"public.{pattern}\"") } else { shape.to_owned() };
                self.wrong(
                    path,
                    reason,
                    format!("write {form}; * stands for any text, ? for one character, within one name"),
                );
            } else if pattern.contains(',') {
                let reason = format!("{pattern:?} has a comma in it");
                self.wrong(
                    path,
                    reason,
                    "write each pattern as a text of its own; ? matches a comma in a name",
                );
            }
        }
        patterns
    }

    /// Whether the pattern is a regular expression; what is wrong with it is told.
    fn expression(&mut self, path: &str, pattern: &str) -> bool {
        let Some(expression) = pattern::expression(pattern) else { return false };
        if let Err(error) = pattern::whole(expression) {
            let reason = format!("{pattern:?} is not a regular expression that is taken here: {error}");
            self.wrong(
                path,
                reason,
                "look-around and back-references are not; correct it, or write patterns",
            );
        }
        true
    }

    fn replica_identity(&mut self) -> Vec<(String, ReplicaIdentityRule)> {
        let path = "source.replica_identity";
        let settings = self.settings;
        let mut rules = Vec::new();
        for (pattern, entry) in settings.map(path) {
            let whole = pattern::is_sound(pattern, 2);
            let mut words = entry.text.splitn(2, ' ');
            let (word, name) = (words.next().unwrap_or_default().to_ascii_uppercase(), words.next());
            let rule = match (word.as_str(), name) {
                ("DEFAULT", None) => Some(ReplicaIdentityRule::Default),
                ("FULL", None) => Some(ReplicaIdentityRule::Full),
                ("NOTHING", None) => Some(ReplicaIdentityRule::Nothing),
                ("INDEX", Some(name)) if !name.trim().is_empty() => {
                    Some(ReplicaIdentityRule::Index(name.trim().to_owned()))
                }
                _ => None,
            };
            match rule {
                Some(rule) if whole => rules.push((pattern.to_owned(), rule)),
                _ => self.report.add(
                    Mistake::about_key(
                        Some(&entry.origin),
                        &format!("{path}.\"{pattern}\""),
                        "is not a replica identity of tables",
                        "write \"schema.table\" = \"FULL\", \"DEFAULT\", \"NOTHING\" or \"INDEX name\"",
                    )
                    .with_value(&quote(&entry.text)),
                ),
            }
        }
        rules
    }

    fn heartbeat_query(&mut self) -> Option<String> {
        let query = self.settings.text("source.heartbeat_query")?.to_owned();
        if self.settings.duration("events.heartbeat_interval").is_none()
            && !self.settings.is_mistaken("events.heartbeat_interval")
        {
            self.wrong(
                "source.heartbeat_query",
                "is given without events.heartbeat_interval, so it would never run",
                "give both, for example events.heartbeat_interval = \"10s\"",
            );
        }
        Some(query)
    }

    fn key_columns(&mut self) -> Vec<String> {
        let entries = self.settings.list("source.key_columns").to_vec();
        for entry in entries.iter().filter(|entry| key_columns::split(entry).is_none()) {
            let reason = format!("{entry:?} does not say which columns of which table");
            self.wrong("source.key_columns", reason, "write \"schema.table:column,column\"");
        }
        entries
    }

    /// Patterns of prefixes of messages, any text but what no prefix can hold. The empty one is that of an empty prefix.
    fn prefixes(&mut self, path: &str) -> Vec<String> {
        let patterns = self.settings.list(path).to_vec();
        for pattern in &patterns {
            if self.expression(path, pattern) || !pattern.contains('\0') {
                continue;
            }
            let reason = format!("{pattern:?} holds a null character, which no prefix does");
            self.wrong(
                path,
                reason,
                "write a prefix, or a pattern with * for any text and ? for one character",
            );
        }
        patterns
    }

    /// The server gives up on a client that it has not heard of; three reports must fit, as two may be late.
    fn check_timeouts(&mut self) {
        let (status, timeout) =
            (self.duration("source.status_interval"), self.duration("source.wal_sender_timeout"));
        if status > timeout / 3 && !self.settings.is_mistaken("source.wal_sender_timeout") {
            let longest = crate::config::units::format_duration(timeout / 3);
            self.wrong(
                "source.status_interval",
                "is more than a third of source.wal_sender_timeout: the server would end the session",
                format!("write at most \"{longest}\", or raise source.wal_sender_timeout"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit() {
        assert_eq!(fitted("Shop-1.eu", "headwater_"), "shop_1_eu");
        let (long, other) = ("x".repeat(62) + "a", "x".repeat(62) + "b");
        let (long, other) = (fitted(&long, "headwater_"), fitted(&other, "headwater_"));
        assert_eq!(long.len() + "headwater_".len(), 63);
        assert_ne!(long, other);
        assert!(fitted("ab", &"p".repeat(70)).len() <= 9);
    }

    #[test]
    fn loopback_is_local() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "/var/run/postgresql"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["db", "10.0.0.1", "localhost.example", "::2"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
