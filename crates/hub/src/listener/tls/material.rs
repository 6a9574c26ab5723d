use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use wire::Fingerprint;

/// Bytes of a PEM file that are read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where the certificate is, its key, and the authorities for those of clients.
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) client_ca: Option<PathBuf>,
}

/// What was read from them.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    pub(super) fingerprint: Fingerprint,
}

/// A certificate cannot be used. One line: which file, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {wrong}", path.display())]
pub struct TlsError {
    path: PathBuf,
    wrong: String,
}

impl Files {
    /// The paths of all of them.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()]
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// Reads all of them, and sees that they belong together.
    pub(super) fn read(&self) -> Result<Material, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
            TlsError::new(&self.key, "it holds no private key in PEM form, or one with a passphrase")
        })?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new(&self.certificate, error))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| TlsError::new(path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let fingerprint = Fingerprint::of(&chain[0]);
        let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = self.certificate.display();
                TlsError::new(&self.key, format!("it is not the key of the certificate {certificate}"))
            }
            other => TlsError::new(&self.certificate, other),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Clients come back every half hour: a ticket spares both sides the costly part of the next handshake.
        config.ticketer = ring::Ticketer::new().map_err(|error| TlsError::new(&self.certificate, error))?;
        Ok(Material { config: Arc::new(config), fingerprint })
    }
}

impl TlsError {
    pub(super) fn new(path: &Path, wrong: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), wrong: wrong.to_string() }
    }
}

/// The certificates in a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(TlsError::new(path, "it holds no certificate in PEM form")),
        Err(error) => Err(TlsError::new(path, format!("it is not in PEM form: {error}"))),
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::new(path, error))?;
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 <= FILE_BYTES_MAX => Ok(bytes),
        Ok(_) => Err(TlsError::new(path, format!("it has more than {FILE_BYTES_MAX} bytes"))),
        Err(error) => Err(TlsError::new(path, cannot_read(&error))),
    }
}

fn cannot_read(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}
