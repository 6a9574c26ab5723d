//! By what a hub's certificate is known, where no authority of the system's vouches for it: an authority that a person
//! names, the certificate's fingerprint, or both.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::Url;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
};
use wire::Fingerprint;

/// Bytes that a file of certificates may have.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// By what the certificate of one hub is known, and where that hub is.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Scheme, host and port, as [`Url::origin`] writes them.
    origins: Vec<String>,
    tls: Arc<ClientConfig>,
}

/// A file of certificates cannot be used. One line: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {wrong}", path.display())]
pub struct TrustError {
    path: PathBuf,
    wrong: String,
}

/// A certificate that is another than the one that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WrongFingerprint {
    found: Fingerprint,
    expected: Fingerprint,
}

impl Trust {
    /// The hub at `url` is known by an authority in the PEM file `ca`, by its `fingerprint`, or by both together. With the
    /// fingerprint alone neither its name nor the dates in it matter. `None` if it is known by neither.
    ///
    /// # Errors
    ///
    /// [`TrustError`]
    pub fn new(
        url: &Url,
        ca: Option<&Path>,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Option<Self>, TrustError> {
        let roots = match ca {
            Some(path) => Some(roots(path).map_err(|wrong| TrustError { path: path.to_owned(), wrong })?),
            None if fingerprint.is_none() => return Ok(None),
            None => None,
        };
        let provider = Arc::new(ring::default_provider());
        let by_authority = roots.map(|roots| {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()
        });
        let refuse = |error: &dyn fmt::Display| TrustError {
            path: ca.unwrap_or(Path::new("")).to_owned(),
            wrong: error.to_string(),
        };
        let by_authority = by_authority.transpose().map_err(|error| refuse(&error))?;
        let verifier = Arc::new(Verifier { fingerprint, by_authority, provider: provider.clone() });
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Some(Self { origins: vec![origin(url)], tls: Arc::new(tls) }))
    }

    /// The same hub is at `url` too.
    #[must_use]
    pub fn also_at(mut self, url: &Url) -> Self {
        self.origins.push(origin(url));
        self
    }

    /// Whether it is that hub that is at `url`.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        self.origins.contains(&origin(url))
    }

    /// TLS for connections to that hub and to nobody else.
    #[must_use]
    pub fn tls(&self) -> ClientConfig {
        (*self.tls).clone()
    }
}

/// Why a server was not trusted, in words, if that is what `error` or one of its causes says.
#[must_use]
pub fn distrust(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(why)) = cause.downcast_ref() {
            return Some(match why {
                CertificateError::Other(why) => why.0.to_string(),
                CertificateError::UnknownIssuer => {
                    "its certificate is from nobody that is known here".to_owned()
                }
                why => format!("its certificate is not valid: {why}"),
            });
        }
        // An IO error does not count what it carries among its causes.
        let carried = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = carried.map(|carried| carried as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    None
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    let pem = fs::read(path).map_err(unreadable)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("it is not in PEM form: {error}"))?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate in PEM form".to_owned()) } else { Ok(roots) }
}

/// Holds a server's certificate to what is known of it.
#[derive(Debug)]
struct Verifier {
    fingerprint: Option<Fingerprint>,
    by_authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = Fingerprint::of(certificate);
        if let Some(expected) = self.fingerprint
            && found != expected
        {
            let wrong = OtherError(Arc::new(WrongFingerprint { found, expected }));
            return Err(CertificateError::Other(wrong).into());
        }
        match &self.by_authority {
            Some(authority) => authority.verify_server_cert(certificate, intermediates, name, ocsp, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Display for WrongFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, expected } = self;
        write!(f, "its certificate has the fingerprint {found}, and {expected} is expected")
    }
}

impl Error for WrongFingerprint {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_where_it_is_said_to_be_and_nowhere_else() {
        let url = |text: &str| Url::parse(text).unwrap();
        let fingerprint = "00".repeat(32).parse().unwrap();
        let trust =
            Trust::new(&url("https://hub.example:6970/x/"), None, Some(fingerprint)).unwrap().unwrap();
        let trust = trust.also_at(&url("https://192.0.2.1:6970"));
        assert!(trust.covers(&url("https://HUB.example:6970/announce")));
        assert!(trust.covers(&url("https://192.0.2.1:6970/announce")));
        for other in ["http://hub.example:6970", "https://hub.example", "https://other.example:6970"] {
            assert!(!trust.covers(&url(other)), "{other}");
        }
        assert!(Trust::new(&url("https://hub.example"), None, None).unwrap().is_none());
    }

    #[test]
    fn a_file_that_holds_no_authority_is_told_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let url = Url::parse("https://hub.example").unwrap();
        let error = |path| Trust::new(&url, Some(path), None).unwrap_err().to_string();
        assert!(error(&path).starts_with(&format!("{}: it cannot be read: ", path.display())));
        fs::write(&path, "nothing").unwrap();
        assert_eq!(error(&path), format!("{}: it holds no certificate in PEM form", path.display()));
    }
}
