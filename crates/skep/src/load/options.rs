use std::net::IpAddr;
use std::time::Duration;

use super::LoadError;

/// What to ask of which tracker, how fast and for how long.
///
/// A load is a population (`torrents` × `peers`, every one of them computable from `seed`), a fill in which each peer
/// announces itself once, and a measured phase of random requests among them, bounded by `count` and by `time`.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `udp://HOST:PORT` or `http://HOST:PORT[/announce]`.
    pub target: String,
    /// Torrents in the population.
    pub torrents: u32,
    /// Peers of each torrent.
    pub peers: u32,
    /// Which part of each torrent's peers are seeders, 0 to 1.
    pub seeders: f64,
    /// Whether each peer announces itself once before anything is measured.
    pub fill: bool,
    /// Most requests in the measured phase; `None` leaves it to `time`, 0 measures nothing.
    pub count: Option<u64>,
    /// Longest time to measure.
    pub time: Duration,
    /// UDP sockets, each with a source port of its own (and on loopback an address of its own).
    pub sockets: u16,
    /// UDP requests in flight on one socket.
    pub window: u16,
    /// Addresses to send from; empty for the system's choice (on IPv4 loopback: one a socket, from 127.0.0.1 up).
    pub from: Vec<IpAddr>,
    /// Requests a second, sent when they are due whether or not earlier ones were answered; `None` sends the next
    /// when one is answered.
    pub rate: Option<f64>,
    /// What else is asked, beside regular announces.
    pub mix: Mix,
    /// Exponent of the Zipf law by which torrents are chosen; `None` chooses all alike.
    pub zipf: Option<f64>,
    /// Peers to ask for in an announce; `None` leaves it to the tracker.
    pub want: Option<u32>,
    /// What the population and all chance are derived from.
    pub seed: u64,
    /// Whether peers state an address of their own (10.0.0.1 and up), for trackers that honour it.
    pub stated_ip: bool,
    /// Where the tracker lists all peers, if not at the addresses they send from: behind NAT, or over loopback to a
    /// tracker that lists such peers at its own address.
    pub seen_as: Option<IpAddr>,
    /// Whether replies are held against what the population allows. Assumes that nobody else announces its torrents.
    pub verify: bool,
    /// When an unanswered request counts as lost.
    pub timeout: Duration,
    /// Whether to look for replies without ever sleeping: steadier figures for a core that is the generator's own.
    pub busy: bool,
    /// HTTP connections, each with one request under way.
    pub connections: u16,
    /// Whether an HTTP connection is closed after each reply.
    pub close: bool,
    /// Whether targets outside loopback and private networks are allowed: the caller answers for them.
    pub i_run_this_tracker: bool,
}

/// Shares of the measured requests, each 0 to 1, together at most 1; the rest are regular announces.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mix {
    /// Scrapes of `SCRAPE_HASHES` torrents each.
    pub scrape: f64,
    /// Fresh connection ids (UDP only).
    pub connect: f64,
    /// Peers that leave; they are back when next chosen.
    pub stop: f64,
}

/// Most addresses to send from.
pub(super) const ADDRESSES_MAX: u32 = 250;
/// Most sockets or connections.
pub(super) const SOCKETS_MAX: u16 = 16_384;
/// Most requests in flight on one socket: its slots are numbered in 16 bits.
pub(super) const WINDOW_MAX: u16 = 32_768;
/// Torrents in one scrape.
pub(super) const SCRAPE_HASHES: u32 = 5;

impl Options {
    /// A load of ten seconds on `target`: 1,000 torrents of 10 peers, regular announces only.
    #[must_use]
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            torrents: 1_000,
            peers: 10,
            seeders: 0.5,
            fill: false,
            count: None,
            time: Duration::from_secs(10),
            sockets: 4,
            window: 32,
            from: Vec::new(),
            rate: None,
            mix: Mix::default(),
            zipf: None,
            want: None,
            seed: 0,
            stated_ip: false,
            seen_as: None,
            verify: false,
            timeout: Duration::from_secs(1),
            busy: false,
            connections: 64,
            close: false,
            i_run_this_tracker: false,
        }
    }

    /// Refuses what makes no sense, in words for the person who asked for it.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let share = |name: &str, value: f64| {
            let fits = (0.0..=1.0).contains(&value);
            require(fits, || format!("{name} `{value}` is not a share; give a number from 0 to 1"))
        };
        let counted = |name: &str, value: u64, max: u64| {
            let fits = (1..=max).contains(&value);
            require(fits, || format!("{name} `{value}` is out of range; give 1 to {max}"))
        };
        counted("torrents", self.torrents.into(), u32::MAX.into())?;
        counted("peers", self.peers.into(), u32::MAX.into())?;
        counted("sockets", self.sockets.into(), SOCKETS_MAX.into())?;
        counted("connections", self.connections.into(), SOCKETS_MAX.into())?;
        counted("window", self.window.into(), WINDOW_MAX.into())?;
        share("seeders", self.seeders)?;
        let Mix { scrape, connect, stop } = self.mix;
        share("scrape", scrape)?;
        share("connect", connect)?;
        share("stop", stop)?;
        share("the sum of scrape, connect and stop", scrape + connect + stop)?;
        require(self.from.len() <= ADDRESSES_MAX as usize, || {
            format!("{} addresses to send from are too many; give at most {ADDRESSES_MAX}", self.from.len())
        })?;
        if let Some(rate) = self.rate {
            require(rate.is_finite() && rate > 0.0, || {
                format!("rate `{rate}` is not a number of requests a second; give one above 0")
            })?;
        }
        if let Some(exponent) = self.zipf {
            require(exponent.is_finite() && exponent > 0.0, || {
                format!("zipf `{exponent}` is not an exponent; give one above 0, such as 1.0")
            })?;
        }
        require(!self.timeout.is_zero(), || "timeout `0` would lose every reply; give one above 0".into())
    }
}

pub(super) fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), LoadError> {
    if holds { Ok(()) } else { Err(LoadError::Options(otherwise())) }
}
