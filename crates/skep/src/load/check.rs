use std::net::IpAddr;

use swarm::{Counts, Endpoint, Event};

use super::ask::scraped;
use super::population::{Peer, Population};

/// Holds replies against what the population allows.
#[derive(Debug)]
pub(super) struct Checker {
    population: Population,
    /// Where the classes send from, in order.
    addresses: Vec<IpAddr>,
    want: Option<u32>,
    /// Whether everybody is there for certain: all were announced, and nobody leaves.
    complete: bool,
    seen: Vec<u32>,
}

/// A reply that no right tracker gives.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: &'static str,
    pub(super) detail: String,
}

/// An announce's answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) interval: u32,
    pub(super) complete: u32,
    pub(super) incomplete: u32,
}

/// A week, in seconds: nobody asks to be announced to more rarely.
const INTERVAL_MAX: u32 = 7 * 24 * 3600;

impl Checker {
    pub(super) fn new(population: Population, addresses: Vec<IpAddr>, want: Option<u32>) -> Self {
        Self { population, addresses, want, complete: false, seen: Vec::new() }
    }

    /// From now on counts must be those of the whole population, not only within it.
    pub(super) fn expect_everybody(&mut self) {
        self.complete = true;
    }

    pub(super) fn announce(
        &mut self,
        asker: Peer,
        event: Event,
        told: Told,
        peers: impl Iterator<Item = Endpoint>,
    ) -> Result<(), Fault> {
        let Told { interval, complete, incomplete } = told;
        if !(1..=INTERVAL_MAX).contains(&interval) {
            return fault("interval not of this world", || format!("{interval} s for {asker:?}"));
        }
        let nobody = event != Event::Stopped && (complete, incomplete) == (0, 0);
        if nobody || !self.fits(complete, incomplete) {
            let seeds = u32::from(self.population.is_seeder(asker));
            if event != Event::Stopped
                && self.fits(complete.saturating_add(seeds), incomplete.saturating_add(1 - seeds))
            {
                return fault("counts without the asker", || {
                    format!("{complete} seeders, {incomplete} leechers for {asker:?}; {}", self.expected())
                });
            }
            return fault("counts that cannot be", || {
                format!("{complete} seeders, {incomplete} leechers for {asker:?}; {}", self.expected())
            });
        }
        self.seen.clear();
        for endpoint in peers {
            let (ip, port) = (endpoint.ip(), endpoint.port().get());
            let Some(number) = self.population.number_at(asker.torrent, ip, port, &self.addresses) else {
                return fault("a peer that was never announced", || {
                    format!("{ip} port {port} for {asker:?}")
                });
            };
            if number == asker.number {
                return fault("the asker itself", || format!("{asker:?}"));
            }
            self.seen.push(number);
        }
        let count = self.seen.len();
        if self.want.is_some_and(|want| count > want as usize) {
            return fault("more peers than wanted", || format!("{count} for {asker:?}"));
        }
        self.seen.sort_unstable();
        self.seen.dedup();
        if self.seen.len() < count {
            return fault("a peer twice", || format!("{} of {count} differ for {asker:?}", self.seen.len()));
        }
        Ok(())
    }

    pub(super) fn scrape(
        &self,
        first: u32,
        counts: impl ExactSizeIterator<Item = Counts>,
    ) -> Result<(), Fault> {
        let torrents = scraped(first, &self.population);
        if counts.len() != torrents.len() {
            return fault("a scrape of the wrong length", || {
                format!("{} counts for {} torrents", counts.len(), torrents.len())
            });
        }
        for (torrent, Counts { complete, incomplete, .. }) in torrents.zip(counts) {
            if !self.fits(complete, incomplete) {
                return fault("counts that cannot be", || {
                    let expected = self.expected();
                    format!("{complete} seeders, {incomplete} leechers for torrent {torrent}; {expected}")
                });
            }
        }
        Ok(())
    }

