//! Web seeds (BEP 19): the files of a torrent on a plain HTTP server, as a source of pieces.
//!
//! A [`WebSeed`] fetches any range of the payload, with one request a file that the range touches. What it brings is to
//! be verified like a peer's blocks. A server that does not have the files as the torrent knows them is struck out, with
//! the reason; one that is busy or out of reach is left in peace for a while.

mod layout;
mod raw;
mod response;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use reqwest::header::{ACCEPT_ENCODING, RANGE};
use reqwest::{Client, redirect};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use layout::{Layout, UrlError};

use crate::announce::{SetUpError, words};
use layout::{Base, Segment};
use response::Reading;

/// Fetches from one web seed under way at once; further ones wait.
pub const AT_ONCE_MAX: usize = 4;

/// The longest range that is fetched in one go, in bytes: as much memory as it takes. Longer pieces are fetched in parts.
pub const FETCH_BYTES_MAX: u64 = 16 << 20;

/// Failures in a row that may yet be chance; with one more the web seed is struck out.
pub const FAILURES_MAX: u32 = 8;

/// How long a web seed is left in peace after a failure; twice as long with each in a row.
const REST_FIRST: Duration = Duration::from_secs(2);

/// The longest rest, whatever the server asks for.
const REST_MAX: Duration = Duration::from_secs(5 * 60);

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server may send nothing.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 5;

/// The way to all web seeds: what a session has once.
#[derive(Debug, Clone)]
pub struct WebClient(Client);

/// One address that serves a torrent's files.
pub struct WebSeed {
    client: WebClient,
    layout: Arc<Layout>,
    base: Base,
    permits: Semaphore,
    health: Mutex<Health>,
}

/// Why a range was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// This web seed is of no use, for this reason, and will not be asked again.
    #[error("web seed given up: {0}")]
    Struck(String),
    /// It is busy or out of reach: another try may be made after `wait`.
    #[error("web seed does not answer: {reason}")]
    Later {
        /// Why, for a person.
        reason: String,
        /// From now on.
        wait: Duration,
    },
    /// The caller asked for what is not in the payload, or for more than [`FETCH_BYTES_MAX`].
    #[error("bytes {} to {} are not 1 to {FETCH_BYTES_MAX} bytes of a payload of {size}", .range.start, .range.end)]
    Range {
        /// What was asked for.
        range: Range<u64>,
        /// Bytes of the payload.
        size: u64,
    },
}

#[derive(Debug, Default)]
struct Health {
    struck: Option<String>,
    failures: u32,
    rest_until: Option<Instant>,
    last_reason: String,
}

/// Why a segment was not fetched.
#[derive(Debug)]
enum Trouble {
    /// The server does not have what the torrent says it has.
    Wrong(String),
    /// It may be otherwise the next time; after so long, if the server says.
    Passing(String, Option<Duration>),
}

impl WebClient {
    /// The way to all web seeds; unlike trackers, they may be behind the system's proxy.
    ///
    /// # Errors
    /// See [`SetUpError`].
    pub fn new() -> Result<Self, SetUpError> {
        // Fails only if a provider is there already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("skep/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_MAX)
            .redirect(redirect::Policy::limited(REDIRECTS_MAX))
            .pool_max_idle_per_host(AT_ONCE_MAX)
            .build();
        client.map(Self).map_err(|error| SetUpError(words::cause(&error)))
    }
}

impl WebSeed {
    /// The web seed at `url`, which need not be there yet.
    ///
    /// # Errors
    /// `url` is not one of http or https.
    pub fn new(client: WebClient, layout: Arc<Layout>, url: &str) -> Result<Self, UrlError> {
        let base = Base::parse(url)?;
        let permits = Semaphore::new(AT_ONCE_MAX);
        Ok(Self { client, layout, base, permits, health: Mutex::default() })
    }

    /// Where it is, without what may be secret.
    #[must_use]
    pub fn name(&self) -> String {
        self.base.name()
    }

