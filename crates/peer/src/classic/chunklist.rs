//! A client of `chunklist` trackers: datagrams, and connections of their own for chunk lists.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sha2::{Digest, Sha256};
use swarm::Port;
use swarm::directory::CHUNK_LIST_BYTES_MAX;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use wire::classic::chunklist::{self, CHUNK_BYTES, Request};

pub use wire::classic::chunklist::Seeder;

use super::conversation::connect;
use super::datagram::{self, PATIENCE, TRIES};
use super::{Error, Wrong};

/// The port that trackers of this dialect usually have.
pub const PORT: u16 = 5555;

/// How often to say that one is still there; 30 seconds of silence are too many.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long the tracker may take to connect for a chunk list after it has said that it will.
const CALL: Duration = Duration::from_secs(5);

/// How long the port of the side channel is waited for that another seeder of this machine has, just now.
const SIDE_CHANNEL: Duration = Duration::from_secs(5);

/// How often it is tried in that time.
const SIDE_CHANNEL_AGAIN: Duration = Duration::from_millis(100);

/// The silence that ends a chunk list: not all who send one close the connection.
const LIST_SILENCE: Duration = Duration::from_secs(2);

/// How long a chunk list may take as a whole.
const LIST: Duration = Duration::from_secs(30);

/// A tracker, as a seeder sees it.
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

    /// Offers the chunks with these hashes under `name`, and gives the tracker their list when it connects for it.
    /// Whether it did: some never fetch it.
    ///
    /// # Errors
    /// If the port behind the tracker's cannot be listened on, which is where it connects to, or the tracker does not
    /// answer, or not in this dialect.
    pub async fn register(&self, name: &str, port: Port, chunks: &[[u8; 32]]) -> Result<bool, Error> {
        let wrong = |wrong: Wrong| wrong.with(self.tracker);
        let socket = datagram::socket(self.tracker).await?;
        let here = socket.local_addr().map_err(|error| wrong(Wrong::Unreachable(error)))?.ip();
        // The tracker may connect before its answer is here.
        let listener = self.side_channel(here).await?;
        let mut list = Vec::new();
        chunklist::encode_chunks(chunks, &mut list);
        let (name, size) = (name.to_owned(), u64::try_from(list.len()).unwrap_or(u64::MAX));
        let mut message = Vec::new();
        chunklist::encode_request(&Request::Register { name, ip: Some(here), port, size }, &mut message);
        let mut handing_over = std::pin::pin!(self.hand_over(&listener, &list));
        for _ in 0..TRIES {
            socket.send(&message).await.map_err(|error| wrong(Wrong::Unreachable(error)))?;
            tokio::select! {
                answer = timeout(PATIENCE, datagram::receive(&socket, self.tracker)) => {
                    let Ok(answer) = answer else { continue };
                    let called = chunklist::decode_call(&answer?).map_err(|malformed| wrong(malformed.into()))?;
                    if u32::from(called.get()) != self.side_channel_port() {
                        return Err(wrong(Wrong::OffTopic));
                    }
                    return match timeout(CALL, handing_over).await {
                        Ok(given) => given.map(|()| true),
                        Err(_) => Ok(false),
                    };
                }
                given = &mut handing_over => return given.map(|()| true),
            }
        }
        Err(wrong(Wrong::Silent(PATIENCE * TRIES)))
    }

    /// All who seed.
    ///
    /// # Errors
    /// If the tracker does not answer, or not in this dialect.
    pub async fn list(&self) -> Result<Vec<Seeder>, Error> {
        let mut question = Vec::new();
        chunklist::encode_request(&Request::ListSeeder, &mut question);
        let answer = datagram::ask(self.tracker, &question).await?;
        chunklist::decode_seeders(&answer).map_err(|malformed| Wrong::from(malformed).with(self.tracker))
    }

    /// The SHA-256 of each chunk of what a seeder has, as the tracker was told.
    ///
    /// # Errors
    /// If the tracker gives no list, or what it gives is none.
    pub async fn chunks(&self, seeder: &Seeder) -> Result<Vec<[u8; 32]>, Error> {
        let from = SocketAddr::new(self.tracker.ip(), seeder.chunk_list_port.get());
        let mut message = Vec::new();
        chunklist::encode_request(&Request::GetChunkList { name: seeder.name.clone() }, &mut message);
        let mut list = Vec::new();
        for _ in 0..TRIES {
            // The connection says nothing: the tracker knows by the datagram before it whose list is wanted.
            datagram::tell(self.tracker, &message).await?;
            let mut stream = connect(from).await?;
            list = read_list(&mut stream, seeder.size).await.map_err(|wrong| wrong.with(from))?;
            if !list.is_empty() {
                break;
            }
        }
        if list.is_empty() {
            return Err(Wrong::Closed.with(from));
        }
        chunklist::decode_chunks(&list).map_err(|malformed| Wrong::from(malformed).with(from))
    }

    /// Says that the seeder of that name is still there.
    ///
    /// # Errors
    /// If there is no way to the tracker.
    pub async fn heartbeat(&self, name: &str) -> Result<(), Error> {
        self.tell(&Request::Heartbeat { name: name.to_owned() }).await
    }

    /// Says that the seeder of that name is gone. Only a hub of Skep's knows the word.
    ///
    /// # Errors
    /// If there is no way to the tracker.
    pub async fn exit(&self, name: &str) -> Result<(), Error> {
        self.tell(&Request::Exit { name: name.to_owned() }).await
    }

    async fn tell(&self, request: &Request) -> Result<(), Error> {
        let mut message = Vec::new();
        chunklist::encode_request(request, &mut message);
        datagram::tell(self.tracker, &message).await
    }

    fn side_channel_port(&self) -> u32 {
        u32::from(self.tracker.port()) + 1
    }

    async fn side_channel(&self, here: IpAddr) -> Result<TcpListener, Error> {
        let port = self.side_channel_port();
        let deadline = Instant::now() + SIDE_CHANNEL;
        loop {
            let bound = match u16::try_from(port) {
                Ok(port) => TcpListener::bind((here, port)).await,
                Err(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no such port")),
            };
            match bound {
                Ok(listener) => return Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                    sleep(SIDE_CHANNEL_AGAIN).await;
                }
                Err(source) => return Err(Wrong::NoSideChannel { port, source }.with(self.tracker)),
            }
        }
    }

    /// Writes the list to the tracker once it connects; others that do are sent away.
    async fn hand_over(&self, listener: &TcpListener, list: &[u8]) -> Result<(), Error> {
        let broke_off = |error| Wrong::BrokeOff(error).with(self.tracker);
        loop {
            let (mut stream, from) = listener.accept().await.map_err(broke_off)?;
            if from.ip().to_canonical() != self.tracker.ip().to_canonical() {
                continue;
            }
            let handed_over = timeout(LIST, async {
                stream.write_all(list).await?;
                stream.shutdown().await?;
                // It is waited for the tracker to close, so that nothing is lost on the way.
                stream.read(&mut [0]).await
            });
            return match handed_over.await {
                Ok(closed) => closed.map(drop).map_err(broke_off),
                Err(_) => Err(Wrong::Silent(LIST).with(self.tracker)),
            };
        }
    }
}

