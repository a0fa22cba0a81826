//! TLS for both connections to PostgreSQL: one rustls configuration made from `sslmode`, `sslrootcert`, `sslcert` and
//! `sslkey` with libpq's meaning, used by the replication client directly and by tokio-postgres through
//! [`MakeTlsConnect`](tokio_postgres::tls::MakeTlsConnect)'s inner half. Over a Unix socket there is no TLS in any mode.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

use crate::config::{Source, SslMode};
use crate::error::{Error, Kind, Result};

use super::verify::{Demand, Roots, Verifier};

/// What is needed to open TLS sessions to one server.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server_name: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates; none when the connection is to go without TLS.
    ///
    /// # Errors
    /// [`Kind::SourceTls`] for files that cannot be used.
    pub(super) fn new(source: &Source) -> Result<Option<Self>> {
        if source.sslmode == SslMode::Disable || source.host.starts_with('/') {
            return Ok(None);
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let server_name = ServerName::try_from(source.host.clone()).map_err(|error| {
            let detail = format!("source.host {:?} is neither a host name nor an address", source.host);
            Error::new(Kind::SourceTls, detail).with_source(error)
        })?;
        let config = client_config(source, &provider).map_err(|error| error.context("prepare TLS"))?;
        Ok(Some(Self { config: Arc::new(config), server_name }))
    }
}

/// A failed handshake as an error with advice.
pub(super) fn handshake_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let text = chain(&error);
    let wrapped = Error::new(Kind::SourceTls, "the TLS handshake failed").with_source(error);
    if text.contains("NotValidForName") || text.contains("not valid for name") {
        wrapped.with_hint(
            "the certificate's subject alternative names lack source.host (a common name alone does not count): connect by a name it has, or set source.sslmode = \"verify-ca\"",
        )
    } else if ["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"].iter().any(|cause| text.contains(cause))
    {
        wrapped.with_hint("set source.sslrootcert to the authority that signed the server's certificate")
    } else if text.contains("UnsupportedCertVersion") {
        wrapped.with_hint(
            "the certificate is of X.509 version 1, which cannot be verified: make it again with a subject alternative name, or set source.sslmode = \"require\" without source.sslrootcert",
        )
    } else {
        wrapped
    }
}

/// An error and its causes as one text.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The server answered N to SSLRequest although TLS is demanded.
pub(super) fn refused_error() -> Error {
    Error::new(Kind::SourceTls, "the server does not offer TLS")
        .with_hint("set ssl = on in postgresql.conf, or source.sslmode = \"prefer\" or \"disable\"")
}

/// Whether `prefer` tries again without TLS: the handshake failed, or pg_hba.conf has no line for us with TLS.
pub(super) fn may_do_without(source: &Source, tls: Option<&Tls>, error: &Error) -> bool {
    let cured = match error.kind() {
        Kind::SourceTls => true,
        Kind::SourceAuth => error.sqlstate() == Some("28000"),
        _ => false,
    };
    source.sslmode == SslMode::Prefer && tls.is_some() && cured
}

/// `prefer` failed in both ways: what went wrong with TLS is the likelier thing to repair.
pub(super) fn both_ways(without: Error, with: Error) -> Error {
    let hint = with.hint().to_owned();
    without.with_hint(hint).with_source(with.context("and before that with TLS"))
}

fn client_config(source: &Source, provider: &Arc<CryptoProvider>) -> Result<ClientConfig> {
    let verifier =
        Verifier { demand: demand(source)?, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(handshake_error)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match (&source.sslcert, &source.sslkey) {
        (Some(certificate), Some(key)) => {
            let chain = read_certificates(certificate, "source.sslcert")?;
            let key =
                PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, "source.sslkey", error))?;
            let certified = certified_key(chain, key, provider).map_err(|error| {
                let detail = "source.sslcert and source.sslkey do not fit together";
                Error::new(Kind::SourceTls, detail).with_source(error)
            })?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            return Err(Error::new(Kind::SourceTls, "source.sslcert and source.sslkey must be set together"));
        }
    };
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

/// As rustls does it, but for certificates of version 1, which it cannot read and servers take: `openssl x509 -req`
/// makes them when it is not told otherwise.
fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, rustls::Error> {
    let certified = CertifiedKey::new(chain, provider.key_provider.load_private_key(key)?);
    match certified.keys_match() {
        Err(error @ rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(error),
        _ => Ok(certified),
    }
}

/// libpq: a root certificate, once given, is used in every mode; only `verify-full` looks at the name.
fn demand(source: &Source) -> Result<Demand> {
    let roots = || roots(source.sslrootcert.as_deref()).map(Arc::new);
    Ok(match source.sslmode {
        SslMode::VerifyFull => Demand::ChainAndName(roots()?),
        SslMode::VerifyCa => Demand::Chain(roots()?),
        SslMode::Require | SslMode::Prefer if source.sslrootcert.is_some() => Demand::Chain(roots()?),
        SslMode::Require | SslMode::Prefer | SslMode::Disable => Demand::Nothing,
    })
}

fn roots(file: Option<&Path>) -> Result<Roots> {
    let mut anchors = RootCertStore::empty();
    let Some(file) = file.filter(|file| *file != Path::new("system")) else {
        let system = rustls_native_certs::load_native_certs();
        anchors.add_parsable_certificates(system.certs);
        if anchors.is_empty() {
            let detail = "the system has no certificates of authorities (package ca-certificates)";
            return Err(
                Error::new(Kind::SourceTls, detail).with_hint("install them, or set source.sslrootcert")
            );
        }
        return Ok(Roots { anchors, exact: Vec::new() });
    };
    let exact = read_certificates(file, "source.sslrootcert")?;
    let (added, _) = anchors.add_parsable_certificates(exact.iter().cloned());
    if added == 0 {
        let detail = format!("source.sslrootcert {} holds no usable certificate", file.display());
        return Err(Error::new(Kind::SourceTls, detail));
    }
    Ok(Roots { anchors, exact })
}

fn read_certificates(file: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(file, key, error))?;
    if certificates.is_empty() {
        let detail = format!("{key} {} holds no certificate in PEM form", file.display());
        return Err(Error::new(Kind::SourceTls, detail));
    }
    Ok(certificates)
}

fn unreadable(file: &Path, key: &str, error: rustls::pki_types::pem::Error) -> Error {
    let detail = format!("{key} {} cannot be read as PEM", file.display());
    Error::new(Kind::SourceTls, detail)
        .with_hint("give the path of a PEM file that this user may read; a key must not be encrypted")
        .with_source(error)
}
