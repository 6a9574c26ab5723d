use std::collections::VecDeque;
use std::net::IpAddr;

use swarm::{Endpoint, PeerId};
use wire::peer::Block;

use crate::bits::Bits;
use crate::event::Link;
use crate::meter::Meter;
use crate::pipeline::Pipeline;
use crate::time::{Micros, SECOND};

/// Names a connection of a torrent. A key is never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// A connection as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Names it.
    pub key: PeerKey,
    /// Its address.
    pub ip: IpAddr,
    /// Where it listens, if known.
    pub listens: Option<Endpoint>,
    /// What it calls itself.
    pub id: PeerId,
    /// Pieces it has.
    pub pieces: u32,
    /// We choke it.
    pub choked: bool,
    /// It chokes us.
    pub chokes_us: bool,
    /// It wants something of ours.
    pub interested: bool,
    /// We want something of its.
    pub interesting: bool,
    /// It answers no requests.
    pub snubs_us: bool,
    /// Payload bytes a second to it.
    pub upload_rate: u64,
    /// Payload bytes a second from it.
    pub download_rate: u64,
}

/// Over how long giving and taking are weighed against each other.
const RECIPROCITY_WINDOW: Micros = 10 * SECOND;

/// The unanswered requests of a peer that does not say how many it keeps.
const REQUESTS_UNSAID: u32 = 250;

/// One connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) key: PeerKey,
    pub(crate) ip: IpAddr,
    pub(crate) listens: Option<Endpoint>,
    pub(crate) dialed: bool,
    pub(crate) id: PeerId,
    pub(crate) fast: bool,
    pub(crate) extended: bool,
    /// Anything but an extension handshake was heard; a bitfield is out of place now.
    pub(crate) has_spoken: bool,

    /// What it said it has before it was known how many pieces there are.
    pub(crate) early: Early,
    /// What it has.
    pub(crate) has: Bits,
    pub(crate) chokes_us: bool,
    pub(crate) interested: bool,
    pub(crate) upload_only: bool,
    pub(crate) metadata_id: Option<u8>,
    pub(crate) metadata_bytes: Option<u32>,
    pub(crate) pex_id: Option<u8>,
    pub(crate) queue_max: u32,

    /// How many of its pieces we lack.
    pub(crate) wanted: u32,
    pub(crate) interesting: bool,
    pub(crate) requests: VecDeque<Request>,
    pub(crate) pipeline: Pipeline,
    pub(crate) current: Option<u32>,
    pub(crate) allowed_fast: Vec<u32>,
    pub(crate) suggested: Vec<u32>,
    /// Nothing was found to ask for; pointless to look until something changes.
    pub(crate) dry: bool,
    pub(crate) snubs_us: bool,
    pub(crate) asked_nothing_until: Micros,
    pub(crate) on_parole: bool,
    pub(crate) last_block: Micros,

    pub(crate) choked: bool,
    pub(crate) choke_changed: Micros,
    pub(crate) uploads: VecDeque<Block>,
    /// Bytes named to the caller and not sent yet.
    pub(crate) in_hand: u32,
    /// It waits for the upload limit.
    pub(crate) queued_for_tokens: bool,
    pub(crate) allowed_by_us: Vec<u32>,
    /// What we have shown it to have; `None`: all.
    pub(crate) shown: Option<Bits>,
    /// Shown, and not asked for yet.
    pub(crate) offered: Vec<u32>,
    pub(crate) offered_at: Micros,

    pub(crate) given: Meter,
    pub(crate) taken: Meter,
    pub(crate) last_heard: Micros,
    pub(crate) last_said: Micros,
    pub(crate) useful_at: Micros,
    pub(crate) pex: crate::pex::Told,
}

/// A block that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) piece: u32,
    pub(crate) index: u32,
    pub(crate) at: Micros,
}

/// What a peer said it has, as long as it cannot be judged.
#[derive(Debug, Default)]
pub(crate) struct Early {
    everything: bool,
    bitfield: Vec<u8>,
    pieces: Vec<u32>,
}

