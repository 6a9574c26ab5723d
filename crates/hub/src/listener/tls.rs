//! TLS: handshakes with a bound on their number and time, by a certificate that may change while connections go on.
//!
//! `material` reads what is in the files; `self_signed` makes a certificate where there is none.

mod material;
mod self_signed;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wire::Fingerprint;

use crate::config::Config;
use crate::watched::Watched;
use material::{Files, Material};

pub use material::TlsError;

/// What connections with TLS are served with.
pub struct Tls {
    files: Files,
    current: RwLock<Material>,
    watched: Watched,
    handshakes: Arc<Semaphore>,
    handshake_max: Duration,
}

impl Tls {
    /// With the certificate that `config` names, or one of the hub's own in `state_dir`. `None` where nothing listens for
    /// TLS.
    ///
    /// # Errors
    ///
    /// [`TlsError`]: which file, and what is wrong with it.
    pub fn open(config: &Config, state_dir: &Path) -> Result<Option<Arc<Self>>, TlsError> {
        let tls = &config.tls;
        if tls.listen.is_empty() {
            return Ok(None);
        }
        let (certificate, key) = match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            _ => self_signed::find_or_make(config, state_dir)?,
        };
        let files = Files { certificate, key, client_ca: tls.client_ca.clone() };
        let watched = Watched::new(files.paths());
        let current = RwLock::new(files.read()?);
        Ok(Some(Arc::new(Self {
            files,
            current,
            watched,
            handshakes: Arc::new(Semaphore::new(tls.handshakes_max)),
            handshake_max: Duration::from_secs(config.http.head_timeout_secs.into()),
        })))
    }

    /// What the certificate that is shown now is known by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.current.read().fingerprint
    }

    /// Shakes hands. It may take as long as a request's head may.
    ///
    /// # Errors
    ///
    /// The client speaks no TLS that is understood here, takes too long, or too many shake hands already.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let _turn = self
            .handshakes
            .try_acquire()
            .map_err(|_| io::Error::other("too many TLS handshakes are under way"))?;
        let acceptor = TlsAcceptor::from(self.current.read().config.clone());
        tokio::time::timeout(self.handshake_max, acceptor.accept(stream)).await?
    }

    /// Reads the files anew, whether they seem to have changed or not. Connections go on as they are; new ones get what
    /// was read.
    ///
    /// # Errors
    ///
    /// [`TlsError`]; then all is as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.watched.mark();
        self.read_anew()
    }

    /// Reads the files anew if they have changed, and have not changed since the last look; the log says what is wrong
    /// with them. To be called every second or so.
    pub fn look(&self) {
        if self.watched.look()
            && let Err(error) = self.read_anew()
        {
            tracing::error!("the certificate stays as it was: {error}");
        }
    }

    fn read_anew(&self) -> Result<(), TlsError> {
        let material = self.files.read()?;
        tracing::info!(fingerprint = %material.fingerprint, "the certificate is read anew");
        *self.current.write() = material;
        Ok(())
    }
}