    fn fits(&self, complete: u32, incomplete: u32) -> bool {
        let (seeders, leechers) = self.all();
        if self.complete {
            (complete, incomplete) == (seeders, leechers)
        } else {
            complete <= seeders && incomplete <= leechers
        }
    }

    fn all(&self) -> (u32, u32) {
        let seeders = self.population.seeders();
        (seeders, self.population.peers - seeders)
    }

    fn expected(&self) -> String {
        let (seeders, leechers) = self.all();
        let word = if self.complete { "there are" } else { "there are at most" };
        format!("{word} {seeders} and {leechers}")
    }
}

pub(super) fn fault<T>(what: &'static str, detail: impl FnOnce() -> String) -> Result<T, Fault> {
    Err(Fault { what, detail: detail() })
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    fn checker() -> Checker {
        let options = Options { torrents: 10, peers: 4, ..Options::new("") };
        let addresses = vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])];
        Checker::new(Population::new(&options, 2).unwrap(), addresses, Some(3))
    }

    /// What is wrong with an announce of peer 0 of torrent 0 that is answered so.
    fn wrong(checker: &mut Checker, told: (u32, u32, u32), peers: &[(u8, u16)]) -> Option<&'static str> {
        let (interval, complete, incomplete) = told;
        let told = Told { interval, complete, incomplete };
        let peers = peers.iter().map(|(last, port)| {
            let [high, low] = port.to_be_bytes();
            Endpoint::from_compact_v4([127, 0, 0, *last, high, low]).unwrap()
        });
        let asker = Peer { torrent: 0, number: 0 };
        checker.announce(asker, Event::Update, told, peers).err().map(|fault| fault.what)
    }

    #[test]
    fn right_replies_pass() {
        let mut checker = checker();
        assert_eq!(wrong(&mut checker, (1800, 1, 0), &[]), None);
        assert_eq!(wrong(&mut checker, (1800, 2, 2), &[(2, 1025), (1, 1026), (2, 1027)]), None);
        checker.expect_everybody();
        assert_eq!(wrong(&mut checker, (1800, 2, 2), &[]), None);
    }

    #[test]
    fn each_wrong_is_found() {
        let mut checker = checker();
        for (told, peers, what) in [
            ((0, 1, 1), &[][..], "interval not of this world"),
            ((1_000_000, 1, 1), &[], "interval not of this world"),
            ((1800, 0, 0), &[], "counts without the asker"),
            ((1800, 3, 1), &[], "counts that cannot be"),
            ((1800, 1, 1), &[(3, 1025)], "a peer that was never announced"),
            ((1800, 1, 1), &[(2, 1029)], "a peer that was never announced"),
            ((1800, 1, 1), &[(1, 1024)], "the asker itself"),
            ((1800, 2, 2), &[(2, 1025), (2, 1025)], "a peer twice"),
            ((1800, 2, 2), &[(2, 1025), (1, 1026), (2, 1027), (2, 1025)], "more peers than wanted"),
        ] {
            assert_eq!(wrong(&mut checker, told, peers), Some(what), "{told:?} {peers:?}");
        }
        checker.expect_everybody();
        assert_eq!(wrong(&mut checker, (1800, 1, 2), &[]), Some("counts without the asker"));
        assert_eq!(wrong(&mut checker, (1800, 2, 1), &[]), Some("counts that cannot be"));
    }

    #[test]
    fn scrapes_are_counted_too() {
        let checker = checker();
        let counts = |complete, number| {
            vec![Counts { complete, incomplete: 2, downloaders: 2, completed: 0 }; number].into_iter()
        };
        assert!(checker.scrape(8, counts(2, 5)).is_ok());
        assert_eq!(checker.scrape(8, counts(2, 4)).unwrap_err().what, "a scrape of the wrong length");
        assert_eq!(checker.scrape(8, counts(3, 5)).unwrap_err().what, "counts that cannot be");
    }
}
