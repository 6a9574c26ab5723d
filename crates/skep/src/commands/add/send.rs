use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use wire::metainfo::Metainfo;

use crate::client::{Auth, Body, Client, ClientError};

/// How a hub took a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Fate {
    /// It is new.
    Registered,
    /// It was there.
    Known,
}

impl Fate {
    pub(in crate::commands) fn word(&self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Known => "known",
        }
    }
}

/// How hard it is tried.
pub(in crate::commands) struct Tries {
    /// Times that a torrent is sent at most.
    pub(in crate::commands) count: u32,
    /// Between two of them.
    pub(in crate::commands) delay: Duration,
    /// The longest wait that a hub may ask for.
    pub(in crate::commands) timeout: Duration,
    /// What older trackers are told of who made a torrent that does not say.
    pub(in crate::commands) created_by: String,
}

/// Sends torrents to a hub and remembers what the hub is like.
pub(in crate::commands) struct Sender<'a> {
    client: &'a Client,
    tries: Tries,
    auth: Auth,
    /// Whether the hub has no API and is told bare facts, as older trackers are.
    bare: bool,
    silent: bool,
}

impl<'a> Sender<'a> {
    pub(in crate::commands) fn new(client: &'a Client, tries: Tries) -> Self {
        Self { client, tries, auth: Auth::Nobody, bare: false, silent: false }
    }

    /// Whether the hub gave no sign of life in all tries of the last torrent.
    pub(in crate::commands) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Registers one torrent, in as many tries as are allowed.
    pub(in crate::commands) async fn send(
        &mut self,
        bytes: Vec<u8>,
        metainfo: &Metainfo,
    ) -> Result<Fate, ClientError> {
        let mut tried = 0;
        loop {
            let error = match self.attempt(&bytes, metainfo).await {
                Ok(fate) => return Ok(fate),
                Err(error) => error,
            };
            if self.learns_from(&error) {
                continue;
            }
            tried += 1;
            self.silent = error.is_silence();
            match self.wait(&error).filter(|_| tried < self.tries.count) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    async fn attempt(&self, bytes: &[u8], metainfo: &Metainfo) -> Result<Fate, ClientError> {
        if self.bare {
            let body =
                Body { media_type: "application/json", bytes: self.facts(metainfo).to_string().into_bytes() };
            let _: (_, Value) = self.client.post("add_torrent_info", body, self.auth).await?;
            return Ok(Fate::Registered);
        }
        let body = Body { media_type: "application/x-bittorrent", bytes: bytes.to_vec() };
        let (status, _): (_, Value) = self.client.post("api/v1/torrents", body, self.auth).await?;
        Ok(if status == StatusCode::CREATED { Fate::Registered } else { Fate::Known })
    }

    /// Whether another way of asking is worth a try at once: with the token, which is not shown to a hub that does not
    /// ask for it or limit strangers; or in the words of older trackers. Each is learned once.
    fn learns_from(&mut self, error: &ClientError) -> bool {
        match error.status() {
            Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
                if self.auth == Auth::Nobody && self.client.has_token() =>
            {
                self.auth = Auth::Admin;
                true
            }
            Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
                if !self.bare =>
            {
                self.bare = true;
                true
            }
            _ => false,
        }
    }

    /// How long to wait before the next try; `None` if there is no use in one.
    fn wait(&self, error: &ClientError) -> Option<Duration> {
        let wait = error.retry_after().unwrap_or_default().max(self.tries.delay);
        let bearable = wait <= self.tries.timeout.max(self.tries.delay);
        (error.is_passing() && bearable).then_some(wait)
    }

    /// What older trackers are told of a torrent.
    fn facts(&self, metainfo: &Metainfo) -> Value {
        json!({
            "info_hash": metainfo.info_hash().to_string(),
            "name": metainfo.name(),
            "size": metainfo.size(),
            "piece_length": metainfo.piece_length(),
            "comment": metainfo.comment().unwrap_or_default(),
            "created_by": metainfo.created_by().unwrap_or(&self.tries.created_by),
            "creation_date": metainfo.creation_date(),
        })
    }
}
