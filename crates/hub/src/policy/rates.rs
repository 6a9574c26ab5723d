//! How often one address, and one network, may ask.
//!
//! Each has a minute's worth at once, and then as the minute passes (the generic cell rate algorithm). Who has asked is
//! kept in a table of a fixed size without a lock: where it is full, whoever has the most left is forgotten first, so
//! that nobody gets more by asking from many addresses.

use std::hash::Hasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use crate::config::LimitsConfig;

/// Moments in a millisecond.
const PER_MILLISECOND: u64 = 16;

/// Moments in a minute.
const MINUTE: u64 = 60_000 * PER_MILLISECOND;

/// Sets of cells that somebody can be in: 65,536 cells, and 512 KiB.
const SETS: usize = 8_192;

/// Cells of a set: a cache line.
const CELLS: usize = 8;

/// Bits of a cell that say when somebody has all of it again; those above say who. They last for thirty years.
const WHEN_BITS: u32 = 44;
const WHEN: u64 = (1 << WHEN_BITS) - 1;

/// Tries to note an asker whose cell others change meanwhile.
const TRIES: u32 = 4;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An announce.
    Announce,
    /// A scrape.
    Scrape,
    /// A connection id (BEP 15).
    Connect,
}

/// A time, in sixteenths of a millisecond since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(u64);

/// What everybody may ask, and who has asked how much.
#[derive(Debug)]
pub struct Rates {
    spaces: [Spaces; 3],
    secret: (u64, u64),
    /// Empty where nothing is limited.
    sets: Box<[Set]>,
}

/// Moments that pass between two requests of a kind, if they are spread evenly.
#[derive(Debug, Clone, Copy)]
struct Spaces {
    address: Option<u64>,
    network: Option<u64>,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; CELLS]);

impl Moment {
    /// The moment so many milliseconds after the start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(PER_MILLISECOND))
    }
}

impl Rates {
    /// For a hub that is set up so.
    #[must_use]
    pub fn new(config: &LimitsConfig) -> Self {
        let space = |per_minute: Option<u32>| per_minute.map(|n| MINUTE / u64::from(n.max(1)));
        let spaces = [
            (config.announces_per_minute, config.announces_per_minute_network),
            (config.scrapes_per_minute, config.scrapes_per_minute_network),
            (config.connects_per_minute, config.connects_per_minute_network),
        ]
        .map(|(address, network)| Spaces { address: space(address), network: space(network) });
        let is_limited = spaces.iter().any(|spaces| spaces.address.is_some() || spaces.network.is_some());
        let sets = (0..if is_limited { SETS } else { 0 }).map(|_| Set::default()).collect();
        Self { spaces, secret: rand::random(), sets }
    }

    /// Whether somebody at `ip` may ask once more; it is counted then. An address is an IPv6 /64 network, and a network
    /// an IPv4 /24 or an IPv6 /48.
    #[must_use]
    pub fn take(&self, kind: Kind, ip: IpAddr, now: Moment) -> bool {
        let Spaces { address, network } = self.spaces[kind as usize];
        let ip = ip.to_canonical();
        address.is_none_or(|space| self.take_of(self.hash(kind, ip, false), space, now))
            && network.is_none_or(|space| self.take_of(self.hash(kind, ip, true), space, now))
    }

    fn take_of(&self, hash: u64, space: u64, Moment(now): Moment) -> bool {
        // It is below `SETS`, which every machine can count to.
        let at = usize::try_from(hash % SETS as u64).unwrap_or(0);
        let who = hash >> WHEN_BITS;
        for _ in 0..TRIES {
            let cells = &self.sets[at].0;
            let mut place = &cells[0];
            let mut seen = place.load(Ordering::Relaxed);
            for cell in cells {
                let found = cell.load(Ordering::Relaxed);
                if found >> WHEN_BITS == who {
                    (place, seen) = (cell, found);
                    break;
                }
                if found & WHEN < seen & WHEN {
                    (place, seen) = (cell, found);
                }
            }
            let whole = if seen >> WHEN_BITS == who { seen & WHEN } else { 0 };
            let next = whole.max(now) + space;
            if next - now > MINUTE {
                return false;
            }
            let noted = who << WHEN_BITS | next & WHEN;
            if place.compare_exchange(seen, noted, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return true;
            }
        }
        // Many threads are at the same few cells, which is no reason to turn anybody away.
        true
    }

