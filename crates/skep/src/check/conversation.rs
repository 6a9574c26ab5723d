//! The conversation: who says what to the tracker, and what it said.

use rand::RngExt as _;
use swarm::{Event, InfoHash, PeerId};
use wire::Announce;
use wire::http::Shape;

use super::line::{Got, Heard, Line, Miss, Scraped};

/// The bytes that a leecher lacks.
const MISSING_BYTES: u64 = 1 << 20;

/// How many peers everybody asks for.
const WANTED: u32 = 50;

/// Made-up torrents, and made-up peers that all live here, each on a port of its own.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    /// The torrent that the conversation is about.
    pub(super) hash: InfoHash,
    /// A torrent that has the leecher only.
    pub(super) other: InfoHash,
    /// A torrent that is never announced.
    pub(super) unknown: InfoHash,
    pub(super) leecher: Peer,
    pub(super) seeder: Peer,
    pub(super) second_seeder: Peer,
}

/// One made-up peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) port: u16,
    pub(super) key: [u8; 8],
}

/// What the tracker said at each step, in the order of the steps.
#[derive(Debug, Clone)]
pub(super) struct Transcript {
    /// The leecher says `started`.
    pub(super) leecher_starts: Got<Heard>,
    /// The seeder says `started`.
    pub(super) seeder_starts: Got<Heard>,
    /// The leecher announces again.
    pub(super) leecher_again: Got<Heard>,
    /// The torrent is scraped: one of each.
    pub(super) first_scrape: Got<Scraped>,
    /// A second seeder says `started`.
    pub(super) second_seeder_starts: Got<Heard>,
    /// The leecher asks for one peer, where there are two.
    pub(super) leecher_wants_one: Got<Heard>,
    /// The leecher asks not to be answered in compact form.
    pub(super) not_compact: Got<Heard>,
    /// The same, without peers' ids.
    pub(super) no_peer_ids: Got<Heard>,
    /// The leecher announces with BEP 41 URL data where the tracker's address has none.
    pub(super) with_options: Got<Heard>,
    /// The torrent, one with a leecher only, and one that nobody announced are scraped together.
    pub(super) three_scraped: Got<Scraped>,
    /// The leecher says `completed`.
    pub(super) leecher_completes: Got<Heard>,
    /// The torrent is scraped: three seeders.
    pub(super) scrape_after_completion: Got<Scraped>,
    /// The peer that was the leecher says `stopped`.
    pub(super) leecher_stops: Got<Heard>,
    /// The torrent is scraped: two seeders.
    pub(super) scrape_after_stop: Got<Scraped>,
    /// The torrent is scraped when all have stopped.
    pub(super) scrape_at_end: Got<Scraped>,
}

/// A leecher and a seeder meet, and that is all.
#[derive(Debug, Clone)]
pub(super) struct Meeting {
    /// The leecher says `started`.
    pub(super) leecher_starts: Got<Heard>,
    /// The seeder says `started`.
    pub(super) seeder_starts: Got<Heard>,
}

impl Cast {
    pub(super) fn random() -> Self {
        // Ports far enough from each other that no tracker takes one peer for another.
        let port = rand::rng().random_range(20_000..50_000);
        Self {
            hash: InfoHash(rand::random()),
            other: InfoHash(rand::random()),
            unknown: InfoHash(rand::random()),
            leecher: Peer::random(port),
            seeder: Peer::random(port + 1_000),
            second_seeder: Peer::random(port + 2_000),
        }
    }
}

impl Peer {
    pub(super) fn random(port: u16) -> Self {
        let mut id = *b"-SK0001-000000000000";
        let letters = |bytes: &mut [u8]| {
            for byte in bytes {
                *byte = b"0123456789ABCDEF"[rand::rng().random_range(0..16)];
            }
        };
        letters(&mut id[8..]);
        let mut key = [0; 8];
        letters(&mut key);
        Self { id: PeerId(id), port, key }
    }

    pub(super) fn announce(&self, info_hash: InfoHash, event: Event, left: u64) -> Announce<'_> {
        Announce {
            info_hash,
            peer_id: self.id,
            port: self.port,
            stated_ip: None,
            uploaded: 0,
            downloaded: 0,
            left: Some(left),
            event,
            want: Some(WANTED),
            key: Some(&self.key),
            passkey: None,
        }
    }
}

impl Transcript {
    /// Whether the tracker said anything, if only no.
    pub(super) fn was_heard(&self) -> bool {
        self.leecher_starts.is_ok() || self.refusal().is_some()
    }

    /// In which words the tracker refuses even what is right.
    pub(super) fn refusal(&self) -> Option<&str> {
        match &self.leecher_starts {
            Err(Miss::Refused(reason)) => Some(reason),
            _ => None,
        }
    }
}

