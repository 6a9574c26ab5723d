//! Connections: how they come to be, and what goes through them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use engine::{Event, Link as Peer, PeerKey};
use swarm::Endpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::task::JoinSet;
use wire::peer::{Block, FRAME_BYTES_MAX, Handshake, frame_bytes_max};

use super::torrent::{Link, Stay};
use super::{Core, Inner};
use crate::classic;
use crate::net::{self, Batch, Blocks, Heard, Inbound, Outbound};

/// How long to rest when the system has no connection to give, as when there are too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Lets others in. Who does not shake hands as a peer of torrents does is left to `classic`, if that is there.
pub(super) async fn accept(inner: Arc<Inner>, listener: TcpListener, classic: Option<classic::Server>) {
    // It ends with this, and with it what the classic peers are given.
    let mut welcomes = JoinSet::new();
    loop {
        // It fails only once it is closed, and nothing closes it.
        let Ok(room) = inner.welcomes.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "nobody can be let in");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        while welcomes.try_join_next().is_some() {}
        welcomes.spawn(welcome(inner.clone(), stream, room, classic.clone()));
    }
}

async fn welcome(
    inner: Arc<Inner>,
    mut stream: TcpStream,
    room: OwnedSemaphorePermit,
    classic: Option<classic::Server>,
) {
    let is_known = |hash| inner.core.lock().torrents.contains_key(&hash);
    match net::welcome(&mut stream, inner.peer_id, is_known).await {
        Ok(Heard::Handshake(theirs)) => {
            if let Some(stay) = inner.stay(theirs.info_hash) {
                inner.join(stay, stream, &theirs, None);
            }
        }
        Ok(Heard::Other(first)) => {
            // A transfer takes its time, and has bounds of its own.
            drop(room);
            match classic {
                Some(server) => match server.serve(stream, &first).await {
                    Ok(served) => tracing::debug!(?served, "classic transfer"),
                    Err(error) => tracing::debug!(%error, "classic transfer"),
                },
                None => tracing::debug!("somebody who speaks another protocol was not let in"),
            }
        }
        Err(error) => tracing::debug!(%error, "somebody was not let in"),
    }
}

/// Connects to somebody.
pub(super) async fn dial(inner: Arc<Inner>, stay: Stay, endpoint: Endpoint) {
    match net::dial(endpoint, &Handshake::new(stay.hash, inner.peer_id)).await {
        Ok((stream, theirs)) => inner.join(stay, stream, &theirs, Some(endpoint)),
        Err(error) => {
            tracing::debug!(?endpoint, %error, "cannot connect");
            inner.handle(stay, Event::ConnectFailed { endpoint });
        }
    }
}

impl Inner {
    /// A connection whose handshakes are done becomes a peer, if the engine wants it.
    fn join(self: &Arc<Self>, stay: Stay, stream: TcpStream, theirs: &Handshake, dialed: Option<Endpoint>) {
        let ip = match (dialed, net::remote(&stream)) {
            (Some(endpoint), _) => endpoint.ip(),
            (None, Ok(ip)) => ip,
            (None, Err(_)) => return,
        };
        let peer =
            Peer { ip, dialed, peer_id: theirs.peer_id, fast: theirs.fast(), extended: theirs.extended() };
        self.turn(stay, |turn| match turn.running.engine.connected(&peer, turn.now, turn.session) {
            Ok(key) => {
                let outbound = Arc::new(Outbound::default());
                let serving = serve(self.clone(), stay, key, stream, outbound.clone());
                let task = self.runtime.spawn(serving).abort_handle();
                turn.running.links.insert(key, Link { outbound, task });
            }
            Err(reason) => tracing::debug!(%ip, %reason, "not wanted"),
        });
    }

    /// Takes in what a peer said.
    fn hear(self: &Arc<Self>, stay: Stay, key: PeerKey, batch: &mut Batch<'_>) -> io::Result<()> {
        let heard = self.turn(stay, |turn| {
            let length_max = |layout: &engine::Layout| frame_bytes_max(layout.pieces());
            let length_max = turn.running.engine.layout().map_or(FRAME_BYTES_MAX, length_max);
            while let Some(inbound) = batch.next(length_max)? {
                let data = match inbound {
                    Inbound::Block(block, data) => {
                        turn.tell(Event::Block { peer: key, block });
                        Some((data, batch.paid(block.length)))
                    }
                    Inbound::Message(message) => {
                        turn.tell(Event::Message { peer: key, message });
                        None
                    }
                };
                turn.act(data);
                if !turn.running.links.contains_key(&key) {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
            }
            Ok(())
        });
        heard.unwrap_or_else(|| Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

/// Carries a connection until it ends.
async fn serve(inner: Arc<Inner>, stay: Stay, key: PeerKey, mut stream: TcpStream, outbound: Arc<Outbound>) {
    let (from, mut to) = stream.split();
    let feed = Feed { inner: &inner, stay, key };
    let end = tokio::select! {
        end = net::read(&from, &inner.supply, |batch| inner.hear(stay, key, batch)) => end,
        end = net::write(&mut to, &outbound, &feed) => end,
    };
    if let Err(error) = end {
        tracing::debug!(?key, %error, "a connection ended");
    }
    inner.turn(stay, |turn| {
        if turn.running.links.remove(&key).is_some() {
            turn.tell(Event::Gone { peer: key });
        }
    });
}

/// What one peer is sent.
struct Feed<'a> {
    inner: &'a Arc<Inner>,
    stay: Stay,
    key: PeerKey,
}

impl Blocks for Feed<'_> {
    async fn read(&self, blocks: Vec<Block>) -> Vec<Option<Bytes>> {
        let torrent = |core: &Core| core.torrents.get(&self.stay.hash)?.storage.clone();
        let Some(storage) = torrent(&self.inner.core.lock()) else { return vec![None; blocks.len()] };
        let outgoing = self.inner.disk.outgoing();
        let mut reads = Vec::with_capacity(blocks.len());
        for block in blocks {
            // Only who holds nothing may wait: otherwise all could hold some and wait for each other.
            let room = match (reads.is_empty(), outgoing.try_take(block.length)) {
                (_, Some(room)) => room,
                (true, None) => outgoing.take(block.length).await,
                (false, None) => break,
            };
            let (reader, data) = oneshot::channel();
            let tag = self.inner.next_read.fetch_add(1, Ordering::Relaxed);
            self.inner.reads.lock().insert(tag, reader);
            storage.read(block.piece, block.begin, block.length, tag, room);
            reads.push(data);
        }
        let mut data = Vec::with_capacity(reads.len());
        for read in reads {
            data.push(read.await.unwrap_or_default());
        }
        data
    }

    fn sent(&self, bytes: u32) {
        self.inner.handle(self.stay, Event::Sent { peer: self.key, bytes });
    }

    fn unreadable(&self, block: Block) {
        self.inner.handle(self.stay, Event::Unreadable { peer: self.key, block });
    }
}
