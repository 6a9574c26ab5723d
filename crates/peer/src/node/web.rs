//! Web seeds in a swarm (BEP 19). To the engine each is a peer that has everything and chokes nobody; what it is asked for
//! becomes ranges of files.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use engine::{Event, Link as Peer, PeerKey};
use sha1::{Digest, Sha1};
use swarm::PeerId;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use wire::peer::{Block, FRAME_BYTES_MAX, Message, frame};

use super::torrent::{Link, Stay};
use super::{Inner, Phase, Turn};
use crate::net::{Item, Outbound};
use crate::webseed::{AT_ONCE_MAX, FetchError, Layout, WebClient, WebSeed};

/// Web seeds of one torrent that are used, the first ones that it names.
const WEB_SEEDS_MAX: usize = 8;

/// How often a web seed that is asked for nothing says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// What is fetched with one request at first, in bytes.
const RUN_BYTES_FIRST: u64 = 256 << 10;

/// The least that is fetched with one request, as far as there is so much to fetch.
const RUN_BYTES_MIN: u64 = 64 << 10;

/// The most that is fetched with one request.
const RUN_BYTES_MAX: u64 = 4 << 20;

/// The way to web servers, made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Web(OnceLock<Option<WebClient>>);

impl Web {
    fn client(&self) -> Option<WebClient> {
        let made = || WebClient::new().inspect_err(|error| tracing::warn!(%error, "no web seeds")).ok();
        self.0.get_or_init(made).clone()
    }
}

impl Turn<'_> {
    /// Takes the torrent's web seeds into its swarm, if there is something to fetch.
    pub(super) fn begin_with_web_seeds(&mut self) {
        let Some(metainfo) =
            self.running.metainfo.clone().filter(|metainfo| !metainfo.web_seeds().is_empty())
        else {
            return;
        };
        if !self.running.is_in(&Phase::Fetching) {
            return;
        }
        let Some(client) = self.inner.web.client() else { return };
        let layout = Arc::new(Layout::new(metainfo.clone()));
        for url in metainfo.web_seeds().iter().take(WEB_SEEDS_MAX) {
            match WebSeed::new(client.clone(), layout.clone(), url) {
                Ok(seed) => self.join_web(url, seed),
                Err(error) => {
                    tracing::warn!(hash = %self.running.stay.hash, %error, "a web seed cannot be used");
                }
            }
        }
    }

    fn join_web(&mut self, url: &str, seed: WebSeed) {
        let Self { inner, running, session, now } = self;
        let peer =
            Peer { ip: stand_in(url), dialed: None, peer_id: peer_id(url), fast: true, extended: false };
        match running.engine.connected(&peer, *now, session) {
            Ok(key) => {
                let outbound = Arc::new(Outbound::default());
                let (inner, stay) = (inner.clone(), running.stay);
                let runtime = inner.runtime.clone();
                let asked = Asked {
                    inner,
                    stay,
                    key,
                    seed: Arc::new(seed),
                    wanted: VecDeque::new(),
                    under_way: Vec::new(),
                };
                let task = runtime.spawn(asked.serve(outbound.clone())).abort_handle();
                running.links.insert(key, Link { outbound, task });
            }
            Err(reason) => tracing::debug!(%reason, "a web seed is not wanted"),
        }
    }
}

/// A web seed and what it is asked for.
struct Asked {
    inner: Arc<Inner>,
    stay: Stay,
    key: PeerKey,
    seed: Arc<WebSeed>,
    wanted: VecDeque<Block>,
    /// What is being fetched.
    under_way: Vec<Block>,
}

/// What one request brought.
struct Fetched {
    blocks: Vec<Block>,
    took: Duration,
    bytes: Result<Bytes, FetchError>,
}

impl Asked {
    /// Answers until the engine lets go of it, or it turns out to be of no use.
    async fn serve(mut self, outbound: Arc<Outbound>) {
        self.say(&[Message::HaveAll, Message::Unchoke]);
        let mut run_bytes = RUN_BYTES_FIRST;
        // Dropped, it ends what is under way.
        let mut fetches = JoinSet::new();
        loop {
            while fetches.len() < AT_ONCE_MAX
                && let Some(blocks) = self.next_run(run_bytes)
            {
                self.under_way.extend(&blocks);
                fetches.spawn(fetch(self.seed.clone(), self.range(&blocks), blocks));
            }
            tokio::select! {
                items = outbound.take() => self.hear(items),
                Some(done) = fetches.join_next(), if !fetches.is_empty() => {
                    let Ok(Fetched { blocks, took, bytes }) = done else { return self.leave() };
                    self.under_way.retain(|one| !blocks.contains(one));
                    match bytes {
                        Ok(bytes) => {
                            run_bytes = worth_a_second(bytes.len() as u64, took);
                            self.deliver(&blocks, &bytes).await;
                        }
                        Err(FetchError::Later { reason, wait }) => {
                            tracing::info!(seed = self.seed.name(), reason, ?wait, "a web seed rests");
                            fetches = JoinSet::new();
                            self.refuse_all(blocks);
                            self.rest(&outbound, wait).await;
                        }
                        Err(error) => {
                            tracing::warn!(seed = self.seed.name(), %error, "a web seed is left");
                            return self.leave();
                        }
                    }
                }
                () = sleep(KEEP_ALIVE) => self.say(&[Message::KeepAlive]),
            }
        }
    }

