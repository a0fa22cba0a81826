//! The brokers and the typed keys of the producer.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::Builder;
use super::properties::TYPED;
use crate::config::model::{Delivery, Kafka};
use crate::config::secret;

/// The keys that only mean something with SASL.
const SASL: [&str; 5] = [
    "kafka.sasl_mechanism",
    "kafka.sasl_username",
    "kafka.sasl_password",
    "kafka.sasl_password_file",
    "kafka.sasl_password_env",
];

impl Builder<'_> {
    /// `required`: whether the sink is Kafka.
    pub(super) fn kafka(&mut self, required: bool) -> Kafka {
        let name = self.name.clone();
        let transactional_id = self.with_name("kafka.transactional_id", &name);
        if transactional_id.is_empty() && !name.is_empty() {
            self.wrong("kafka.transactional_id", "is empty", "leave it out to use the name");
        }
        let mut properties = self.properties();
        for (path, property) in TYPED {
            if let Some(text) = self.settings.text(path) {
                properties.insert(property.to_owned(), text.to_owned().into());
            }
        }
        let path = "kafka.sasl_password";
        if let Some(password) = secret::of_key(path, self.settings, self.variables, self.report) {
            properties.insert("sasl.password".to_owned(), password);
        }
        self.check_security(&properties);
        Kafka {
            brokers: self.brokers(required),
            delivery: match self.settings.text("kafka.delivery") {
                Some("at_least_once") => Delivery::AtLeastOnce,
                _ => Delivery::ExactlyOnce,
            },
            commit_interval: self.duration("kafka.commit_interval"),
            commit_max_bytes: self.settings.size("kafka.commit_max_bytes").unwrap_or_default(),
            transactional_id,
            properties,
        }
    }

    /// Credentials and authorities that the protocol would ignore are a mistake: somebody believes them in force.
    fn check_security(&mut self, properties: &BTreeMap<String, SecretString>) {
        let path = "kafka.security_protocol";
        if self.settings.is_mistaken(path) {
            return;
        }
        let protocol = properties.get("security.protocol").map_or("plaintext", ExposeSecret::expose_secret);
        let protocol = protocol.to_ascii_lowercase();
        let (sasl, encrypted) = (protocol.starts_with("sasl_"), protocol.ends_with("ssl"));
        let given =
            |names: &[&'static str]| names.iter().copied().find(|path| self.settings.text(path).is_some());
        let credentials = given(&SASL).filter(|_| !sasl);
        let authority = given(&["kafka.ssl_ca_location"]).filter(|_| !encrypted);
        if let Some(key) = credentials {
            let fix = "write \"sasl_ssl\", or \"sasl_plaintext\" in a network that you trust";
            self.wrong(path, format!("is {protocol}, which ignores {key}"), fix);
        }
        if let Some(key) = authority {
            let fix = if sasl { "write \"sasl_ssl\"" } else { "write \"ssl\"" };
            self.wrong(path, format!("is {protocol}, which ignores {key}"), fix);
        }
        let mechanism =
            properties.contains_key("sasl.mechanism") || properties.contains_key("sasl.mechanisms");
        if sasl && !mechanism {
            self.missing(
                "kafka.sasl_mechanism",
                "kafka.sasl_mechanism = \"SCRAM-SHA-512\", or as the brokers have it",
            );
        }
    }

    fn brokers(&mut self, required: bool) -> Vec<String> {
        let path = "kafka.brokers";
        let brokers = self.settings.list(path).to_vec();
        if brokers.is_empty() && required {
            if !self.settings.is_given(path) {
                self.missing(path, "kafka.brokers = [\"127.0.0.1:9092\"], or another sink.type");
            } else if !self.settings.is_mistaken(path) {
                self.wrong(path, "is empty", "name at least one broker as \"host:port\"");
            }
        }
        for broker in &brokers {
            if !is_address(broker) {
                let reason = format!("{broker:?} is not host:port");
                let fix = match broker.split_once("://") {
                    Some(_) => "leave the protocol out; kafka.security_protocol says it".to_owned(),
                    None if broker.contains(':') => {
                        "write \"host:9092\", an IPv6 address in brackets".to_owned()
                    }
                    None => format!("write \"{}:9092\"", broker.trim()),
                };
                self.wrong(path, reason, fix);
            }
        }
        brokers
    }
}

fn is_address(broker: &str) -> bool {
    let Some((host, port)) = broker.rsplit_once(':') else { return false };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let named = !host.is_empty() && !host.contains([':', '/', ',', '@', '[', ']']);
    (bracketed || named)
        && !host.contains(char::is_whitespace)
        && !host.contains('\0')
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}