/// Reads a chunk list to its end: that of the connection, of `size`, which is often too much, or two seconds of silence.
async fn read_list(stream: &mut TcpStream, size: u64) -> Result<Vec<u8>, Wrong> {
    // Who does not know the size says 0.
    let bytes_max = usize::try_from(size).ok().filter(|&size| size > 0).unwrap_or(CHUNK_LIST_BYTES_MAX);
    let bytes_max = bytes_max.min(CHUNK_LIST_BYTES_MAX);
    let deadline = Instant::now() + LIST;
    let mut list = Vec::new();
    while list.len() < bytes_max {
        match timeout_at(deadline.min(Instant::now() + LIST_SILENCE), stream.read_buf(&mut list)).await {
            Ok(Ok(1..)) => {}
            Ok(Err(error)) => return Err(Wrong::BrokeOff(error)),
            Ok(Ok(0)) | Err(_) => break,
        }
    }
    list.truncate(bytes_max);
    Ok(list)
}

/// The most chunks whose list trackers take: files of 6.8 GiB.
const CHUNKS_MAX: usize = CHUNK_LIST_BYTES_MAX / "99999: '', ".len().saturating_add(64);

/// The largest file that has a chunk list, in bytes.
pub const FILE_BYTES_MAX: u64 = CHUNKS_MAX as u64 * CHUNK_BYTES;

/// The SHA-256 of each chunk of a file, read from where it stands to its end. It waits for the disk.
///
/// # Errors
/// If the file cannot be read, or is so large that no tracker takes the list of its chunks.
pub fn hash_chunks(file: &mut File) -> io::Result<Vec<[u8; 32]>> {
    let mut hashes = Vec::new();
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        if file.take(CHUNK_BYTES).read_to_end(&mut chunk)? == 0 {
            return Ok(hashes);
        }
        if hashes.len() == CHUNKS_MAX {
            let why = format!("it has more than {CHUNKS_MAX} chunks, whose list trackers do not take");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        hashes.push(Sha256::digest(&chunk).into());
    }
}
