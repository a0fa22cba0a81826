//! How far the server's certificate is believed, as libpq's `sslmode` has it: not at all, its chain, or chain and host
//! name. The handshake's signature is checked in every mode, so that the certificate seen is the one in use.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// What must hold of the certificate.
#[derive(Clone, Debug)]
pub(super) enum Demand {
    /// `prefer` and `require` without a root certificate.
    Nothing,
    /// `verify-ca`, and `require` with a root certificate.
    Chain(Arc<Roots>),
    /// `verify-full`.
    ChainAndName(Arc<Roots>),
}

/// Whom to trust.
#[derive(Debug)]
pub(super) struct Roots {
    pub(super) anchors: RootCertStore,
    /// The certificates of `sslrootcert` as they are: a server whose own self-signed certificate is among them is
    /// trusted although it says that it is an authority, as OpenSSL has it and webpki has not.
    pub(super) exact: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) demand: Demand,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn chain(&self, roots: &Roots, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::NoCertificatesPresented);
        };
        if roots.exact.iter().any(|root| root.as_ref() == end_entity.as_ref()) {
            return valid_at(end_entity, now);
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &roots.anchors,
            intermediates,
            now,
            self.algorithms.all,
        )
    }
}

impl Verifier {
    /// webpki reads no certificates of X.509 version 1, which `openssl x509 -req` makes and libpq takes. What the
    /// handshake needs of one is its key.
    fn by_key_alone(
        &self,
        error: Error,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Ok(parsed) = Certificate::from_der(certificate) else { return Err(error) };
        if parsed.tbs_certificate.version != x509_cert::Version::V1 {
            return Err(error);
        }
        let key = parsed.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
        let mut candidates = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signature.scheme);
        let valid = candidates.any(|(_, algorithms)| {
            algorithms.iter().any(|one| one.verify_signature(key, message, signature.signature()).is_ok())
        });
        if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(error) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let (roots, name) = match &self.demand {
            Demand::Nothing => return Ok(ServerCertVerified::assertion()),
            Demand::Chain(roots) => (roots, false),
            Demand::ChainAndName(roots) => (roots, true),
        };
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        self.chain(roots, &chain, now)?;
        if name {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
            .or_else(|error| self.by_key_alone(error, message, cert, signature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
            .or_else(|error| self.by_key_alone(error, message, cert, signature))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn valid_at(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate.validity;
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}