    fn hash(&self, kind: Kind, ip: IpAddr, is_network: bool) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.secret.0, self.secret.1);
        hasher.write(&[kind as u8, u8::from(is_network)]);
        match ip {
            IpAddr::V4(ip) => hasher.write(&ip.octets()[..if is_network { 3 } else { 4 }]),
            IpAddr::V6(ip) => hasher.write(&ip.octets()[..if is_network { 6 } else { 8 }]),
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn limits(announces_per_minute: u32) -> LimitsConfig {
        LimitsConfig { announces_per_minute: Some(announces_per_minute), ..LimitsConfig::default() }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const START: Moment = Moment(0);

    #[test]
    fn where_nothing_is_limited_nothing_is_kept() {
        let rates = Rates::new(&LimitsConfig::default());
        assert!(rates.sets.is_empty());
        assert!((0..1_000).all(|_| rates.take(Kind::Announce, ip("192.0.2.1"), START)));
    }

    #[test]
    fn a_minutes_worth_is_there_at_once_and_comes_back_as_time_passes() {
        let rates = Rates::new(&limits(3));
        let take = |millis| rates.take(Kind::Announce, ip("192.0.2.1"), Moment::from_millis(millis));
        assert_eq!([take(0), take(0), take(0), take(0)], [true, true, true, false]);
        assert_eq!([take(19_999), take(20_000), take(20_000)], [false, true, false]);
        assert!(rates.take(Kind::Scrape, ip("192.0.2.1"), START), "scrapes are not limited");
    }

    #[test]
    fn networks_are_counted_beside_their_addresses() {
        let config = LimitsConfig { connects_per_minute_network: Some(2), ..LimitsConfig::default() };
        let rates = Rates::new(&config);
        let take = |text| rates.take(Kind::Connect, ip(text), START);
        assert_eq!(["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.3.1"].map(take), [true, true, false, true]);
        let v6 = ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:2::1"];
        assert_eq!(v6.map(take), [true, true, false, true]);
        assert!(!take("::ffff:192.0.2.9"));
        let rates = Rates::new(&limits(1));
        let take = |text| rates.take(Kind::Announce, ip(text), START);
        assert_eq!(["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(take), [true, false, true]);
    }

    #[test]
    fn many_addresses_do_not_free_one_that_has_asked_too_often() {
        let rates = Rates::new(&limits(10));
        let busy = ip("192.0.2.1");
        assert_eq!((0..20).filter(|_| rates.take(Kind::Announce, busy, START)).count(), 10);
        for other in 0..1_000_000_u32 {
            let _ = rates.take(Kind::Announce, IpAddr::from((0x0a00_0000 + other).to_be_bytes()), START);
        }
        assert!(!rates.take(Kind::Announce, busy, START));
    }

    proptest! {
        #[test]
        fn it_counts_as_a_map_does(
            per_minute in 1_u32..100,
            steps in prop::collection::vec((0_u8..20, 0_u64..5_000), 1..300),
        ) {
            let rates = Rates::new(&limits(per_minute));
            let (mut now, mut map) = (0, HashMap::new());
            for (address, later) in steps {
                now += later;
                let moment = Moment::from_millis(now);
                let whole: &mut u64 = map.entry(address).or_default();
                let next = (*whole).max(moment.0) + MINUTE / u64::from(per_minute);
                let expected = next - moment.0 <= MINUTE;
                if expected {
                    *whole = next;
                }
                let ip = IpAddr::from([192, 0, 2, address]);
                prop_assert_eq!(rates.take(Kind::Announce, ip, moment), expected);
            }
        }
    }
}