    /// Takes in what the engine would send to a peer.
    fn hear(&mut self, items: Vec<Item>) {
        for item in items {
            // It asks for nothing itself, and so is sent no blocks.
            let Item::Messages(bytes) = item else { continue };
            let mut rest = &bytes[..];
            while let Ok(Some((body, used))) = frame(rest, FRAME_BYTES_MAX) {
                rest = &rest[used..];
                match Message::decode(body) {
                    Ok(Message::Request(block)) => self.wanted.push_back(block),
                    Ok(Message::Cancel(block)) => self.wanted.retain(|wanted| *wanted != block),
                    _ => {}
                }
            }
        }
    }

    /// Takes neighbors from the front of what is wanted, up to so many bytes.
    fn next_run(&mut self, bytes_max: u64) -> Option<Vec<Block>> {
        let mut run = vec![self.wanted.pop_front()?];
        let mut bytes = u64::from(run[0].length);
        while let Some(next) = self.wanted.front() {
            let last = run[run.len() - 1];
            let follows = next.piece == last.piece && next.begin == last.begin + last.length;
            bytes += u64::from(next.length);
            if !follows || bytes > bytes_max {
                break;
            }
            run.extend(self.wanted.pop_front());
        }
        Some(run)
    }

    /// Where neighboring blocks are in the payload.
    fn range(&self, blocks: &[Block]) -> std::ops::Range<u64> {
        let start = self.seed.position(blocks[0].piece) + u64::from(blocks[0].begin);
        start..start + blocks.iter().map(|block| u64::from(block.length)).sum::<u64>()
    }

    async fn deliver(&self, blocks: &[Block], bytes: &Bytes) {
        let mut at = 0;
        for &block in blocks {
            let room = self.inner.disk.incoming().take(block.length).await;
            let end = at + block.length as usize;
            let data = bytes.slice(at..end);
            at = end;
            self.inner.turn(self.stay, |turn| {
                turn.tell(Event::Block { peer: self.key, block });
                turn.act(Some((data, room)));
            });
        }
    }

    /// Has the engine ask others for all that this one was asked for.
    fn refuse_all(&mut self, blocks: Vec<Block>) {
        let all = blocks.into_iter().chain(self.under_way.drain(..)).chain(self.wanted.drain(..));
        let refusals: Vec<Message<'_>> = all.map(Message::Reject).collect();
        self.say(&[Message::Choke]);
        self.say(&refusals);
    }

    /// Is asked for nothing for so long.
    async fn rest(&mut self, outbound: &Outbound, wait: Duration) {
        let end = Instant::now() + wait;
        loop {
            tokio::select! {
                // What was under way when it began to rest.
                items = outbound.take() => {
                    self.hear(items);
                    let late: Vec<Message<'_>> = self.wanted.drain(..).map(Message::Reject).collect();
                    self.say(&late);
                }
                () = tokio::time::sleep_until(end.min(Instant::now() + KEEP_ALIVE)) => {
                    if Instant::now() >= end {
                        return self.say(&[Message::Unchoke]);
                    }
                    self.say(&[Message::KeepAlive]);
                }
            }
        }
    }

    fn say(&self, messages: &[Message<'_>]) {
        self.inner.turn(self.stay, |turn| {
            for &message in messages {
                turn.tell(Event::Message { peer: self.key, message });
            }
        });
    }

    fn leave(self) {
        self.inner.turn(self.stay, |turn| {
            if turn.running.links.remove(&self.key).is_some() {
                turn.tell(Event::Gone { peer: self.key });
            }
        });
    }
}

async fn fetch(seed: Arc<WebSeed>, range: std::ops::Range<u64>, blocks: Vec<Block>) -> Fetched {
    let began = Instant::now();
    let bytes = seed.fetch(range).await;
    Fetched { blocks, took: began.elapsed(), bytes }
}

/// What comes in a second at this rate: so long may what is asked for be on its way.
fn worth_a_second(bytes: u64, took: Duration) -> u64 {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    (bytes.saturating_mul(1_000_000) / micros).clamp(RUN_BYTES_MIN, RUN_BYTES_MAX)
}

/// An address by which the engine knows a web seed, and remembers that it sent bad data. It is one of those that lead
/// nowhere (RFC 6666).
fn stand_in(url: &str) -> IpAddr {
    let digest = Sha1::digest(url);
    let mut octets = [0; 16];
    octets[0] = 1;
    octets[8..].copy_from_slice(&digest[..8]);
    Ipv6Addr::from(octets).into()
}

fn peer_id(url: &str) -> PeerId {
    let mut id = *b"-WS0000-............";
    id[8..].copy_from_slice(&Sha1::digest(url)[8..]);
    PeerId(id)
}

#[cfg(test)]
mod tests;
