//! Giving files to the peers of the four dialects, all on one port: what they ask for tells which dialect it is.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use wire::Malformed;
use wire::classic::chunklist::CHUNK_BYTES;
use wire::classic::index;
use wire::classic::transfer::{self, Opening, PART_BYTES, Wanted};

use super::slots::Slots;
use super::{Error, Pace, Shelf, Wrong};

/// How long a request may take as a whole.
const REQUEST: Duration = Duration::from_secs(10);

/// The silence that ends a request which has no other end and is no name offered here, or may become a longer one.
const REQUEST_SILENCE: Duration = Duration::from_millis(200);

/// What is read from the disk, paced and sent at once, in bytes.
const BLOCK_BYTES: u32 = 64 << 10;

/// How long the other side may take for one block.
const BLOCK: Duration = Duration::from_secs(30);

/// How long the other side may take to close after the last byte.
const CLOSE: Duration = Duration::from_secs(5);

/// How long accepting rests when the system has no room for another connection.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Gives away what is on a shelf. Clones share the bounds: a number of transfers at once, in all and for each address.
#[derive(Clone)]
pub struct Server {
    shelf: Arc<dyn Shelf>,
    pace: Pace,
    slots: Slots,
}

/// What came of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It got what it wanted.
    Gave {
        /// What it wanted.
        wanted: Wanted,
        /// How many bytes of the file it was sent.
        bytes: u64,
    },
    /// It wanted something that is not here, or asked for nothing that could be; it was told so.
    Refused,
    /// Too many are being served; it was told nothing.
    Busy,
}

/// Some bytes of an open file.
struct Stretch {
    file: Arc<File>,
    from: u64,
    to: u64,
    /// The size of the whole.
    size: u64,
}

impl Server {
    /// One that gives away what is on `shelf`, at that pace.
    #[must_use]
    pub fn new(shelf: Arc<dyn Shelf>, pace: Pace) -> Self {
        Self { shelf, pace, slots: Slots::default() }
    }

