//! `[kafka.properties]`: which properties of librdkafka are free, which a typed key sets, and which Headwater owns because
//! its promises hang on them. librdkafka itself is asked whether the others exist and take their value.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use secrecy::{ExposeSecret, SecretString};

use super::Builder;
use crate::config::librdkafka::{ALIASES, OWNED, is_secret, usual};
use crate::config::report::Mistake;
use crate::config::secret::{self, Given, Way};
use crate::config::settings::Settings;
use crate::config::typed::quote;

const PATH: &str = "kafka.properties";

/// Typed keys that become properties, and the property.
pub(super) const TYPED: [(&str, &str); 4] = [
    ("kafka.security_protocol", "security.protocol"),
    ("kafka.sasl_mechanism", "sasl.mechanism"),
    ("kafka.sasl_username", "sasl.username"),
    ("kafka.ssl_ca_location", "ssl.ca.location"),
];

impl Builder<'_> {
    /// The free properties with their secrets resolved.
    pub(super) fn properties(&mut self) -> BTreeMap<String, SecretString> {
        let names: BTreeSet<&str> = self.settings.map(PATH).map(|(name, _)| stem(name)).collect();
        let mut properties = BTreeMap::new();
        for name in names {
            let given = given(self.settings, name);
            if let Some((reason, fix)) = self.refusal(name) {
                for one in &given {
                    self.report.add(Mistake::about_key(
                        Some(one.origin),
                        &one.key,
                        reason.clone(),
                        fix.clone(),
                    ));
                }
                continue;
            }
            let place = given.first().map(|one| (one.origin, one.key.clone(), one.way));
            let value = secret::resolve(given, self.variables, self.report);
            let (Some(value), Some((origin, key, way))) = (value, place) else { continue };
            let shown = way == Way::Plain && !is_secret(name);
            match ask_librdkafka(name, value.expose_secret(), shown) {
                // The sink sets it itself.
                Ok(()) if is_acks(name) => {}
                Ok(()) => {
                    properties.insert(name.to_owned(), value);
                }
                Err((reason, fix)) => {
                    let mistake = Mistake::about_key(Some(origin), &key, reason, fix);
                    let text = quote(value.expose_secret());
                    self.report.add(if shown { mistake.with_value(&text) } else { mistake.with_secret() });
                }
            }
        }
        properties
    }

    /// Why a property is not taken here at all, and what to do.
    fn refusal(&self, name: &str) -> Option<(String, String)> {
        let owned = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        };
        if let Some((_, instead)) = OWNED.iter().find(|(pattern, _)| owned(pattern)) {
            return Some(("belongs to Headwater".to_owned(), (*instead).to_owned()));
        }
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| *name);
        let typed = TYPED.iter().find(|(_, property)| *property == name).map(|(path, _)| *path);
        let typed = typed.filter(|path| self.settings.is_given(path)).or_else(|| {
            let ways = Way::ALL.iter().map(|(_, suffix)| format!("kafka.sasl_password{suffix}"));
            let mut given = ways.filter(|path| self.settings.is_given(path));
            given.next().filter(|_| name == "sasl.password").map(|_| "kafka.sasl_password")
        })?;
        Some((format!("is given by {typed} too"), format!("use {typed} alone")))
    }
}

fn is_acks(name: &str) -> bool {
    name == "acks" || name == "request.required.acks"
}

/// The name without `_file` and `_env`; no property of librdkafka that is a text ends so.
fn stem(name: &str) -> &str {
    name.strip_suffix("_file").or_else(|| name.strip_suffix("_env")).unwrap_or(name)
}

/// All ways in which a property is given.
fn given<'a>(settings: &'a Settings, name: &str) -> Vec<Given<'a>> {
    let way = |full: &str| Way::ALL.into_iter().find(|(_, suffix)| full.strip_suffix(suffix) == Some(name));
    let entries = settings.map(PATH);
    entries
        .filter_map(|(full, entry)| {
            let key = format!("{PATH}.\"{full}\"");
            Some(Given { key, origin: &entry.origin, text: &entry.text, way: way(full)?.0 })
        })
        .collect()
}

/// Reason and repair when librdkafka does not take the value; `shown` says that its words may be repeated.
fn ask_librdkafka(name: &str, value: &str, shown: bool) -> Result<(), (String, String)> {
    const TABLE: &str = "see the table of properties in librdkafka's CONFIGURATION.md";
    if is_acks(name) && !matches!(value, "all" | "-1") {
        let reason = "would acknowledge what is not yet safe".to_owned();
        return Err((reason, "remove it: acks is always \"all\"".to_owned()));
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            let fix = match usual(name) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => TABLE.to_owned(),
            };
            Err(("librdkafka has no such property".to_owned(), fix))
        }
        Err(KafkaError::ClientConfig(_, reason, ..)) if shown => {
            Err((format!("librdkafka refuses the value: {reason}"), TABLE.to_owned()))
        }
        Err(_) => Err(("librdkafka refuses the value".to_owned(), TABLE.to_owned())),
    }
}
