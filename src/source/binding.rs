//! Channel binding of type `tls-server-end-point` (RFC 5929): a hash of the server's certificate that SCRAM mixes into
//! the proof, so that a man in the middle with another certificate cannot pass it on. The hash is the one of the
//! certificate's signature algorithm, SHA-256 in place of MD5 and SHA-1; an algorithm without a hash of its own
//! (Ed25519, Ed448) gives no binding, as in libpq.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::AlgorithmIdentifierOwned;

/// The binding data for a certificate in DER; none when the certificate or its algorithm has none.
pub(super) fn tls_server_end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let hash = if algorithm.oid == RSASSA_PSS { pss_hash(algorithm)? } else { hash_of(algorithm.oid)? };
    Some(match hash {
        Hash::Sha224 => Sha224::digest(certificate).to_vec(),
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

fn hash_of(algorithm: ObjectIdentifier) -> Option<Hash> {
    BY_ALGORITHM.iter().find(|(oid, _)| *oid == algorithm).map(|(_, hash)| *hash)
}

/// The `hashAlgorithm [0]` of RSASSA-PSS-params (RFC 4055); SHA-1 when absent, which stands for SHA-256 here.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<Hash> {
    // The parameters are a SEQUENCE whose first member, if tagged [0], is an AlgorithmIdentifier.
    let parameters = algorithm.parameters.as_ref()?.value();
    match parameters {
        [0xA0, length, inner @ ..] => {
            let inner = inner.get(..usize::from(*length))?;
            hash_of(AlgorithmIdentifierOwned::from_der(inner).ok()?.oid)
        }
        _ => Some(Hash::Sha256),
    }
}

const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// Signature algorithms, and the bare hashes that PSS names.
const BY_ALGORITHM: &[(ObjectIdentifier, Hash)] = &[
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"), Hash::Sha256), // md5WithRSAEncryption
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"), Hash::Sha256), // sha1WithRSAEncryption
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.14"), Hash::Sha224), // sha224WithRSAEncryption
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), Hash::Sha256), // sha256WithRSAEncryption
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"), Hash::Sha384), // sha384WithRSAEncryption
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"), Hash::Sha512), // sha512WithRSAEncryption
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"), Hash::Sha256),    // ecdsa-with-SHA1
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.1"), Hash::Sha224),  // ecdsa-with-SHA224
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Hash::Sha256),  // ecdsa-with-SHA256
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Hash::Sha384),  // ecdsa-with-SHA384
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"), Hash::Sha512),  // ecdsa-with-SHA512
    (ObjectIdentifier::new_unwrap("1.3.14.3.2.26"), Hash::Sha256),        // id-sha1
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.4"), Hash::Sha224), // id-sha224
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"), Hash::Sha256), // id-sha256
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"), Hash::Sha384), // id-sha384
    (ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"), Hash::Sha512), // id-sha512
];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).unwrap();
        CertificateParams::new(vec!["db.test".into()]).unwrap().self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn hashes_as_the_signature_algorithm_says() {
        let p256 = certificate(&PKCS_ECDSA_P256_SHA256);
        assert_eq!(tls_server_end_point(&p256).unwrap(), Sha256::digest(&p256).to_vec());
        let p384 = certificate(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(tls_server_end_point(&p384).unwrap(), Sha384::digest(&p384).to_vec());
    }

    #[test]
    fn gives_none_where_there_is_no_hash() {
        assert_eq!(tls_server_end_point(&certificate(&PKCS_ED25519)), None);
        assert_eq!(tls_server_end_point(b"no certificate"), None);
        assert_eq!(tls_server_end_point(b""), None);
    }
}
