use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use swarm::{PeerId, PeerRecord, Role};

use super::*;

/// Counts what is reported.
#[derive(Clone, Default)]
struct Heard(Arc<AtomicUsize>);

impl Events for Heard {
    fn completed(&self, _: InfoHash, nth: u32) {
        let before = self.0.fetch_add(1, Ordering::Relaxed);
        assert_eq!(nth as usize, before + 1);
    }
}

const HASH: InfoHash = InfoHash([7; 20]);

struct Desk {
    tracker: Tracker,
    worker: Worker,
    heard: Heard,
}

impl Desk {
    fn new(config: &TrackerConfig) -> Self {
        let heard = Heard::default();
        let tracker = Tracker::new(config, Box::new(heard.clone()));
        Self { worker: tracker.worker(), tracker, heard }
    }

    fn tell(&mut self, from: &str, ask: &wire::Announce<'_>) -> Result<Answer, Refusal> {
        let asker =
            Asker { ip: from.parse().unwrap(), families: Families::Both, ids: false, user_agent: None };
        self.tracker.announce(&asker, ask, &mut self.worker)
    }

    /// Where the swarm's peers are listed.
    fn listed(&self) -> BTreeSet<String> {
        self.tracker.peers(&HASH, 1_000).iter().map(|peer| peer.endpoint.to_string()).collect()
    }
}

fn announce(port: u16) -> wire::Announce<'static> {
    wire::Announce {
        info_hash: HASH,
        peer_id: PeerId(*b"-TT0001-abcdefghijkl"),
        port,
        stated_ip: None,
        uploaded: 3,
        downloaded: 2,
        left: Some(1),
        event: Event::Update,
        want: None,
        key: None,
        passkey: None,
    }
}

#[test]
fn port_zero_and_a_passkey_are_refused_and_counted() {
    let mut desk = Desk::new(&TrackerConfig::default());
    assert_eq!(desk.tell("192.0.2.1", &announce(0)), Err(Refusal::PortZero));
    let with_passkey = wire::Announce { passkey: Some(b"secret"), ..announce(1) };
    assert_eq!(desk.tell("192.0.2.1", &with_passkey), Err(Refusal::PasskeyUnwanted));
    assert_eq!(desk.tracker.scrape(&HASH), None);
    let counts = [Metric::RefusedPortZero, Metric::RefusedPasskey].map(|metric| desk.tracker.count(metric));
    assert_eq!(counts, [1, 1]);
}

#[test]
fn a_stated_address_is_believed_only_where_it_is_configured() {
    let stated = wire::Announce { stated_ip: Some("198.51.100.9".parse().unwrap()), ..announce(6881) };
    for (trust_stated_ip, listed) in [(false, "192.0.2.1:6881"), (true, "198.51.100.9:6881")] {
        let mut desk = Desk::new(&TrackerConfig { trust_stated_ip, ..TrackerConfig::default() });
        desk.tell("192.0.2.1", &stated).unwrap();
        assert_eq!(desk.listed(), BTreeSet::from([listed.to_owned()]));
    }
}

#[test]
fn an_ipv4_mapped_address_is_the_ipv4_address() {
    let mut desk = Desk::new(&TrackerConfig::default());
    desk.tell("::ffff:192.0.2.1", &announce(6881)).unwrap();
    desk.tell("192.0.2.1", &announce(6881)).unwrap();
    assert_eq!(desk.listed(), BTreeSet::from(["192.0.2.1:6881".to_owned()]));
}

#[test]
fn wishes_are_bounded() {
    let config = TrackerConfig { want_default: 5, want_max: 20, ..TrackerConfig::default() };
    let mut desk = Desk::new(&config);
    for port in 1..=100 {
        desk.tell("192.0.2.1", &announce(port)).unwrap();
    }
    for (want, told) in [(None, 5), (Some(0), 0), (Some(7), 7), (Some(u32::MAX), 20)] {
        desk.tell("192.0.2.2", &wire::Announce { want, ..announce(1) }).unwrap();
        assert_eq!(desk.worker.reply.peers().count(), told);
    }
}

#[test]
fn intervals_are_spread_and_never_shorter_than_configured() {
    let config = TrackerConfig { interval_secs: 1_000, jitter_pct: 10, ..TrackerConfig::default() };
    let mut desk = Desk::new(&config);
    let intervals: BTreeSet<u32> =
        (0..500).map(|_| desk.tell("192.0.2.1", &announce(1)).unwrap().interval_secs).collect();
    assert!(intervals.iter().all(|secs| (1_000..=1_100).contains(secs)), "{intervals:?}");
    assert!(intervals.len() > 50, "{intervals:?}");
}

