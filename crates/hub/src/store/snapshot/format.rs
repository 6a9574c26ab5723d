//! The bytes of a snapshot.
//!
//! A head of 16 bytes: [`MAGIC`], and when it was written, in Unix seconds. Then blocks: [`BLOCK`], the length of the
//! payload (4 bytes), 16 bytes of its BLAKE3 hash, and the payload. The last block has [`END`] for its mark, and holds
//! the numbers of swarms and peers. All integers are little-endian.
//!
//! A payload is swarms, or parts of them: hash (20), completed (4; the highest bit says that other peers of this swarm
//! came before), number of IPv4 peers (4), number of IPv6 peers (4), and for
//! each peer its compact form (6 or 18), seconds since it was heard of (4) and what it is (1).

use std::io::{self, Read, Write};

use swarm::{Endpoint, InfoHash, PeerRecord, Role, Seconds, SwarmView};

use super::Contents;

const MAGIC: [u8; 8] = *b"SKEPSWM1";
const BLOCK: [u8; 4] = *b"SKBL";
const END: [u8; 4] = *b"SKEN";

/// Bytes before a block's payload.
const BLOCK_HEAD_BYTES: usize = 4 + 4 + HASH_BYTES;
const HASH_BYTES: usize = 16;

/// Payload above which a block is written. A part of a swarm is never split, so a block is a little larger.
const BLOCK_BYTES: usize = 256 << 10;

/// A payload longer than this is not believed: sixty million peers in one swarm.
const PAYLOAD_BYTES_MAX: u32 = 1 << 30;

const SEEDER: u8 = 0;
const PARTIAL: u8 = 1;
const LEECHER: u8 = 2;
const COUNTED: u8 = 0x80;

const CONTINUED: u32 = 1 << 31;

/// A swarm as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SwarmRecord {
    pub(super) hash: InfoHash,
    pub(super) completed: u32,
    /// Whether others of its peers were in a record before.
    pub(super) is_continued: bool,
    pub(super) peers: Vec<PeerRecord>,
}

/// Gathers swarms into blocks.
pub(super) struct BlockWriter<W> {
    out: W,
    payload: Vec<u8>,
}

impl<W: Write> BlockWriter<W> {
    pub(super) fn new(mut out: W, now_unix: i64) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&now_unix.to_le_bytes())?;
        Ok(Self { out, payload: Vec::new() })
    }

    /// Adds a swarm, in memory.
    pub(super) fn put(&mut self, swarm: &SwarmView<'_>, now: Seconds) {
        let payload = &mut self.payload;
        payload.extend_from_slice(swarm.hash().as_bytes());
        let continued = if swarm.is_continued() { CONTINUED } else { 0 };
        payload.extend_from_slice(&(swarm.counts().completed & !CONTINUED | continued).to_le_bytes());
        let numbers_at = payload.len();
        payload.extend_from_slice(&[0; 8]);
        let [mut v4, mut v6] = [0_u32; 2];
        // IPv4 peers come first.
        for peer in swarm.peers(now) {
            match peer.endpoint {
                Endpoint::V4(ip, port) => {
                    v4 += 1;
                    payload.extend_from_slice(&ip.octets());
                    payload.extend_from_slice(&port.get().to_be_bytes());
                }
                Endpoint::V6(ip, port) => {
                    v6 += 1;
                    payload.extend_from_slice(&ip.octets());
                    payload.extend_from_slice(&port.get().to_be_bytes());
                }
            }
            payload.extend_from_slice(&peer.idle_secs.to_le_bytes());
            payload.push(kind(&peer));
        }
        payload[numbers_at..numbers_at + 4].copy_from_slice(&v4.to_le_bytes());
        payload[numbers_at + 4..numbers_at + 8].copy_from_slice(&v6.to_le_bytes());
    }

    /// Writes a block if there is enough for one.
    pub(super) fn flush_full(&mut self) -> io::Result<()> {
        if self.payload.len() >= BLOCK_BYTES { self.write_block(BLOCK) } else { Ok(()) }
    }

    /// Writes what is left and the end.
    pub(super) fn finish(mut self, contents: &Contents) -> io::Result<W> {
        if !self.payload.is_empty() {
            self.write_block(BLOCK)?;
        }
        self.payload.extend_from_slice(&contents.swarms.to_le_bytes());
        self.payload.extend_from_slice(&contents.peers.to_le_bytes());
        self.write_block(END)?;
        Ok(self.out)
    }

    fn write_block(&mut self, mark: [u8; 4]) -> io::Result<()> {
        let length = u32::try_from(self.payload.len()).ok().filter(|&length| length <= PAYLOAD_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("a swarm is too large for a snapshot"))?;
        self.out.write_all(&mark)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&checksum(&self.payload))?;
        self.out.write_all(&self.payload)?;
        self.payload.clear();
        Ok(())
    }
}

/// Reads blocks, and goes on behind a damaged one.
pub(super) struct BlockReader<R> {
    input: R,
    /// Bytes of the file not read yet: no length is believed beyond it.
    bytes_left: u64,
    /// Seconds since the snapshot was written.
    age_secs: u32,
    damaged_blocks: u64,
    damage: Option<String>,
    ended: bool,
}

