use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use swarm::Event;

use super::Options;
use super::options::SCRAPE_HASHES;
use super::population::{Peer, Population, Roll};
use super::zipf::Zipf;

/// One request, in words of the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// A connection id (UDP).
    Connect,
    Announce(Peer, Event),
    /// The counts of `scraped` torrents, beginning with this one.
    Scrape(u32),
}

/// The torrents that a scrape beginning with `first` asks for.
pub(super) fn scraped(first: u32, population: &Population) -> impl ExactSizeIterator<Item = u32> + use<> {
    let torrents = population.torrents;
    (0..SCRAPE_HASHES.min(torrents)).map(move |step| first.wrapping_add(step) % torrents)
}

/// What is asked next: each peer's first announce, or a random request among them.
pub(super) enum Feed {
    Fill { roll: Roll, left: u64 },
    Draw { draw: Box<Draw>, left: u64 },
}

impl Feed {
    pub(super) fn fill(population: &Population) -> Self {
        Self::Fill { roll: Roll::new(population), left: population.size() }
    }

    pub(super) fn draw(options: &Options, population: &Population) -> Self {
        Self::Draw { draw: Box::new(Draw::new(options, population)), left: options.count.unwrap_or(u64::MAX) }
    }

    /// The next request for a sender of this class; `None` if there is none left for it.
    pub(super) fn next(&mut self, population: &Population, class: u32) -> Option<Ask> {
        match self {
            Self::Fill { roll, left } => {
                let fewer = left.checked_sub(1)?;
                let peer = roll.call(population, class)?;
                *left = fewer;
                Some(Ask::Announce(peer, Event::Started))
            }
            Self::Draw { draw, left } => {
                *left = left.checked_sub(1)?;
                Some(draw.next(population, class))
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Fill { left: 0, .. } | Self::Draw { left: 0, .. })
    }

    pub(super) fn stop(&mut self) {
        match self {
            Self::Fill { left, .. } | Self::Draw { left, .. } => *left = 0,
        }
    }
}

/// Random requests after the wishes of the options.
pub(super) struct Draw {
    rng: SmallRng,
    zipf: Option<Zipf>,
    /// Upper ends of each kind's part of 0 to 1.
    scrape_to: f64,
    connect_to: f64,
    stop_to: f64,
}

impl Draw {
    fn new(options: &Options, population: &Population) -> Self {
        let mix = options.mix;
        Self {
            rng: SmallRng::seed_from_u64(options.seed),
            zipf: options.zipf.map(|exponent| Zipf::new(population.torrents, exponent)),
            scrape_to: mix.scrape,
            connect_to: mix.scrape + mix.connect,
            stop_to: mix.scrape + mix.connect + mix.stop,
        }
    }

    fn next(&mut self, population: &Population, class: u32) -> Ask {
        let kind = if self.stop_to > 0.0 { self.rng.random::<f64>() } else { 1.0 };
        if kind < self.scrape_to {
            Ask::Scrape(self.torrent(population))
        } else if kind < self.connect_to {
            Ask::Connect
        } else if kind < self.stop_to {
            Ask::Announce(self.peer(population, class), Event::Stopped)
        } else {
            Ask::Announce(self.peer(population, class), Event::Update)
        }
    }

    fn torrent(&mut self, population: &Population) -> u32 {
        match &self.zipf {
            Some(zipf) => zipf.draw(&mut self.rng),
            None => self.rng.random_range(0..population.torrents),
        }
    }

    fn peer(&mut self, population: &Population, class: u32) -> Peer {
        let classes = population.classes();
        // A small torrent has peers in some classes only; another is tried until it has one in this.
        for _ in 0..TRIES_MAX {
            let torrent = self.torrent(population);
            let first = population.first_of(torrent, class);
            if first < population.peers {
                let steps = (population.peers - first).div_ceil(classes);
                let step = if steps > 1 { self.rng.random_range(0..steps) } else { 0 };
                return Peer { torrent, number: first + step * classes };
            }
        }
        // Peer 0 of the torrent with the class's own number always is of that class.
        Peer { torrent: class % population.torrents, number: population.first_of(class, class) }
    }
}

/// Tries for a torrent with a peer in a class, before the one that surely has.
const TRIES_MAX: u32 = 64;