#[test]
fn a_client_on_the_hubs_machine_is_told_and_listed_with_an_address_others_can_use() {
    let config =
        TrackerConfig { external_ips: vec!["203.0.113.7".parse().unwrap()], ..TrackerConfig::default() };
    let mut desk = Desk::new(&config);
    let answer = desk.tell("127.0.0.1", &announce(6881)).unwrap();
    assert_eq!(answer.external_ip.to_string(), "203.0.113.7");
    assert!(desk.listed().iter().all(|endpoint| !endpoint.starts_with("127.")), "{:?}", desk.listed());
    desk.tell("198.51.100.3", &announce(6882)).unwrap();
    let told: Vec<String> = desk.worker.reply.peers().map(|peer| peer.to_string()).collect();
    assert_eq!(told, ["203.0.113.7:6881"]);
}

#[test]
fn a_download_is_reported_once() {
    let mut desk = Desk::new(&TrackerConfig::default());
    for _ in 0..3 {
        let completed = wire::Announce { left: Some(0), event: Event::Completed, ..announce(1) };
        desk.tell("192.0.2.1", &completed).unwrap();
    }
    assert_eq!(desk.heard.0.load(Ordering::Relaxed), 1);
    assert_eq!(desk.tracker.count(Metric::Completed), 1);
}

#[test]
fn aria2_with_a_magnet_link_is_told_of_seeders() {
    let mut desk = Desk::new(&TrackerConfig::default());
    let started =
        wire::Announce { left: Some(0), uploaded: 0, downloaded: 0, event: Event::Started, ..announce(6881) };
    desk.tell("192.0.2.1", &started).unwrap();
    let aria2 = wire::Announce { peer_id: PeerId(*b"A2-1-36-0-abcdefghij"), ..started };
    for (ask, told) in [
        (aria2, 1),
        (wire::Announce { event: Event::Update, ..aria2 }, 1),
        // Nobody else is taken for it, nor one that does seed.
        (wire::Announce { uploaded: 1, ..aria2 }, 0),
        (started, 0),
    ] {
        desk.tell("192.0.2.2", &ask).unwrap();
        assert_eq!(desk.worker.reply.peers().count(), told, "{ask:?}");
    }
}

#[test]
fn what_is_known_of_a_peer_can_be_looked_at() {
    let mut desk = Desk::new(&TrackerConfig::default());
    desk.tell("192.0.2.1", &announce(6881)).unwrap();
    let peers = desk.tracker.peers(&HASH, 10);
    let [peer] = peers.as_slice() else { panic!("{peers:?}") };
    assert_eq!(peer.role, Role::Leecher);
    assert_eq!((peer.uploaded, peer.downloaded, peer.left), (Some(3), Some(2), Some(1)));
    assert_eq!(peer.peer_id, Some(announce(1).peer_id));
}

/// Details are of everybody or of nobody, however the peers are spread over swarms.
#[test]
fn a_crowd_has_no_details() {
    let mut desk = Desk::new(&TrackerConfig { details_max: 1_000, ..TrackerConfig::default() });
    let mut known_after = |ports: std::ops::RangeInclusive<u16>, event| {
        for port in ports {
            desk.tell("192.0.2.1", &wire::Announce { event, ..announce(port) }).unwrap();
            if port % 100 == 0 {
                desk.tracker.housekeep();
            }
        }
        let peers = desk.tracker.peers(&HASH, 2_000);
        (peers.len(), peers.iter().filter(|peer| peer.peer_id.is_some()).count())
    };
    // Once to be counted, once to be given room.
    known_after(1..=1_000, Event::Started);
    assert_eq!(known_after(1..=1_000, Event::Update), (1_000, 1_000));
    assert_eq!(known_after(1_001..=1_100, Event::Started), (1_100, 0));
    // Gone below it, it must go well below it.
    assert_eq!(known_after(1..=200, Event::Stopped), (900, 0));
    assert_eq!(known_after(201..=1_100, Event::Update), (900, 0));
    assert_eq!(known_after(201..=400, Event::Stopped), (700, 0));
    known_after(401..=1_100, Event::Update);
    assert_eq!(known_after(401..=1_100, Event::Update), (700, 700));
}

/// Whatever is announced, all shards together stay within the budget, and the refusal says when to come back.
#[test]
fn the_budget_holds_for_all_shards_together() {
    let config = TrackerConfig { memory_max: 1 << 20, details_max: 0, ..TrackerConfig::default() };
    let mut desk = Desk::new(&config);
    let mut refused = None;
    for number in 0_u32..60_000 {
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&number.wrapping_mul(0x9E37_79B9).to_be_bytes());
        let told = desk.tell("192.0.2.1", &wire::Announce { info_hash: InfoHash(hash), ..announce(1) });
        refused = refused.or(told.err());
        if number % 1_000 == 0 {
            desk.tracker.housekeep();
            assert!(desk.tracker.stats().memory_bytes <= config.memory_max);
        }
    }
    let refused = refused.expect("a mebibyte is not enough for sixty thousand swarms");
    assert_eq!(refused, Refusal::Full);
    assert!(matches!(refused.retry_in(), Some(wire::http::RetryIn::Minutes(1..))));
}

