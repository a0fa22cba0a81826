//! Certificates for the servers and clients of one test process, written as PEM files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

use super::{process, reaper, unique};

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A certificate authority of our own.
pub(crate) struct Authority {
    directory: TempDir,
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// The one that signed the certificates of all servers here.
    pub(crate) fn shared() -> &'static Self {
        static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
        &AUTHORITY
    }

    /// Another one, which no server here knows.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, unique("authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let directory = reaper::directory();
        process::give_to_server_user(directory.path());
        fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { directory, certificate, key }
    }

    /// PEM file for `sslrootcert` and `ssl.ca.location`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// For a server on `localhost` and 127.0.0.1, and not on 127.0.0.2.
    pub(crate) fn server(&self) -> Identity {
        self.sign("localhost", &["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// For a client; PostgreSQL's `cert` method takes `name` for the role.
    pub(crate) fn client(&self, name: &str) -> Identity {
        self.sign(name, &[], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, name: &str, alternative_names: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
        let names: Vec<String> = alternative_names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        let file = unique(name);
        let identity = Identity {
            certificate: self.directory.path().join(format!("{file}.pem")),
            key: self.directory.path().join(format!("{file}.key")),
        };
        fs::write(&identity.certificate, certificate.pem()).unwrap();
        write_private(&identity.key, &key.serialize_pem());
        identity
    }
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    process::give_to_server_user(path);
}
