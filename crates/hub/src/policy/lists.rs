//! Who and what may take part, as those who run the hub have listed it: torrents, clients, networks.
//!
//! It is listed in two places, in files and in the store, each of which can change without the other. Neither is changed
//! in place: whoever asks often keeps one, and looks now and then whether there is a newer (see
//! [`Current`](super::Current)).

mod entry;
mod layer;
mod networks;
mod prefixes;

use std::net::IpAddr;
use std::sync::Arc;

use swarm::InfoHash;

pub use entry::{Entry, EntryError, List};
pub use layer::{Builder, Layer};

/// Everything that is listed. Where nothing is, all may take part; what one place allows, the other need not.
#[derive(Debug, Clone)]
pub struct Lists {
    files: Arc<Layer>,
    rules: Arc<Layer>,
    /// Neither says anything of who may announce what: most hubs' lists, at each announce.
    is_silent: bool,
}

/// Where something is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the files that the configuration names.
    Files,
    /// In the store, as rules that come and go while the hub runs.
    Rules,
}

impl Lists {
    /// The same, with something else in one place.
    #[must_use]
    pub fn with(&self, place: Place, layer: Arc<Layer>) -> Self {
        let (files, rules) = match place {
            Place::Files => (layer, self.rules.clone()),
            Place::Rules => (self.files.clone(), layer),
        };
        Self { is_silent: files.is_silent() && rules.is_silent(), files, rules }
    }

    /// Whether this torrent may be announced, and added to the catalogue.
    #[must_use]
    pub fn admit_torrent(&self, hash: &InfoHash) -> bool {
        self.is_silent || self.files.torrent(hash).admits_with(self.rules.torrent(hash))
    }

    /// Whether a peer at this address may announce.
    #[must_use]
    pub fn admit_peer(&self, ip: IpAddr) -> bool {
        self.is_silent || self.files.peer(ip).admits_with(self.rules.peer(ip))
    }

    /// Whether the API and the page are for whoever is at this address.
    #[must_use]
    pub fn admit_api(&self, ip: IpAddr) -> bool {
        self.files.api(ip).admits_with(self.rules.api(ip))
    }

    /// Whether the word of a reverse proxy at this address is taken on where requests come from.
    #[must_use]
    pub fn is_proxy(&self, ip: IpAddr) -> bool {
        self.files.is_proxy(ip) || self.rules.is_proxy(ip)
    }

    /// Whether there is any such proxy.
    #[must_use]
    pub fn has_proxies(&self) -> bool {
        self.files.has_proxies() || self.rules.has_proxies()
    }

    /// Whether a client may announce that has such a peer id, and calls itself so where the protocol lets it.
    #[must_use]
    pub fn admit_client(&self, peer_id: &[u8], user_agent: Option<&[u8]>) -> bool {
        self.is_silent
            || self.files.client(peer_id, user_agent).admits_with(self.rules.client(peer_id, user_agent))
    }
}

impl Default for Lists {
    fn default() -> Self {
        Self { files: Arc::default(), rules: Arc::default(), is_silent: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(entries: &[(List, &str)]) -> Arc<Layer> {
        let mut builder = Builder::default();
        for (list, text) in entries {
            builder.begin(*list, 0);
            if !text.is_empty() {
                builder.add(*list, list.read(text).unwrap());
            }
        }
        Arc::new(builder.build())
    }

    fn lists(entries: &[(List, &str)]) -> Lists {
        Lists::default().with(Place::Files, layer(entries))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn where_nothing_is_listed_all_may_take_part() {
        let lists = Lists::default();
        assert!(lists.admit_torrent(&InfoHash([1; 20])));
        assert!(lists.admit_peer(ip("192.0.2.1")) && lists.admit_api(ip("::1")));
        assert!(lists.admit_client(b"-TR3000-abcdefghijkl", None));
    }

    #[test]
    fn what_is_not_allowed_is_denied_where_something_is_allowed_and_denying_goes_first() {
        let hash = |digit: &str| digit.repeat(40);
        let (one, two) = (hash("1"), hash("2"));
        let only = lists(&[
            (List::TorrentsAllowed, &one),
            (List::TorrentsAllowed, &two),
            (List::TorrentsDenied, &two),
        ]);
        let admitted = ["1", "2", "3"].map(|digit| only.admit_torrent(&hash(digit).parse().unwrap()));
        assert_eq!(admitted, [true, false, false]);
        let none = lists(&[(List::TorrentsAllowed, "")]);
        assert!(!none.admit_torrent(&InfoHash([0x11; 20])), "an empty list allows nothing");
    }

    #[test]
    fn networks_are_for_peers_or_for_the_api() {
        let lists = lists(&[(List::PeersDenied, "192.0.2.0/24"), (List::ApiAllowed, "10.0.0.0/8")]);
        assert!(!lists.admit_peer(ip("192.0.2.7")) && !lists.admit_peer(ip("::ffff:192.0.2.7")));
        assert!(lists.admit_peer(ip("192.0.3.7")) && lists.admit_peer(ip("10.1.2.3")));
        assert!(lists.admit_api(ip("10.1.2.3")) && !lists.admit_api(ip("127.0.0.1")));
    }

    #[test]
    fn a_client_is_known_by_its_id_or_by_what_it_calls_itself() {
        let denied = lists(&[(List::ClientsDenied, "-XL"), (List::ClientsDenied, "agent:Evil/1")]);
        assert!(!denied.admit_client(b"-XL0012-abcdefghijkl", None));
        assert!(!denied.admit_client(b"-TR3000-abcdefghijkl", Some(b"Evil/1.5")));
        assert!(denied.admit_client(b"-TR3000-abcdefghijkl", Some(b"Evil/2")));
        let allowed = lists(&[(List::ClientsAllowed, "-TR"), (List::ClientsAllowed, "agent:aria2/")]);
        assert!(allowed.admit_client(b"-TR3000-abcdefghijkl", None));
        assert!(allowed.admit_client(b"A2-1-36-0-abcdefghij", Some(b"aria2/1.36.0")));
        assert!(!allowed.admit_client(b"A2-1-36-0-abcdefghij", None));
    }

    #[test]
    fn a_ban_is_for_peers_and_for_the_api() {
        let lists = lists(&[(List::Banned, "192.0.2.0/24"), (List::PeersAllowed, "192.0.2.7")]);
        assert!(!lists.admit_peer(ip("192.0.2.7")) && !lists.admit_api(ip("192.0.2.7")));
        assert!(lists.admit_api(ip("192.0.3.7")));
    }

    #[test]
    fn what_two_places_list_is_listed_and_denying_goes_first_wherever_it_is() {
        let both = |files: &[(List, &str)], rules: &[(List, &str)]| {
            let lists = Lists::default().with(Place::Files, layer(files)).with(Place::Rules, layer(rules));
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|address| lists.admit_peer(ip(address)))
        };
        let (one, two) = ((List::PeersAllowed, "10.0.0.1"), (List::PeersAllowed, "10.0.0.2"));
        let not_one = (List::PeersDenied, "10.0.0.1");
        for (a, b, expected) in [
            (&[one][..], &[][..], [true, false, false]),
            (&[one], &[two], [true, true, false]),
            (&[one, two], &[not_one], [false, true, false]),
            (&[], &[not_one], [false, true, true]),
        ] {
            assert_eq!((both(a, b), both(b, a)), (expected, expected));
        }
    }
}
