//! Kafka's error codes as our kinds, in one table: what is worth waiting for, what a person must repair, and what a new
//! producer cures. librdkafka repeats by itself whatever can be repeated, so a code that gets here is final.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::error::{Error, Kind};

/// The kind of a code; `other` for those that say nothing about their cure.
pub(super) fn kind_of(code: Code, other: Kind) -> Kind {
    match code {
        Code::Authentication
        | Code::SSL
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::SecurityDisabled
        | Code::DelegationTokenExpired => Kind::SinkAuth,
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Kind::SinkPrivilege,
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
            Kind::RecordTooLarge
        }
        Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::UnknownTopicId
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidReplicaAssignment
        | Code::InvalidConfig
        | Code::PolicyViolation
        | Code::InvalidRecord
        | Code::InvalidTimestamp => Kind::Topic,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Kind::SinkFenced,
        Code::InvalidTransactionTimeout => Kind::Config,
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::TimedOutQueue
        | Code::MessageTimedOut
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::NetworkException
        | Code::CoordinatorNotAvailable
        | Code::CoordinatorLoadInProgress
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::ISRInsufficient => Kind::SinkUnreachable,
        Code::Fatal
        | Code::OutOfOrderSequenceNumber
        | Code::DuplicateSequenceNumber
        | Code::GaplessGuarantee
        | Code::Inconsistent => Kind::SinkFatal,
        _ => other,
    }
}

/// An error of the `rdkafka` crate. Values of settings are left out: any of them may be a secret.
pub(crate) fn from_kafka(error: &KafkaError, other: Kind) -> Error {
    match error {
        KafkaError::ClientConfig(_, text, key, value) => {
            let why = if value.is_empty() { text.clone() } else { text.replace(value.as_str(), "…") };
            Error::new(Kind::Config, format!("kafka.properties.\"{key}\": {why}"))
        }
        KafkaError::ClientCreation(text) => Error::new(Kind::Config, format!("kafka.properties: {text}")),
        error => match error.rdkafka_error_code() {
            Some(code) => Error::new(kind_of(code, other), code.to_string()),
            None => Error::new(other, error.to_string()),
        },
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::types::RDKafkaConfRes;

    use super::*;
    use crate::error::Policy;

    #[test]
    fn says_what_cures() {
        let kind = |code| kind_of(code, Kind::SinkAbortable);
        assert_eq!(kind(Code::BrokerTransportFailure).policy(), Policy::Retry);
        assert_eq!(kind(Code::ProducerFenced), Kind::SinkFenced);
        assert_eq!(kind(Code::TopicAuthorizationFailed), Kind::SinkPrivilege);
        assert_eq!(kind(Code::ConcurrentTransactions), Kind::SinkAbortable);
    }

    #[test]
    fn keeps_settings_to_itself() {
        let error = KafkaError::ClientConfig(
            RDKafkaConfRes::RD_KAFKA_CONF_INVALID,
            "Invalid value \"hunter2\" for configuration property \"sasl.password\"".into(),
            "sasl.password".into(),
            "hunter2".into(),
        );
        let error = from_kafka(&error, Kind::Internal);
        assert_eq!(error.kind(), Kind::Config);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