    /// Serves everybody who connects. It ends never; dropped, it ends all transfers.
    pub async fn run(&self, listener: TcpListener) {
        let mut transfers = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = transfers.join_next() => continue,
            };
            match accepted {
                Ok((stream, from)) => {
                    let server = self.clone();
                    transfers.spawn(async move {
                        match server.serve(stream, &[]).await {
                            Ok(served) => tracing::debug!(%from, ?served, "classic transfer"),
                            Err(error) => tracing::debug!(%error, "classic transfer"),
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Serves one connection, of which `first` has been read already and does not begin with byte 19, as a BitTorrent
    /// handshake would.
    ///
    /// # Errors
    /// If the connection breaks, or the other side takes too long.
    pub async fn serve(&self, mut stream: TcpStream, first: &[u8]) -> Result<Served, Error> {
        let who = match stream.peer_addr() {
            Ok(who) => who,
            // It is gone already.
            Err(error) => return Err(Wrong::BrokeOff(error).with(SocketAddr::from(([0; 4], 0)))),
        };
        let Some(_slot) = self.slots.take(who.ip()) else { return Ok(Served::Busy) };
        self.answer(&mut stream, first).await.map_err(|wrong| wrong.with(who))
    }

    async fn answer(&self, stream: &mut TcpStream, first: &[u8]) -> Result<Served, Wrong> {
        let mut received = first.to_vec();
        let mut head = Vec::new();
        let (wanted, stretch) = match self.request(stream, &mut received).await? {
            Ok(wanted) => {
                let stretch = self.find(&wanted, &received).await;
                if let Wanted::Download { .. } = wanted {
                    transfer::encode_size(stretch.as_ref().map(|stretch| stretch.size), &mut head);
                }
                (wanted, stretch)
            }
            Err(malformed) => {
                refuse_malformed(&received, &malformed, &mut head);
                send(stream, &head).await?;
                return close(stream).await.map(|()| Served::Refused);
            }
        };
        let Some(stretch) = stretch else {
            match wanted {
                // A bare name may be of `token` or of `beacon`. Only in `token` it is usual to ask for parts instead.
                Wanted::File(_) => head.extend_from_slice(transfer::FILE_NOT_FOUND),
                Wanted::Part { .. } => head.extend_from_slice(transfer::NOT_FOUND),
                // Nothing at all is what `chunklist` has for it, and for the others it is in the head.
                Wanted::Chunk(_) | Wanted::Download { .. } => {}
            }
            send(stream, &head).await?;
            return close(stream).await.map(|()| Served::Refused);
        };
        send(stream, &head).await?;
        let bytes = stretch.to - stretch.from;
        self.send_stretch(stream, stretch).await?;
        close(stream).await?;
        Ok(Served::Gave { wanted, bytes })
    }

    /// Reads the request to its end, if need be that nothing more comes.
    async fn request(
        &self,
        stream: &mut TcpStream,
        received: &mut Vec<u8>,
    ) -> Result<Result<Wanted, Malformed>, Wrong> {
        let deadline = Instant::now() + REQUEST;
        loop {
            let opening = match transfer::decode(received) {
                Ok(opening) => opening,
                Err(malformed) => return Ok(Err(malformed)),
            };
            let (wanted, until) = match opening {
                Opening::Whole(wanted) => return Ok(Ok(wanted)),
                Opening::Open(wanted) if self.is_settled(&wanted, received) => return Ok(Ok(wanted)),
                Opening::Open(wanted) => (Some(wanted), deadline.min(Instant::now() + REQUEST_SILENCE)),
                Opening::Incomplete => (None, deadline),
            };
            let read = timeout_at(until, stream.read_buf(received)).await;
            match (read, wanted) {
                (Ok(Ok(0)) | Err(_), Some(wanted)) => return Ok(Ok(wanted)),
                (Ok(Ok(0)), None) => return Err(Wrong::Closed),
                (Ok(Ok(_)), _) => {}
                (Ok(Err(error)), _) => return Err(Wrong::BrokeOff(error)),
                (Err(_), None) => return Err(Wrong::Silent(REQUEST)),
            }
        }
    }

    /// Whether a request is answered without waiting whether more of it comes: it names what is here, and nothing else
    /// that is here has a longer name of that beginning.
    fn is_settled(&self, wanted: &Wanted, received: &[u8]) -> bool {
        let text = text(received);
        if self.shelf.has_longer(text) {
            return false;
        }
        match wanted {
            Wanted::File(name) => self.shelf.has(name),
            // Parts and chunks are asked for one after another, so waiting would be for each of them. Clients send a
            // number in one piece.
            Wanted::Part { name, .. } => self.shelf.has(text) || self.shelf.has(name),
            Wanted::Chunk(_) => self.shelf.has(text) || self.shelf.chunked().is_some(),
            Wanted::Download { .. } => true,
        }
    }

    /// What is wanted, if it is here. A name that looks like a part or a number may be that of a file.
    async fn find(&self, wanted: &Wanted, received: &[u8]) -> Option<Stretch> {
        let text = text(received);
        match wanted {
            Wanted::File(name) => self.open(name).await,
            Wanted::Part { .. } if self.shelf.has(text) => self.open(text).await,
            Wanted::Part { name, part } => self.open(name).await?.piece(*part, PART_BYTES),
            Wanted::Chunk(number) => {
                let chunk = match self.shelf.chunked() {
                    Some(name) => {
                        self.open(&name).await.and_then(|stretch| stretch.piece(*number, CHUNK_BYTES))
                    }
                    None => None,
                };
                match chunk {
                    Some(chunk) => Some(chunk),
                    None => self.open(text).await,
                }
            }
            Wanted::Download { name, offset } => {
                let whole = self.open(name).await?;
                // Behind the end there is nothing, but the size that is told says why.
                Some(Stretch { from: (*offset).min(whole.to), ..whole })
            }
        }
    }

    async fn open(&self, name: &str) -> Option<Stretch> {
        if !self.shelf.has(name) {
            return None;
        }
        let (shelf, name) = (Arc::clone(&self.shelf), name.to_owned());
        let opened = spawn_blocking(move || {
            let file = shelf.open(&name)?;
            let metadata = file.metadata()?;
            match metadata.is_file() {
                true => io::Result::Ok((file, metadata.len())),
                false => Err(io::ErrorKind::NotFound.into()),
            }
        });
        match opened.await {
            Ok(Ok((file, size))) => Some(Stretch { file: Arc::new(file), from: 0, to: size, size }),
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot open a file that is offered");
                None
            }
            Err(_) => None,
        }
    }

    async fn send_stretch(&self, stream: &mut TcpStream, stretch: Stretch) -> Result<(), Wrong> {
        let mut block = Vec::new();
        let mut at = stretch.from;
        while at < stretch.to {
            let bytes = u32::try_from(stretch.to - at).unwrap_or(u32::MAX).min(BLOCK_BYTES);
            let file = Arc::clone(&stretch.file);
            let read = spawn_blocking(move || {
                block.resize(bytes as usize, 0);
                file.read_exact_at(&mut block, at).map(|()| block)
            });
            // What cannot be read (any more) is not made up: the other side sees that it is short.
            block = read.await.map_err(io::Error::other).flatten().map_err(Wrong::Unread)?;
            sleep(self.pace.wait(bytes)).await;
            send(stream, &block).await?;
            at += u64::from(bytes);
        }
        Ok(())
    }
}

impl Stretch {
    /// The piece of that number, if there is one.
    fn piece(self, number: u32, piece_bytes: u64) -> Option<Self> {
        let from = u64::from(number) * piece_bytes;
        // An empty file has one piece, which is empty.
        let is_there = from < self.size || number == 0;
        is_there.then(|| Self { from, to: self.size.min(from + piece_bytes), ..self })
    }
}

/// A request as a name.
fn text(received: &[u8]) -> &str {
    std::str::from_utf8(received).unwrap_or_default().trim_end_matches(['\r', '\n'])
}

/// What is said to a request that is none.
fn refuse_malformed(received: &[u8], malformed: &Malformed, out: &mut Vec<u8>) {
    if received.trim_ascii_start().starts_with(b"{") {
        index::encode(&index::Reply::Error { reason: malformed.reason().to_owned() }, out);
    } else {
        out.extend_from_slice(transfer::FILE_NOT_FOUND);
    }
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<(), Wrong> {
    match timeout(BLOCK, stream.write_all(bytes)).await {
        Ok(sent) => sent.map_err(Wrong::BrokeOff),
        Err(_) => Err(Wrong::Silent(BLOCK)),
    }
}

/// Ends the connection so that nothing of what was sent is lost: closing it at once would, if something unread is left.
async fn close(stream: &mut TcpStream) -> Result<(), Wrong> {
    stream.shutdown().await.map_err(Wrong::BrokeOff)?;
    let mut unread = [0; transfer::REQUEST_BYTES_MAX];
    let closed = async { while let Ok(1..) = stream.read(&mut unread).await {} };
    // All was sent; who does not close is not waited for any longer.
    let _ = timeout(CLOSE, closed).await;
    Ok(())
}