/// One swarm may take most of the memory, although it lives in one shard.
#[test]
fn a_large_swarm_is_given_what_nobody_else_uses() {
    let config = TrackerConfig { memory_max: 4 << 20, details_max: 0, ..TrackerConfig::default() };
    let mut desk = Desk::new(&config);
    for round in 0_u16..100 {
        for port in 1..=1_000 {
            let ip = format!("10.0.{}.{}", round / 10, round % 10 + 1);
            desk.tell(&ip, &announce(port)).unwrap();
        }
        desk.tracker.housekeep();
    }
    // A few were replaced while the shard waited for more.
    assert!(desk.tracker.stats().population.peers() > 99_000, "{:?}", desk.tracker.stats());
    assert!(desk.tracker.stats().memory_bytes <= config.memory_max);
}

/// The same of one that is read back, while nobody looks after the house.
#[test]
fn a_large_swarm_is_read_back_whole() {
    let config = TrackerConfig { memory_max: 4 << 20, details_max: 0, ..TrackerConfig::default() };
    let tracker = Tracker::new(&config, Box::new(Heard::default()));
    let peer = |number: u32| PeerRecord {
        endpoint: swarm::Endpoint::new(
            IpAddr::from((0x0a00_0000 + number).to_be_bytes()),
            swarm::Port::new(6881).unwrap(),
        ),
        role: Role::Leecher,
        idle_secs: 0,
        counted: false,
    };
    for first in (0..50_000).step_by(50) {
        let part: Vec<PeerRecord> = (first..first + 50).map(peer).collect();
        tracker.import(HASH, 0, &part).unwrap();
    }
    assert_eq!(tracker.stats().population.peers(), 50_000);
    assert!(tracker.stats().memory_bytes <= config.memory_max);
}

#[test]
fn access_lists_hold_from_the_next_look_at_the_clock() {
    use crate::policy::lists::{Builder, List, Place};

    let mut desk = Desk::new(&TrackerConfig::default());
    let hash = HASH.to_string();
    for (list, entry, refusal) in [
        (List::PeersDenied, "192.0.2.0/24", Refusal::NetworkDenied),
        (List::ClientsDenied, "-TT", Refusal::ClientDenied),
        (List::TorrentsDenied, &hash, Refusal::TorrentDenied),
    ] {
        let mut builder = Builder::default();
        builder.begin(list, 0);
        builder.add(list, list.read(entry).unwrap());
        desk.tracker.policy.publish(Place::Files, builder.build());
        assert!(desk.tell("192.0.2.1", &announce(1)).is_ok(), "nothing is looked at between two batches");
        desk.worker.tick(&desk.tracker);
        assert_eq!(desk.tell("192.0.2.1", &announce(1)), Err(refusal));
        assert_eq!(desk.tracker.count(refusal.metric()), 1);
        let scraped = desk.tracker.admit_scrape(None, "192.0.2.1".parse().unwrap(), &desk.worker);
        assert_eq!(scraped.is_err(), list == List::PeersDenied);
        desk.tracker.policy.publish(Place::Files, Builder::default().build());
        desk.worker.tick(&desk.tracker);
    }
}

#[test]
fn whoever_asks_too_often_is_told_to_wait_and_others_are_not() {
    let limits = crate::config::LimitsConfig {
        announces_per_minute: Some(2),
        scrapes_per_minute: Some(1),
        ..Default::default()
    };
    let policy = Policy::new(Mode::Open, &MembersConfig::default(), 4_000).limited(&limits);
    let heard = Heard::default();
    let tracker = Tracker::guarded(&TrackerConfig::default(), Arc::new(policy), Box::new(heard.clone()));
    let mut desk = Desk { worker: tracker.worker(), tracker, heard };
    let told: Vec<_> = (0..3).map(|_| desk.tell("192.0.2.1", &announce(1)).err()).collect();
    assert_eq!(told, [None, None, Some(Refusal::TooOften)]);
    assert!(desk.tell("192.0.2.2", &announce(1)).is_ok());
    let ip = "192.0.2.1".parse().unwrap();
    let scraped = [(); 2].map(|()| desk.tracker.admit_scrape(None, ip, &desk.worker).err());
    assert_eq!(scraped, [None, Some(Refusal::TooOften)]);
    assert!(desk.tracker.admit_connect(ip, &desk.worker), "connection ids are not limited");
    assert_eq!(desk.tracker.count(Metric::RefusedRate), 2);
}
