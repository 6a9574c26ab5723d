//! A peer that is nobody's program: it does what a test wants it to do.
//!
//! It speaks as much of BEP 3 as is needed to give blocks to others, and of BEP 9 to say what a torrent is.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::http::Request;
use crate::lan::Host;

/// The most that it reads of one message, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A block of an info dictionary (BEP 9), in bytes.
const METADATA_BLOCK_BYTES: usize = 16 << 10;

/// What it calls itself.
const PEER_ID: &[u8; 20] = b"-XX0000-a stranger!!";

const UNCHOKE: u8 = 1;
const BITFIELD: u8 = 5;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;
const EXTENDED: u8 = 20;

/// What it does to those who ask.
#[derive(Debug, Clone)]
pub enum Manner {
    /// It gives the blocks of this payload.
    Honest {
        /// All bytes.
        payload: Vec<u8>,
        /// Bytes in a piece.
        piece_length: usize,
    },
    /// It claims to have all of so many pieces, and gives blocks of other bytes.
    Lying {
        /// Pieces of the torrent.
        pieces: usize,
    },
    /// It says that the torrent's info dictionary has so many bytes.
    Misdescribing {
        /// So many.
        bytes: usize,
        /// Whether it gives such a dictionary to those who ask, or never answers.
        answers: bool,
    },
}

/// One that listens until it is dropped.
#[derive(Debug)]
pub struct Stranger {
    host: Host,
    address: SocketAddr,
    info_hash: [u8; 20],
    asked: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Stranger {
    /// One on `host`, over IPv4, in the swarm of `info_hash` (40 hexadecimal digits).
    ///
    /// # Panics
    /// If it cannot listen, or the hash is none.
    #[must_use]
    pub fn start(host: &Host, info_hash: &str, manner: Manner) -> Self {
        // At all addresses: on loopback, a hub may name another of this machine's.
        let listener = host.enter(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let address = SocketAddr::new(host.v4(), port);
        let mut hash = [0; 20];
        for (byte, at) in hash.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&info_hash[at..at + 2], 16).expect("an info hash");
        }
        let (asked, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (asked.clone(), over.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let (manner, count) = (manner.clone(), count.clone());
                // A conversation ends with its connection.
                thread::spawn(move || converse(stream, &hash, &manner, &count));
            }
        });
        Self { host: host.clone(), address, info_hash: hash, asked, over }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many blocks it has been asked for, of the payload or of the info dictionary.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Has the tracker at `to`, which speaks HTTP, name it as one that has everything.
    ///
    /// # Panics
    /// If the tracker does not take it.
    pub fn announce(&self, to: SocketAddr) {
        let escaped = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("%{byte:02x}")).collect() };
        let (hash, id, port) = (escaped(&self.info_hash), escaped(PEER_ID), self.address.port());
        let target = format!(
            "/announce?info_hash={hash}&peer_id={id}&port={port}&uploaded=0&downloaded=0&left=0&event=started"
        );
        let answer = Request::new("GET", &target).send(&self.host, to).expect("a tracker's answer");
        assert!(answer.text().contains("8:interval"), "{}", answer.text());
    }

    /// Whether the peer at `other` takes no connection of this one's: it closes it without a word about the swarm.
    ///
    /// # Panics
    /// If nobody listens there.
    #[must_use]
    pub fn is_shunned_by(&self, other: SocketAddr) -> bool {
        let mut stream = self.host.connect(other).expect("somebody who listens");
        let mut theirs = [0; 68];
        let greeted =
            stream.write_all(&handshake(&self.info_hash)).and_then(|()| stream.read_exact(&mut theirs));
        let word = greeted.and_then(|()| stream.read(&mut [0]));
        !matches!(word, Ok(1))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(self.host.connect(self.address));
    }
}

/// BEP 3's handshake, with the bit of BEP 10.
fn handshake(info_hash: &[u8; 20]) -> Vec<u8> {
    [&b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\0"[..], info_hash, PEER_ID].concat()
}

/// Talks to one peer until that hangs up.
fn converse(
    mut stream: TcpStream,
    info_hash: &[u8; 20],
    manner: &Manner,
    asked: &AtomicUsize,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; 68])?;
    stream.write_all(&handshake(info_hash))?;
    let pieces = match manner {
        Manner::Honest { payload, piece_length } => payload.len().div_ceil(*piece_length),
        Manner::Lying { pieces } => *pieces,
        Manner::Misdescribing { bytes, .. } => {
            let hello = format!("\0d1:md11:ut_metadatai1ee13:metadata_sizei{bytes}ee");
            say(&mut stream, EXTENDED, hello.as_bytes())?;
            0
        }
    };
    if pieces > 0 {
        let bits: Vec<u8> =
            (0..pieces.div_ceil(8)).map(|at| 0xff << 8_usize.saturating_sub(pieces - 8 * at)).collect();
        say(&mut stream, BITFIELD, &bits)?;
        say(&mut stream, UNCHOKE, &[])?;
    }
    let mut metadata_id = 0;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > MESSAGE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message)?;
        match (message.as_slice(), manner) {
            ([REQUEST, request @ ..], _) if request.len() == 12 => {
                asked.fetch_add(1, Ordering::Relaxed);
                let [piece, begin, bytes] = [0, 4, 8].map(|at| number(request, at));
                let data = match manner {
                    Manner::Honest { payload, piece_length } => payload
                        .get(piece * piece_length + begin..)
                        .and_then(|rest| rest.get(..bytes))
                        .map(<[u8]>::to_vec),
                    _ => Some(vec![0x6c; bytes]),
                };
                let data = data.ok_or(io::ErrorKind::InvalidData)?;
                say(&mut stream, PIECE, &[&request[..8], &data].concat())?;
            }
            ([EXTENDED, 0, hello @ ..], _) => metadata_id = value(hello, "11:ut_metadatai").unwrap_or(0),
            ([EXTENDED, 1, request @ ..], Manner::Misdescribing { bytes, answers }) => {
                asked.fetch_add(1, Ordering::Relaxed);
                if let (true, Some(block)) = (*answers, value(request, "5:piecei")) {
                    let id = u8::try_from(metadata_id).unwrap_or(0);
                    let head = format!("d8:msg_typei1e5:piecei{block}e10:total_sizei{bytes}ee");
                    let data = vec![
                        b'i';
                        METADATA_BLOCK_BYTES
                            .min(bytes.saturating_sub(block * METADATA_BLOCK_BYTES))
                    ];
                    say(&mut stream, EXTENDED, &[&[id], head.as_bytes(), &data].concat())?;
                }
            }
            _ => {}
        }
    }
}

fn say(stream: &mut TcpStream, id: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(1 + payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    stream.write_all(&[&length[..], &[id], payload].concat())
}

fn number(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + 4].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The number behind `key` in bencoded text.
fn value(text: &[u8], key: &str) -> Option<usize> {
    let text = String::from_utf8_lossy(text);
    text.split_once(key)?.1.split_once('e')?.0.parse().ok()
}
