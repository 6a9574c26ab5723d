//! Connections: how they come to be, and what goes through them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use engine::{Event, Link as Peer, PeerKey};
use swarm::{Endpoint, InfoHash};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wire::peer::{Block, FRAME_BYTES_MAX, Handshake, frame_bytes_max};

use super::{Core, Inner, Link};
use crate::net::{self, Batch, Blocks, Inbound, Outbound};

/// How long to rest when the system has no connection to give, as when there are too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Lets others in.
pub(super) async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        // It fails only once it is closed, and nothing closes it.
        let Ok(room) = inner.welcomes.clone().acquire_owned().await else { return };
        let mut stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "nobody can be let in");
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let inner = inner.clone();
        tokio::spawn(async move {
            let is_known = |hash| inner.core.lock().torrents.contains_key(&hash);
            match net::welcome(&mut stream, inner.peer_id, is_known).await {
                Ok(theirs) => inner.join(stream, &theirs, None),
                Err(error) => tracing::debug!(%error, "somebody was not let in"),
            }
            drop(room);
        });
    }
}

/// Connects to somebody.
pub(super) async fn dial(inner: Arc<Inner>, hash: InfoHash, endpoint: Endpoint) {
    match net::dial(endpoint, &Handshake::new(hash, inner.peer_id)).await {
        Ok((stream, theirs)) => inner.join(stream, &theirs, Some(endpoint)),
        Err(error) => {
            tracing::debug!(?endpoint, %error, "cannot connect");
            inner.handle(hash, Event::ConnectFailed { endpoint });
        }
    }
}

impl Inner {
    /// A connection whose handshakes are done becomes a peer, if the engine wants it.
    fn join(self: &Arc<Self>, stream: TcpStream, theirs: &Handshake, dialed: Option<Endpoint>) {
        let hash = theirs.info_hash;
        let ip = match (dialed, net::remote(&stream)) {
            (Some(endpoint), _) => endpoint.ip(),
            (None, Ok(ip)) => ip,
            (None, Err(_)) => return,
        };
        let peer =
            Peer { ip, dialed, peer_id: theirs.peer_id, fast: theirs.fast(), extended: theirs.extended() };
        self.step(hash, |running, now, session| match running.engine.connected(&peer, now, session) {
            Ok(key) => {
                let outbound = Arc::new(Outbound::default());
                let serving = serve(self.clone(), hash, key, stream, outbound.clone());
                let task = self.runtime.spawn(serving).abort_handle();
                running.links.insert(key, Link { outbound, task });
            }
            Err(reason) => tracing::debug!(%ip, %reason, "not wanted"),
        });
    }

    /// Takes in what a peer said.
    fn hear(self: &Arc<Self>, hash: InfoHash, key: PeerKey, batch: &mut Batch<'_>) -> io::Result<()> {
        let mut core = self.core.lock();
        let Core { session, torrents, armed } = &mut *core;
        let running = torrents.get_mut(&hash).ok_or(io::ErrorKind::ConnectionAborted)?;
        let now = self.now();
        let length_max = |layout: &engine::Layout| frame_bytes_max(layout.pieces());
        let length_max = running.engine.layout().map_or(FRAME_BYTES_MAX, length_max);
        while let Some(inbound) = batch.next(length_max)? {
            let data = match inbound {
                Inbound::Block(block, data) => {
                    running.engine.handle(Event::Block { peer: key, block }, now, session);
                    Some((data, batch.paid(block.length)))
                }
                Inbound::Message(message) => {
                    running.engine.handle(Event::Message { peer: key, message }, now, session);
                    None
                }
            };
            self.act(hash, running, session, now, data);
            if !running.links.contains_key(&key) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        self.arm(running, session, now, armed);
        Ok(())
    }
}

/// Carries a connection until it ends.
async fn serve(
    inner: Arc<Inner>,
    hash: InfoHash,
    key: PeerKey,
    mut stream: TcpStream,
    outbound: Arc<Outbound>,
) {
    let (from, mut to) = stream.split();
    let feed = Feed { inner: &inner, hash, key };
    let end = tokio::select! {
        end = net::read(&from, &inner.supply, |batch| inner.hear(hash, key, batch)) => end,
        end = net::write(&mut to, &outbound, &feed) => end,
    };
    if let Err(error) = end {
        tracing::debug!(?key, %error, "a connection ended");
    }
    inner.step(hash, |running, now, session| {
        if running.links.remove(&key).is_some() {
            running.engine.handle(Event::Gone { peer: key }, now, session);
        }
    });
}

/// What one peer is sent.
struct Feed<'a> {
    inner: &'a Arc<Inner>,
    hash: InfoHash,
    key: PeerKey,
}

impl Blocks for Feed<'_> {
    async fn read(&self, blocks: Vec<Block>) -> Vec<Option<Bytes>> {
        let torrent = |core: &Core| core.torrents.get(&self.hash)?.storage.clone();
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
        self.inner.handle(self.hash, Event::Sent { peer: self.key, bytes });
    }

    fn unreadable(&self, block: Block) {
        self.inner.handle(self.hash, Event::Unreadable { peer: self.key, block });
    }
}
