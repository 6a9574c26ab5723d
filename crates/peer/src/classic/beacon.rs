//! A client of `beacon` trackers: a datagram a message, and an answer only to a question.
//!
//! Nobody says whether what was told has been heard; who says it again harms nothing.

use std::net::SocketAddr;
use std::time::Duration;

use swarm::{Endpoint, Port};
use wire::classic::beacon::{self, Request};

use super::{Error, Wrong, datagram};

/// The port that trackers of this dialect usually have.
pub const PORT: u16 = 5000;

/// How often to say that one is still there.
pub const HEARTBEAT: Duration = Duration::from_secs(beacon::HEARTBEAT_SECS);

/// A tracker, as a peer sees it.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    tracker: SocketAddr,
}

impl Client {
    /// One of that tracker.
    #[must_use]
    pub const fn new(tracker: SocketAddr) -> Self {
        Self { tracker }
    }

    /// Offers a file, beside those that `port` of this address offers already.
    ///
    /// # Errors
    /// If there is no way to the tracker.
    pub async fn register(&self, filename: &str, port: Port) -> Result<(), Error> {
        self.tell(&Request::Register { filename: filename.to_owned(), port }).await
    }

    /// Asks who has a file.
    ///
    /// # Errors
    /// If the tracker does not answer, or not in this dialect.
    pub async fn request(&self, filename: &str) -> Result<Vec<Endpoint>, Error> {
        let mut question = Vec::new();
        beacon::encode_request(&Request::Request { filename: filename.to_owned() }, &mut question);
        let answer = datagram::ask(self.tracker, &question).await?;
        beacon::decode_reply(&answer).map_err(|malformed| Wrong::from(malformed).with(self.tracker))
    }

    /// Says that who serves at `port` is still there.
    ///
    /// # Errors
    /// If there is no way to the tracker.
    pub async fn heartbeat(&self, port: Port) -> Result<(), Error> {
        self.tell(&Request::Heartbeat { port }).await
    }

    /// Takes everything back that `port` offers.
    ///
    /// # Errors
    /// If there is no way to the tracker.
    pub async fn exit(&self, port: Port) -> Result<(), Error> {
        self.tell(&Request::Exit { port }).await
    }

    async fn tell(&self, message: &Request) -> Result<(), Error> {
        let mut bytes = Vec::new();
        beacon::encode_request(message, &mut bytes);
        datagram::tell(self.tracker, &bytes).await
    }
}