/// The most single pieces that are remembered unjudged.
const EARLY_PIECES_MAX: usize = 16_384;

impl Early {
    pub(crate) const fn all(&mut self) {
        self.everything = true;
    }

    pub(crate) fn bitfield(&mut self, bits: &[u8]) {
        self.bitfield = bits.to_vec();
    }

    pub(crate) fn have(&mut self, piece: u32) {
        if self.pieces.len() < EARLY_PIECES_MAX {
            self.pieces.push(piece);
        }
    }

    /// What it has of `len` pieces; `None` if it named others.
    pub(crate) fn read(self, len: u32) -> Option<Bits> {
        if self.everything {
            return Some(Bits::all(len));
        }
        let no_bitfield = self.bitfield.is_empty();
        let mut has = if no_bitfield { Bits::none(len) } else { Bits::from_bitfield(&self.bitfield, len)? };
        let exist = self.pieces.iter().all(|&piece| piece < len);
        self.pieces.iter().for_each(|&piece| _ = has.insert(piece));
        exist.then_some(has)
    }
}

impl Peer {
    pub(crate) fn new(key: PeerKey, link: &Link, pieces: u32, now: Micros) -> Self {
        Self {
            key,
            ip: link.ip.to_canonical(),
            listens: link.dialed,
            dialed: link.dialed.is_some(),
            id: link.peer_id,
            fast: link.fast,
            extended: link.extended,
            has_spoken: false,
            early: Early::default(),
            has: Bits::none(pieces),
            chokes_us: true,
            interested: false,
            upload_only: false,
            metadata_id: None,
            metadata_bytes: None,
            pex_id: None,
            queue_max: REQUESTS_UNSAID,
            wanted: 0,
            interesting: false,
            requests: VecDeque::new(),
            pipeline: Pipeline::new(now),
            current: None,
            allowed_fast: Vec::new(),
            suggested: Vec::new(),
            dry: false,
            snubs_us: false,
            asked_nothing_until: 0,
            on_parole: false,
            last_block: now,
            choked: true,
            choke_changed: 0,
            uploads: VecDeque::new(),
            in_hand: 0,
            queued_for_tokens: false,
            allowed_by_us: Vec::new(),
            shown: None,
            offered: Vec::new(),
            offered_at: now,
            given: Meter::new(RECIPROCITY_WINDOW, now),
            taken: Meter::new(RECIPROCITY_WINDOW, now),
            last_heard: now,
            last_said: now,
            useful_at: now,
            pex: crate::pex::Told::default(),
        }
    }

    /// It has everything, or wants nothing more.
    pub(crate) fn is_seed(&self) -> bool {
        self.has.pieces() > 0 && self.has.is_full()
    }

    /// Takes a request off the list; when it was made.
    pub(crate) fn forget_request(&mut self, piece: u32, index: u32) -> Option<Micros> {
        let at = self.requests.iter().position(|one| (one.piece, one.index) == (piece, index))?;
        self.requests.remove(at).map(|request| request.at)
    }

    /// Whether we told it that we have `piece`.
    pub(crate) fn was_shown(&self, piece: u32) -> bool {
        self.shown.as_ref().is_none_or(|shown| shown.has(piece))
    }

    /// It may download, and has left what it was shown alone for so long that it does not want it: a partial download.
    pub(crate) fn declines(&self, patience: Micros, now: Micros) -> bool {
        let idle = !self.choked && self.uploads.is_empty() && self.in_hand == 0;
        idle && !self.offered.is_empty() && now >= self.offered_at + patience
    }

    pub(crate) fn view(&mut self, now: Micros) -> PeerView {
        PeerView {
            key: self.key,
            ip: self.ip,
            listens: self.listens,
            id: self.id,
            pieces: self.has.count(),
            choked: self.choked,
            chokes_us: self.chokes_us,
            interested: self.interested,
            interesting: self.interesting,
            snubs_us: self.snubs_us,
            upload_rate: self.taken.rate(now),
            download_rate: self.pipeline.rate(now),
        }
    }
}