/// Plays the whole conversation. Everyone who was announced says `stopped` in the end.
pub(super) async fn play(line: &mut Line, cast: &Cast) -> Transcript {
    let Cast { hash, leecher, seeder, second_seeder, .. } = cast;
    let mut talk = Talk::with(line);
    let update = leecher.announce(*hash, Event::Update, MISSING_BYTES);

    let leecher_starts = talk.start(leecher, *hash, MISSING_BYTES).await;
    // A tracker that does not want this torrent wants no part of the rest.
    talk.over |= leecher_starts.is_err();
    let seeder_starts = talk.start(seeder, *hash, 0).await;
    let leecher_again = talk.announce(&update, Shape::Compact).await;
    let first_scrape = talk.scrape(&[*hash]).await;
    let second_seeder_starts = talk.start(second_seeder, *hash, 0).await;
    let wants_one = Announce { want: Some(1), ..update };
    let leecher_wants_one = talk.announce(&wants_one, Shape::Compact).await;
    let not_compact = talk.announce_http(&update, Shape::Dictionaries { ids: true }).await;
    let no_peer_ids = talk.announce_http(&update, Shape::Dictionaries { ids: false }).await;
    let with_options = talk.announce_with_options(&update).await;
    let elsewhere = talk.start(leecher, cast.other, MISSING_BYTES).await;
    let three_scraped = match elsewhere {
        Ok(_) => talk.scrape(&[*hash, cast.other, cast.unknown]).await,
        Err(miss) => Err(miss),
    };
    let completes = Announce { downloaded: MISSING_BYTES, ..leecher.announce(*hash, Event::Completed, 0) };
    let leecher_completes = talk.announce(&completes, Shape::Compact).await;
    let scrape_after_completion = talk.scrape(&[*hash]).await;
    let leecher_stops = talk.stop(leecher, *hash).await;
    let scrape_after_stop = talk.scrape(&[*hash]).await;
    talk.all_stop().await;
    let scrape_at_end = talk.scrape(&[*hash]).await;

    Transcript {
        leecher_starts,
        seeder_starts,
        leecher_again,
        first_scrape,
        second_seeder_starts,
        leecher_wants_one,
        not_compact,
        no_peer_ids,
        with_options,
        three_scraped,
        leecher_completes,
        scrape_after_completion,
        leecher_stops,
        scrape_after_stop,
        scrape_at_end,
    }
}

/// Lets a leecher and a seeder meet.
pub(super) async fn meet(line: &mut Line, cast: &Cast) -> Meeting {
    let mut talk = Talk::with(line);
    let leecher_starts = talk.start(&cast.leecher, cast.hash, MISSING_BYTES).await;
    talk.over |= leecher_starts.is_err();
    let seeder_starts = talk.start(&cast.seeder, cast.hash, 0).await;
    talk.all_stop().await;
    Meeting { leecher_starts, seeder_starts }
}

/// A conversation under way.
struct Talk<'a> {
    line: &'a mut Line,
    /// Nothing is asked any more: the tracker fell silent.
    over: bool,
    /// No scrape is sent any more.
    scrapes_over: bool,
    /// Who said `started` and not yet `stopped`.
    present: Vec<(Peer, InfoHash)>,
}

impl<'a> Talk<'a> {
    fn with(line: &'a mut Line) -> Self {
        Self { line, over: false, scrapes_over: false, present: Vec::new() }
    }

    async fn start(&mut self, peer: &Peer, hash: InfoHash, left: u64) -> Got<Heard> {
        let heard = self.announce(&peer.announce(hash, Event::Started, left), Shape::Compact).await;
        if heard.is_ok() {
            self.present.push((*peer, hash));
        }
        heard
    }

    async fn stop(&mut self, peer: &Peer, hash: InfoHash) -> Got<Heard> {
        self.present.retain(|(present, at)| (present.port, *at) != (peer.port, hash));
        let goodbye = Announce { want: Some(0), ..peer.announce(hash, Event::Stopped, 0) };
        self.announce(&goodbye, Shape::Compact).await
    }

    /// A tracker that fell silent is told once more: it may hear although it does not speak.
    async fn all_stop(&mut self) {
        let over = self.over;
        self.over = false;
        while let Some((peer, hash)) = self.present.last().copied() {
            let _ = self.stop(&peer, hash).await;
        }
        self.over |= over;
    }

    async fn announce(&mut self, announce: &Announce<'_>, shape: Shape) -> Got<Heard> {
        if self.over {
            return Err(Miss::NotAsked);
        }
        let heard = self.line.announce(announce, shape).await;
        self.over |= matches!(heard, Err(Miss::Silent(_)));
        heard
    }

    async fn announce_http(&mut self, announce: &Announce<'_>, shape: Shape) -> Got<Heard> {
        match self.line {
            Line::Http(_) => self.announce(announce, shape).await,
            Line::Udp(_) => Err(Miss::Impossible("UDP has only the compact form")),
        }
    }

    /// Silence here says nothing of announces without options.
    async fn announce_with_options(&mut self, announce: &Announce<'_>) -> Got<Heard> {
        match self.line {
            Line::Udp(_) if self.over => Err(Miss::NotAsked),
            Line::Udp(line) => line.announce_with_options(announce).await,
            Line::Http(_) => Err(Miss::Impossible("HTTP has no such options")),
        }
    }

    /// A tracker need not answer scrapes: when it does not, only scrapes are over.
    async fn scrape(&mut self, hashes: &[InfoHash]) -> Got<Scraped> {
        if self.over || self.scrapes_over {
            return Err(Miss::NotAsked);
        }
        let scraped = self.line.scrape(hashes).await;
        self.scrapes_over |= matches!(scraped, Err(Miss::Silent(_)));
        scraped
    }
}
