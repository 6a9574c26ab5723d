//! A client of `index` trackers: one connection for all requests, opened again when the tracker has closed it.

use std::net::SocketAddr;
use std::time::Duration;

use swarm::Port;
use wire::classic::index::{self, Reply, Request};

pub use wire::classic::index::Row;

use super::conversation::Conversation;
use super::{Error, Wrong};

/// The port that trackers of this dialect usually have.
pub const PORT: u16 = 5000;

/// How often to say that one is still there; 15 seconds of silence are too many.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// A user, as a tracker knows it.
#[derive(Debug)]
pub struct Client {
    tracker: SocketAddr,
    username: String,
    conversation: Option<Conversation>,
}

impl Client {
    /// One that calls itself `username`.
    #[must_use]
    pub fn new(tracker: SocketAddr, username: impl Into<String>) -> Self {
        Self { tracker, username: username.into(), conversation: None }
    }

    /// Offers these files, each with its size in bytes, and no others any more.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words.
    pub async fn register(&mut self, port: Port, files: &[(String, u64)]) -> Result<(), Error> {
        let files = files.iter().map(|(name, bytes)| (name.clone(), Some(*bytes))).collect();
        let request = Request::Register { username: self.username.clone(), port, files };
        self.ask(&request).await.map(drop)
    }

    /// Asks who has a file.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words.
    pub async fn search(&mut self, filename: &str) -> Result<Vec<Row>, Error> {
        let request =
            Request::Search { username: Some(self.username.clone()), filename: filename.to_owned() };
        match self.ask(&request).await? {
            Reply::Found { rows, .. } => Ok(rows),
            _ => Err(Wrong::OffTopic.with(self.tracker)),
        }
    }

    /// Says that it is still there.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words: one that has forgotten this user wants
    /// it to register again.
    pub async fn keep_alive(&mut self) -> Result<(), Error> {
        self.ask(&Request::KeepAlive { username: self.username.clone() }).await.map(drop)
    }

    /// Takes everything back that it offers.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words.
    pub async fn exit(&mut self) -> Result<(), Error> {
        self.ask(&Request::Exit { username: self.username.clone() }).await.map(drop)
    }

    async fn ask(&mut self, request: &Request) -> Result<Reply, Error> {
        let mut bytes = Vec::new();
        index::encode_request(request, &mut bytes);
        let kept = match self.conversation.take() {
            Some(mut conversation) => match conversation.ask(&bytes).await {
                Ok(reply) => Some((conversation, reply)),
                // Some trackers close after each reply, and all do when they are stopped: asking twice does no harm.
                Err(Error { wrong: Wrong::Closed | Wrong::BrokeOff(_), .. }) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        let (conversation, reply) = match kept {
            Some(kept) => kept,
            None => {
                let mut conversation = Conversation::open(self.tracker).await?;
                let reply = conversation.ask(&bytes).await?;
                (conversation, reply)
            }
        };
        self.conversation = Some(conversation);
        match index::decode_reply(&reply) {
            Ok(Reply::Error { reason }) => Err(Wrong::Refuses(reason).with(self.tracker)),
            Ok(reply) => Ok(reply),
            Err(malformed) => Err(Wrong::from(malformed).with(self.tracker)),
        }
    }
}
