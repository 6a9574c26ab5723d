//! A client of `token` trackers: one connection a request.

use std::net::SocketAddr;

use swarm::Port;
use wire::classic::token::{self, INVALID_TOKEN, Reply, Request};

pub use wire::classic::token::Row;

use super::conversation::Conversation;
use super::{Error, Wrong};

/// The port that trackers of this dialect usually have.
pub const PORT: u16 = 9000;

/// A peer, as a tracker knows it.
#[derive(Debug)]
pub struct Client {
    tracker: SocketAddr,
    peer_id: String,
    token: Option<String>,
}

/// Who has a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The holders.
    pub rows: Vec<Row>,
    /// Of how many parts the file is; 0 if nobody has it, or nobody says.
    pub total_parts: u32,
}

impl Client {
    /// One that calls itself `peer_id`. It gets itself a token when it needs one.
    #[must_use]
    pub fn new(tracker: SocketAddr, peer_id: impl Into<String>) -> Self {
        Self { tracker, peer_id: peer_id.into(), token: None }
    }

    /// Offers these files, each with its number of parts, and no others any more.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words.
    pub async fn register(&mut self, port: Port, files: &[(String, u32)]) -> Result<(), Error> {
        let request = |peer_id, token| Request::Register { peer_id, token, port, files: files.to_vec() };
        match self.ask(request).await? {
            Reply::Registered => Ok(()),
            _ => Err(Wrong::OffTopic.with(self.tracker)),
        }
    }

    /// Takes everything back that it offers: a registration says all that is offered.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words.
    pub async fn exit(&mut self, port: Port) -> Result<(), Error> {
        self.register(port, &[]).await
    }

    /// Asks who has a file.
    ///
    /// # Errors
    /// Says what is wrong with the tracker, or what it refuses in its own words.
    pub async fn look_up(&mut self, file_name: &str) -> Result<Found, Error> {
        let request = |peer_id, token| Request::PeerList { peer_id, token, file_name: file_name.to_owned() };
        match self.ask(request).await? {
            Reply::Peers { rows, total_parts } => Ok(Found { rows, total_parts }),
            _ => Err(Wrong::OffTopic.with(self.tracker)),
        }
    }

    /// Asks with the token, and once more with a new one if the tracker does not know it (any more).
    async fn ask(&mut self, request: impl Fn(String, Option<String>) -> Request) -> Result<Reply, Error> {
        let had_token = self.token.is_some();
        let reply = self.ask_once(&request).await?;
        match reply {
            Reply::Fail { reason } if reason == INVALID_TOKEN && had_token => {
                self.token = None;
                allowed(self.tracker, self.ask_once(&request).await?)
            }
            reply => allowed(self.tracker, reply),
        }
    }

    async fn ask_once(
        &mut self,
        request: impl Fn(String, Option<String>) -> Request,
    ) -> Result<Reply, Error> {
        let token = match &self.token {
            Some(token) => token.clone(),
            None => self.authenticate().await?,
        };
        exchange(self.tracker, &request(self.peer_id.clone(), Some(token))).await
    }

    async fn authenticate(&mut self) -> Result<String, Error> {
        let request = Request::Auth { peer_id: self.peer_id.clone() };
        match allowed(self.tracker, exchange(self.tracker, &request).await?)? {
            Reply::Token(token) => Ok(self.token.insert(token).clone()),
            _ => Err(Wrong::OffTopic.with(self.tracker)),
        }
    }
}

async fn exchange(tracker: SocketAddr, request: &Request) -> Result<Reply, Error> {
    let mut bytes = Vec::new();
    token::encode_request(request, &mut bytes);
    let reply = Conversation::open(tracker).await?.ask(&bytes).await?;
    token::decode_reply(&reply).map_err(|malformed| Wrong::from(malformed).with(tracker))
}

fn allowed(tracker: SocketAddr, reply: Reply) -> Result<Reply, Error> {
    match reply {
        Reply::Fail { reason } => Err(Wrong::Refuses(reason).with(tracker)),
        reply => Ok(reply),
    }
}
