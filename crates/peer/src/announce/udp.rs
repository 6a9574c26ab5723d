//! Announcing over UDP (BEP 15, BEP 41).
//!
//! One socket a family serves all torrents. What arrives is given to whoever waits for its transaction id, if it comes
//! from the address that was asked; all else is ignored.

mod channel;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use swarm::{Endpoint, Event, Families};
use tokio::sync::OnceCell;
use wire::Announce;
use wire::udp::{ConnectionId, ReplyBody, decode_reply, encode_announce_request, encode_connect_request};

use super::schedule::{Answer, Miss};
use super::target::{Family, Target};
use super::{resolve, words};
use channel::Channel;

/// How long the first request waits for its answer; each further one twice as long (BEP 15: 15 · 2ⁿ s).
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);

/// How often a request is sent. BEP 15 would go on for two hours; the next tracker of the tier is tried instead, and this
/// one again after a while.
const TRIES: u32 = 3;

/// How long the first `stopped` waits: whoever leaves has no time for more.
const TIMEOUT_LEAVING: Duration = Duration::from_secs(1);

/// The UDP trackers of all torrents.
#[derive(Debug)]
pub(super) struct Udp {
    timeout: Duration,
    v4: OnceCell<Channel>,
    v6: OnceCell<Channel>,
}

/// Why one try came to nothing.
enum Trouble {
    /// Nothing came in time.
    Silence,
    Miss(Miss),
}

impl Trouble {
    /// Whether an announce under a connection id from before may have failed for the id: some trackers say so, in words
    /// of their own, and some are silent.
    fn may_be_the_id(&self) -> bool {
        match self {
            Self::Silence => true,
            Self::Miss(Miss::Refused { reason, .. }) => reason.to_ascii_lowercase().contains("connection"),
            Self::Miss(Miss::Failed(_) | Miss::Absent) => false,
        }
    }
}

impl Udp {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, v4: OnceCell::new(), v6: OnceCell::new() }
    }

    /// Announces to `target` over `family`, and returns what it said and whom it named.
    pub(super) async fn announce(
        &self,
        target: &Target,
        family: Family,
        announce: &Announce<'_>,
    ) -> Result<(Answer, Vec<Endpoint>), Miss> {
        let addresses = resolve::addresses(target, family).await?;
        let channel = self.channel(family).await?;
        let path = target.path_and_query();
        let base =
            if announce.event == Event::Stopped { self.timeout.min(TIMEOUT_LEAVING) } else { self.timeout };
        for (attempt, address) in (0..TRIES).zip(addresses.iter().cycle()) {
            let line = Line { channel, address: *address, family, wait: base * 2_u32.pow(attempt) };
            let (used, mut outcome) = line.announce(announce, &path).await;
            if let Some(id) = used
                && outcome.as_ref().is_err_and(Trouble::may_be_the_id)
            {
                // The tracker may have forgotten the id, as by a restart.
                channel.forget(*address, id).await;
                if matches!(outcome, Err(Trouble::Miss(_))) {
                    outcome = line.announce(announce, &path).await.1;
                }
            }
            match outcome {
                Ok(heard) => return Ok(heard),
                Err(Trouble::Silence) => {}
                Err(Trouble::Miss(miss)) => return Err(miss),
            }
        }
        Err(Miss::Failed(format!("no answer to {TRIES} requests over {family}")))
    }

    async fn channel(&self, family: Family) -> Result<&Channel, Miss> {
        let cell = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let opened = cell.get_or_try_init(|| async { Channel::open(family) }).await;
        opened.map_err(|error| Miss::Failed(format!("no {family} socket: {error}")))
    }
}

/// A tracker's address, and how long to wait for it.
struct Line<'a> {
    channel: &'a Channel,
    address: SocketAddr,
    family: Family,
    wait: Duration,
}

impl Line<'_> {
    /// Announces once. The connection id is returned if it was one from before.
    async fn announce(
        &self,
        announce: &Announce<'_>,
        path: &str,
    ) -> (Option<ConnectionId>, Result<(Answer, Vec<Endpoint>), Trouble>) {
        let (id, fresh) = match self.connection().await {
            Ok(connection) => connection,
            Err(trouble) => return (None, Err(trouble)),
        };
        ((!fresh).then_some(id), self.announce_as(id, announce, path).await)
    }

    async fn announce_as(
        &self,
        id: ConnectionId,
        announce: &Announce<'_>,
        path: &str,
    ) -> Result<(Answer, Vec<Endpoint>), Trouble> {
        let encode = |transaction, out: &mut Vec<u8>| {
            encode_announce_request(transaction, id, announce, path.as_bytes(), out);
        };
        let datagram = self.exchange(encode).await?;
        match self.read(&datagram)? {
            ReplyBody::Announce { interval, complete, incomplete, peers } => {
                let answer = Answer {
                    interval: Some(interval),
                    seeders: Some(complete),
                    leechers: Some(incomplete),
                    ..Answer::default()
                };
                Ok((answer, peers.iter().collect()))
            }
            ReplyBody::Error(reason) => Err(refused(&reason)),
            ReplyBody::Connect(_) | ReplyBody::Scrape(_) => Err(mismatch("the announce")),
        }
    }

    /// The connection id, and whether it was asked for just now. Torrents that need one together ask together.
    async fn connection(&self) -> Result<(ConnectionId, bool), Trouble> {
        let began = tokio::time::Instant::now();
        let slot = self.channel.slot(self.address);
        let mut slot = slot.lock().await;
        if let Some(id) = slot.usable() {
            return Ok((id, false));
        }
        if slot.was_silent_since(began) {
            return Err(Trouble::Silence);
        }
        let answered = self.exchange(encode_connect_request).await;
        if matches!(answered, Err(Trouble::Silence)) {
            slot.silent();
        }
        match self.read(&answered?)? {
            ReplyBody::Connect(id) => {
                slot.open(id, began);
                Ok((id, true))
            }
            ReplyBody::Error(reason) => Err(refused(&reason)),
            ReplyBody::Announce { .. } | ReplyBody::Scrape(_) => Err(mismatch("the connect request")),
        }
    }

    async fn exchange(&self, encode: impl FnOnce(u32, &mut Vec<u8>)) -> Result<Vec<u8>, Trouble> {
        match self.channel.exchange(self.address, self.wait, encode).await {
            Ok(Some(datagram)) => Ok(datagram),
            Ok(None) => Err(Trouble::Silence),
            Err(error) => {
                Err(Trouble::Miss(Miss::Failed(format!("cannot send to {}: {error}", self.address))))
            }
        }
    }

    fn read<'a>(&self, datagram: &'a [u8]) -> Result<ReplyBody<'a>, Trouble> {
        let families = match self.family {
            Family::V4 => Families::V4,
            Family::V6 => Families::V6,
        };
        decode_reply(datagram, families)
            .map(|reply| reply.body)
            .map_err(|fault| Trouble::Miss(Miss::Failed(fault.to_string())))
    }
}

fn refused(reason: &str) -> Trouble {
    Trouble::Miss(Miss::Refused { reason: words::plain(reason), retry_in: None })
}

fn mismatch(what: &str) -> Trouble {
    Trouble::Miss(Miss::Failed(format!("{what} is answered with another action")))
}