    /// The payload's byte with which a piece begins.
    #[must_use]
    pub fn position(&self, piece: u32) -> u64 {
        self.layout.position(piece)
    }

    /// Why it is struck out, if it is.
    #[must_use]
    pub fn struck(&self) -> Option<String> {
        self.health.lock().struck.clone()
    }

    /// Fetches a range of the payload: all files one after the other, padding included, which comes from nowhere and is
    /// zeros. The bytes are not verified. Dropping the future ends the request.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(&self, range: Range<u64>) -> Result<Bytes, FetchError> {
        let size = self.layout.size();
        let length = range.end.saturating_sub(range.start);
        if length == 0 || length > FETCH_BYTES_MAX || range.end > size {
            return Err(FetchError::Range { range, size });
        }
        // Never closed.
        let _permit = self.permits.acquire().await;
        self.fit()?;
        let mut bytes = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        for segment in self.layout.segments(range) {
            if let Err(trouble) = self.fetch_segment(&segment, &mut bytes).await {
                return Err(self.note(trouble));
            }
        }
        let mut health = self.health.lock();
        health.failures = 0;
        health.rest_until = None;
        Ok(bytes.freeze())
    }

    /// Whether it may be asked now.
    fn fit(&self) -> Result<(), FetchError> {
        let health = self.health.lock();
        if let Some(reason) = &health.struck {
            return Err(FetchError::Struck(reason.clone()));
        }
        match health.rest_until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(wait) if !wait.is_zero() => {
                Err(FetchError::Later { reason: health.last_reason.clone(), wait })
            }
            _ => Ok(()),
        }
    }

    async fn fetch_segment(&self, segment: &Segment, bytes: &mut BytesMut) -> Result<(), Trouble> {
        let Some(path) = &segment.path else {
            bytes.resize(bytes.len() + usize::try_from(segment.length).unwrap_or(0), 0);
            return Ok(());
        };
        let url = self.base.file(path.as_deref(), self.layout.name());
        let last = segment.begin + segment.length - 1;
        let request = self.client.0.get(url).header(RANGE, format!("bytes={}-{last}", segment.begin));
        // Bytes of a compressed file are not those of the file.
        let sent = request.header(ACCEPT_ENCODING, "identity").send().await;
        let mut response = sent.map_err(|error| passing(&error))?;
        let mut reading = Reading::begin(&response, segment)?;
        while !reading.is_done()
            && let Some(chunk) = response.chunk().await.map_err(|error| passing(&error))?
        {
            let got = reading.take(&chunk)?;
            bytes.extend_from_slice(got);
        }
        reading.finish()
    }

    fn note(&self, trouble: Trouble) -> FetchError {
        let mut health = self.health.lock();
        let (reason, asked) = match trouble {
            Trouble::Wrong(reason) => {
                health.struck.get_or_insert(reason.clone());
                return FetchError::Struck(reason);
            }
            Trouble::Passing(reason, asked) => (reason, asked),
        };
        let now = Instant::now();
        // Fetches that fail together are one failure.
        if let Some(until) = health.rest_until.filter(|until| *until > now) {
            return FetchError::Later { reason, wait: until - now };
        }
        health.failures += 1;
        if health.failures > FAILURES_MAX {
            let reason = format!("{} failures in a row, the last: {reason}", health.failures);
            health.struck.get_or_insert(reason.clone());
            return FetchError::Struck(reason);
        }
        let rest = REST_FIRST.saturating_mul(1 << (health.failures - 1));
        let wait = asked.unwrap_or(Duration::ZERO).max(rest).min(REST_MAX);
        health.rest_until = Some(now + wait);
        health.last_reason.clone_from(&reason);
        FetchError::Later { reason, wait }
    }
}

impl std::fmt::Debug for WebSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebSeed")
            .field("base", &self.base)
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

fn passing(error: &reqwest::Error) -> Trouble {
    if error.is_redirect() {
        Trouble::Wrong(words::cause(error))
    } else {
        Trouble::Passing(words::cause(error), None)
    }
}