impl<R: Read> BlockReader<R> {
    /// The reader, or what is wrong with the file's head.
    pub(super) fn new(mut input: R, bytes: u64, now_unix: i64) -> io::Result<Result<Self, String>> {
        let mut head = [0; 16];
        if bytes < head.len() as u64 {
            return Ok(Err(format!("it has {bytes} bytes, and a snapshot has 40 at least")));
        }
        input.read_exact(&mut head)?;
        let (magic, written) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            return Ok(Err(format!("it begins with `{}` and not with `SKEPSWM1`", magic.escape_ascii())));
        }
        let written = i64::from_le_bytes(written.try_into().unwrap_or_default());
        // A clock that was set back makes nobody younger than it was.
        let age_secs = u32::try_from(now_unix.saturating_sub(written).max(0)).unwrap_or(u32::MAX);
        let bytes_left = bytes - head.len() as u64;
        Ok(Ok(Self { input, bytes_left, age_secs, damaged_blocks: 0, damage: None, ended: false }))
    }

    /// The records of the next block that is whole; `None` at the end.
    pub(super) fn next_block(&mut self) -> io::Result<Option<Vec<SwarmRecord>>> {
        loop {
            let mut head = [0; BLOCK_HEAD_BYTES];
            if self.ended || !self.fill(&mut head)? {
                return Ok(None);
            }
            let (mark, rest) = head.split_at(4);
            let (length, hash) = rest.split_at(4);
            let length = u32::from_le_bytes(length.try_into().unwrap_or_default());
            if (mark != BLOCK && mark != END)
                || length > PAYLOAD_BYTES_MAX
                || u64::from(length) > self.bytes_left
            {
                self.spoil("a block's head is damaged, and what follows cannot be found".to_owned());
                self.ended = true;
                return Ok(None);
            }
            let mut payload = vec![0; length as usize];
            self.fill(&mut payload)?;
            if checksum(&payload) != hash {
                self.damaged_blocks += 1;
                continue;
            }
            if mark == END {
                self.ended = true;
                return Ok(None);
            }
            match records(&payload, self.age_secs) {
                Some(records) => return Ok(Some(records)),
                None => self.damaged_blocks += 1,
            }
        }
    }

    /// What was wrong with the file, once all of it is read.
    pub(super) fn damage(mut self) -> Option<String> {
        if self.damaged_blocks > 0 {
            self.spoil(format!("{} of its blocks are damaged", self.damaged_blocks));
        }
        if !self.ended {
            self.spoil("it ends early".to_owned());
        }
        self.damage
    }

    fn spoil(&mut self, why: String) {
        match &mut self.damage {
            Some(damage) => *damage = format!("{damage}; {why}"),
            None => self.damage = Some(why),
        }
    }

    /// False if there is not so much left.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        if buffer.len() as u64 > self.bytes_left {
            return Ok(false);
        }
        self.input.read_exact(buffer)?;
        self.bytes_left -= buffer.len() as u64;
        Ok(true)
    }
}

fn checksum(payload: &[u8]) -> [u8; HASH_BYTES] {
    let mut sum = [0; HASH_BYTES];
    sum.copy_from_slice(&blake3::hash(payload).as_bytes()[..HASH_BYTES]);
    sum
}

/// The swarms of a payload, their peers `age_secs` older than they were; `None` if it is not whole swarms.
fn records(mut payload: &[u8], age_secs: u32) -> Option<Vec<SwarmRecord>> {
    let mut records = Vec::new();
    while !payload.is_empty() {
        let hash = InfoHash(*take(&mut payload)?);
        let completed = u32::from_le_bytes(*take(&mut payload)?);
        let [v4, v6] =
            [take(&mut payload)?, take(&mut payload)?].map(|number| u32::from_le_bytes(*number) as usize);
        // What is announced is there, or nothing is reserved for it.
        let bytes = v4.checked_mul(11)?.checked_add(v6.checked_mul(23)?)?;
        if bytes > payload.len() {
            return None;
        }
        let mut peers = Vec::with_capacity(v4 + v6);
        for _ in 0..v4 {
            let endpoint = Endpoint::from_compact_v4(*take(&mut payload)?)?;
            peers.push(peer(endpoint, &mut payload, age_secs)?);
        }
        for _ in 0..v6 {
            let endpoint = Endpoint::from_compact_v6(*take(&mut payload)?)?;
            peers.push(peer(endpoint, &mut payload, age_secs)?);
        }
        let (completed, is_continued) = (completed & !CONTINUED, completed & CONTINUED != 0);
        records.push(SwarmRecord { hash, completed, is_continued, peers });
    }
    Some(records)
}

fn peer(endpoint: Endpoint, payload: &mut &[u8], age_secs: u32) -> Option<PeerRecord> {
    let idle_secs = u32::from_le_bytes(*take(payload)?).saturating_add(age_secs);
    let [kind] = *take(payload)?;
    let role = match kind & !COUNTED {
        SEEDER => Role::Seeder,
        PARTIAL => Role::Partial,
        LEECHER => Role::Leecher,
        _ => return None,
    };
    Some(PeerRecord { endpoint, role, idle_secs, counted: kind & COUNTED != 0 })
}

fn kind(peer: &PeerRecord) -> u8 {
    let role = match peer.role {
        Role::Seeder => SEEDER,
        Role::Partial => PARTIAL,
        Role::Leecher => LEECHER,
    };
    role | if peer.counted { COUNTED } else { 0 }
}

fn take<'a, const N: usize>(payload: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = payload.split_first_chunk()?;
    *payload = rest;
    Some(taken)
}
